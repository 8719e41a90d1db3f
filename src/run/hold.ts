/** One process at a time writes a run folder: the one that holds its lock. */
import { hostname } from 'node:os';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../common/errors.js';
import { describeFileError, exists, isTemporary, removeStaleTemporaries } from '../common/files.js';
import { type LockHolder, tryLock } from '../common/lock.js';

const LOCK = 'run.lock';

/** Whether a file of a run folder is no part of the run: the lock, or what a killed process had not finished writing. */
export function isLeftover(name: string): boolean {
  return name === LOCK || isTemporary(name);
}

/**
 * Runs `action` as the only process that writes the folder, after removing what killed ones had begun to write. A killed
 * process's lock is taken over. Throws a BnTrainError that names the process if another one holds it.
 */
export async function holdRunFolder<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const lock = await tryLock(path.join(folder, LOCK)).catch((error: unknown) => {
    throw error instanceof BnTrainError ? error : cannotWrite(folder, error);
  });
  if ('holder' in lock) throw heldBy(folder, lock.holder);
  try {
    await clean(folder);
    return await action();
  } finally {
    // A lock that can no longer be removed must not hide why; the next process sees that its holder is dead.
    await lock.release().catch(() => undefined);
  }
}

function heldBy(folder: string, { pid, host }: LockHolder): BnTrainError {
  const here = host === hostname();
  return cannot(`use the run folder ${folder}`, {
    expected: 'no other process at work on it',
    got: `process ${pid}${here ? '' : ` of the machine ${host}`}`,
    hint: here
      ? `wait for it to end, or stop it: kill ${pid}`
      : `if it no longer runs there: rm '${path.join(folder, LOCK)}'`,
  });
}

async function clean(folder: string): Promise<void> {
  for (const part of ['', 'checkpoint', 'model']) {
    const place = path.join(folder, part);
    if (await exists(place)) await removeStaleTemporaries(place);
  }
}

/** The error of a run folder that takes no more; what is in it stays as it was. */
export function cannotWrite(folder: string, error: unknown): BnTrainError {
  return cannot(`write the run folder ${folder}`, {
    expected: 'room and permission',
    got: describeFileError(error),
    hint: `free some space or give permission, then go on with --resume '${folder}'`,
    cause: error,
  });
}

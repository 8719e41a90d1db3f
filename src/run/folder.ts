/** Where runs live: naming a new folder, finding the newest, refusing what holds something else, one process at a time. */
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import * as path from 'node:path';
import { BnTrainError, cannot, EXIT } from '../common/errors.js';
import {
  assertWritable,
  codeOf,
  describeFileError,
  exists,
  makeFolder,
  ownerOf,
  removeStaleTemporaries,
} from '../common/files.js';
import { type LockHolder, tryLock } from '../common/lock.js';
import { quoted, toType } from '../common/invocation.js';

const LOCK = 'run.lock';

/** What is to be done where a folder takes no more, for those that this process holds. */
const remedies = new Map<string, string>();

/** "runs/20261124-013000-scratch": the local date and time to the second, and the norm. */
export function defaultRunFolder(norm: string, now: Date = new Date()): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  return path.join('runs', `${date}-${time}-${norm}`);
}

/**
 * Runs `action` as the only process that writes a new run folder, named as `createRunFolder` does. A `remedy` is told where the
 * disk is full, and says that nothing goes on with --resume.
 */
export async function withNewRunFolder(
  norm: string,
  named: string | undefined,
  action: (folder: string) => Promise<void>,
  remedy?: string,
): Promise<void> {
  const isNew = named === undefined || !(await exists(named));
  const goesOn = remedy === undefined;
  const folder = await createRunFolder(norm, named, goesOn);
  try {
    const use = async () => {
      // Another process may have had the folder, and left it, since it was looked at.
      await assertUnused(folder, goesOn);
      await action(folder);
    };
    await holdRunFolder(folder, use, remedy);
  } catch (error) {
    // A start that failed leaves no folder without a run; one that holds something is not removed by this.
    if (isNew) await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

/** Makes the run folder; it must be new or empty. A default name that is taken gets a number. */
export async function createRunFolder(norm: string, folder?: string, goesOn = true): Promise<string> {
  const target = folder ?? (await makeNumbered(defaultRunFolder(norm)));
  await assertUnused(target, goesOn);
  await assertWritable(target, `use the run folder ${target}`);
  return target;
}

/** Throws unless a folder is missing or empty. What a run leaves that was killed before it began does not count. */
async function assertUnused(target: string, goesOn: boolean): Promise<void> {
  const content = await readdir(target).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: describeFileError(error),
      hint: 'name another one with --run-dir',
      exitCode: codeOf(error) === 'ENOTDIR' ? EXIT.usage : EXIT.failed,
      cause: error,
    });
  });
  const taken = content.filter((name) => !isLeftover(name));
  const begun = { 'config.json': 'run', 'comparison.json': 'comparison' };
  const what = Object.entries(begun).find(([name]) => taken.includes(name))?.[1];
  const goOn = what === undefined || !goesOn ? '' : `, or continue that ${what} with --resume ${quoted(target)}`;
  if (taken.length > 0)
    throw cannot(`use the run folder ${target}`, {
      expected: 'a new or empty folder',
      got: `one that holds ${taken.slice(0, 3).join(', ')}`,
      hint: `name another one with --run-dir${goOn}`,
      exitCode: EXIT.usage,
    });
}

async function makeNumbered(wanted: string): Promise<string> {
  // What fails here fails again in assertWritable, with words.
  await makeFolder(path.dirname(wanted)).catch(() => undefined);
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    // Two runs that begin in the same second must not both take it, so making it is the question whether it is free.
    const taken = await mkdir(name).then(
      () => false,
      (error: unknown) => codeOf(error) === 'EEXIST',
    );
    if (!taken) return name;
  }
}

/** The newest folder in ./runs that holds a run. */
export async function newestRun(runs = 'runs'): Promise<string> {
  const names = await readdir(runs).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const folder = path.join(runs, name);
      const config = await stat(path.join(folder, 'config.json')).catch(() => undefined);
      return config && { folder, changed: config.mtimeMs };
    }),
  );
  const newest = found.filter((run) => run !== undefined).sort((a, b) => b.changed - a.changed)[0];
  if (!newest)
    throw cannot('find a run', {
      expected: `at least one run in ${path.resolve(runs)}`,
      got: 'none',
      hint: `name its folder, or train one: ${toType('scratch')}`,
    });
  return newest.folder;
}

/** Removes what this process has put into a folder that was new. */
export async function emptyRunFolder(folder: string): Promise<void> {
  const own = (await readdir(folder)).filter((name) => !isLeftover(name));
  await Promise.all(own.map((name) => rm(path.join(folder, name), { recursive: true })));
}

/** Whether a file of a run folder is no part of the run: the lock, or what a killed process had not finished writing. */
export function isLeftover(name: string): boolean {
  return name === LOCK || ownerOf(name) !== undefined;
}

/**
 * Runs `action` as the only process that writes the folder, after removing what killed ones had begun to write. A killed
 * process's lock is taken over. Throws a BnTrainError that names the process if another one holds it. `remedy` is told
 * where the disk is full.
 */
export async function holdRunFolder<T>(
  folder: string,
  action: () => Promise<T>,
  remedy = `go on with --resume ${quoted(folder)}`,
): Promise<T> {
  remedies.set(folder, remedy);
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
    remedies.delete(folder);
  }
}

function heldBy(folder: string, { pid, host }: LockHolder): BnTrainError {
  const here = host === hostname();
  return cannot(`use the run folder ${folder}`, {
    expected: 'no other process at work on it',
    got: `process ${pid}${here ? '' : ` of the machine ${host}`}`,
    hint: here
      ? `wait for it to end, or stop it: kill ${pid}`
      : `if it no longer runs there: rm ${quoted(path.join(folder, LOCK))}`,
  });
}

async function clean(folder: string): Promise<void> {
  for (const part of ['', 'checkpoint', 'model']) {
    const place = path.join(folder, part);
    if (await exists(place)) await removeStaleTemporaries(place);
  }
}

/** The error of a run folder that takes no more; what is in it stays as it was. */
function cannotWrite(folder: string, error: unknown): BnTrainError {
  return cannot(`write the run folder ${folder}`, {
    expected: 'room and permission',
    got: describeFileError(error),
    hint: `free some space or give permission, then ${remedies.get(folder) ?? 'start again'}`,
    cause: error,
  });
}

/** What `write` gives; its failure is told as one of the run folder's. */
export async function writing<T>(folder: string, write: () => Promise<T>): Promise<T> {
  return write().catch((error: unknown) => {
    throw cannotWrite(folder, error);
  });
}

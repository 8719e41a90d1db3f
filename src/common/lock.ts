/** A lock between processes that survives a killed holder. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BnTrainError, cannot, shown } from './errors.js';
import { codeOf, describeFileError, isRunning, makeFolder, readBounded, temporaryName } from './files.js';

/** Who holds a lock; `started` tells a process from a later one that was given the same number. */
export interface LockHolder {
  pid: number;
  host: string;
  started: string;
}

/** What /proc/PID/stat says after the command's closing bracket: the state first; nothing where there is no /proc. */
async function processFields(pid: number): Promise<string[]> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Field 22 of /proc/PID/stat: when the process started, in clock ticks since the machine did. */
const startedOf = (fields: string[]) => fields[19] ?? '';

async function isStale({ host, pid, started }: LockHolder): Promise<boolean> {
  if (host !== os.hostname()) return false;
  const fields = await processFields(pid);
  // A zombie is dead, only its parent has not asked yet; in a container nobody may ever ask.
  return !isRunning(pid) || fields[0] === 'Z' || startedOf(fields) !== started;
}

/** Takes the lock and returns its release, or names the live process that holds it. A dead holder's lock is taken over. */
export async function tryLock(file: string): Promise<{ release: () => Promise<void> } | { holder: LockHolder }> {
  await makeFolder(path.dirname(file));
  const mine = temporaryName(file);
  try {
    const me: LockHolder = {
      pid: process.pid,
      host: os.hostname(),
      started: startedOf(await processFields(process.pid)),
    };
    await fs.writeFile(mine, JSON.stringify(me), { flush: true });
    for (;;) {
      try {
        // A hard link appears with its content, so nobody reads a half-written lock.
        await fs.link(mine, file);
        return { release: () => fs.rm(file, { force: true }) };
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const text = await readLock(file);
      if (text === undefined) continue;
      const holder = parseHolder(file, text);
      if (!(await isStale(holder))) return { holder };
      await breakLock(file, text);
    }
  } finally {
    await fs.rm(mine, { force: true });
  }
}

/** What the lock says, or undefined where it was released in the meantime. */
async function readLock(file: string): Promise<string | undefined> {
  return readBounded(file, 4096).then(String, (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw noHolder(file, describeFileError(error));
    return undefined;
  });
}

function parseHolder(file: string, text: string): LockHolder {
  try {
    const { pid, host, started } = (JSON.parse(text) ?? {}) as Partial<LockHolder>;
    if (typeof pid === 'number' && Number.isInteger(pid) && pid > 0)
      if (typeof host === 'string' && typeof started === 'string') return { pid, host, started };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw noHolder(file, shown(text));
}

function noHolder(file: string, got: string): BnTrainError {
  return cannot(`read the lock ${file}`, {
    expected: 'the process that holds it',
    got,
    hint: `rm -r '${file}' if no other bn-train is running`,
  });
}

/** Removes a dead holder's lock, but puts it back if another process took it over in between. */
async function breakLock(file: string, seen: string): Promise<void> {
  const aside = temporaryName(file);
  const moved = await fs.rename(file, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await fs.readFile(aside, 'utf8')) !== seen) await fs.link(aside, file).catch(() => undefined);
  await fs.rm(aside, { force: true });
}

/**
 * Runs `action` while holding the lock, waiting for another process to finish; `onWait` is told once whom for. Throws
 * an AbortError if the signal comes while it waits.
 */
export async function withLock<T>(
  file: string,
  action: () => Promise<T>,
  onWait: (holder: LockHolder) => void = () => undefined,
  signal?: AbortSignal,
): Promise<T> {
  for (let told = false; ; told = true) {
    const lock = await tryLock(file);
    if ('holder' in lock) {
      if (!told) onWait(lock.holder);
      await sleep(200, undefined, { signal });
      continue;
    }
    try {
      return await action();
    } finally {
      await lock.release();
    }
  }
}

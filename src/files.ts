/** Files written whole or not at all, the user's cache folder, and a lock that survives a killed holder. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BnTrainError, cannot, messageOf, shown } from './errors.js';
import { readBounded } from './read.js';

/** `$XDG_CACHE_HOME/bn-train`, or `~/.cache/bn-train`; shared by all checkouts. */
export function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return path.join(base && path.isAbsolute(base) ? base : path.join(os.homedir(), '.cache'), 'bn-train');
}

export async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

/** The `code` of a file system error ("ENOENT"), or undefined. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A name beside `target` that no other process uses; a rename from there is atomic. */
export function temporaryName(target: string): string {
  return path.join(
    path.dirname(target),
    `.${path.basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`,
  );
}

/** Writes a file whole or not at all: a temporary sibling, flushed to disk, then renamed over the target. */
export async function writeFileAtomic(target: string, content: string | Uint8Array): Promise<void> {
  const temporary = temporaryName(target);
  try {
    const handle = await fs.open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, target);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Makes a folder whole or not at all: `fill` writes into a temporary sibling, which is then renamed to `target`.
 * `target` must not exist yet. Siblings that killed processes left behind are removed first.
 */
export async function writeFolderAtomic(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await fs.mkdir(path.dirname(target), { recursive: true });
  await removeStaleTemporaries(target);
  const temporary = temporaryName(target);
  try {
    await fs.mkdir(temporary);
    await fill(temporary);
    await fs.rename(temporary, target);
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Removes what processes that no longer run left beside `target`. */
export async function removeStaleTemporaries(target: string): Promise<void> {
  const prefix = `.${path.basename(target)}.`;
  for (const name of await fs.readdir(path.dirname(target))) {
    const pid = name.startsWith(prefix) ? /^(\d+)-[0-9a-f]{8}\.tmp$/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid !== undefined && !isRunning(Number(pid)))
      // A child of the dead process may still be writing there for a moment.
      await fs.rm(path.join(path.dirname(target), name), { recursive: true, force: true, maxRetries: 10 });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Who holds a lock; `started` tells a process from a later one that was given the same number. */
export interface LockHolder {
  pid: number;
  host: string;
  started: string;
}

async function describeProcess(pid: number): Promise<LockHolder> {
  // Field 22 of /proc/PID/stat, counted after the command's closing bracket; empty where there is no /proc.
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return { pid, host: os.hostname(), started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '' };
}

async function isStale(holder: LockHolder): Promise<boolean> {
  if (holder.host !== os.hostname()) return false;
  return !isRunning(holder.pid) || (await describeProcess(holder.pid)).started !== holder.started;
}

/** Takes the lock and returns its release, or names the live process that holds it. A dead holder's lock is taken over. */
export async function tryLock(file: string): Promise<{ release: () => Promise<void> } | { holder: LockHolder }> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  const mine = temporaryName(file);
  try {
    await fs.writeFile(mine, JSON.stringify(await describeProcess(process.pid)));
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

/** Fails early, with the folder's name, where files could not be written. */
export async function assertWritable(folder: string, action: string): Promise<void> {
  try {
    await fs.mkdir(folder, { recursive: true });
    await fs.access(folder, constants.W_OK);
  } catch (error) {
    throw cannot(action, {
      expected: `a folder that can be written, ${folder}`,
      got: messageOf(error),
      hint: 'choose another folder or change its permissions',
      cause: error,
    });
  }
}

/** "no space left on device" and its kin, in words, for the errors a user can mend. */
export function describeFileError(error: unknown): string {
  const words: Record<string, string> = {
    ENOSPC: 'no space left on the device',
    EACCES: 'no permission',
    EPERM: 'no permission',
    EROFS: 'a read-only file system',
    ENOENT: 'no such file or folder',
    EDQUOT: 'the disk quota exceeded',
  };
  return words[codeOf(error) ?? ''] ?? messageOf(error);
}

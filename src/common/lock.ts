/** A lock between processes that survives a killed holder. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { type BnTrainError, cannot, shown } from './errors.js';
import { quoted } from './invocation.js';
import { codeOf, describeFileError, isRunning, makeFolder, readBounded, sha256Of, temporaryName } from './files.js';
import { check, text, whole } from './shape.js';

const HOLDER = v.pipe(v.string(), v.parseJson(), v.object({ pid: whole(1), host: text(), started: text() }));

/** Who holds a lock; `started` tells a process from a later one that was given the same number. */
export type LockHolder = v.InferOutput<typeof HOLDER>;

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
  const started = startedOf(await processFields(process.pid));
  // Unlike any other lock, of this process too.
  const content = JSON.stringify({ pid: process.pid, host: os.hostname(), started, id: randomUUID() });
  try {
    await fs.writeFile(mine, content, { flush: true });
    const holder = await acquire(mine, file);
    return holder ? { holder } : { release: () => release(file, content) };
  } finally {
    await fs.rm(mine, { force: true });
  }
}

/**
 * Makes `mine` the lock, or returns the live process that holds it. A dead holder's lock is never removed, as between
 * that and a new one a third process could slip in; who takes it over first takes the lock on its succession, whose name
 * follows from its content, and then renames that over it. One process at a time can do so, and only while the dead
 * holder's lock is still there: none is written twice. The lock on a succession may have a dead holder itself.
 */
async function acquire(mine: string, file: string): Promise<LockHolder | undefined> {
  for (;;) {
    if (await linked(mine, file)) return undefined;
    const seen = await readLock(file);
    if (seen === undefined) continue;
    const holder = parseHolder(file, seen);
    if (!(await isStale(holder))) return holder;
    const succession = successionOf(file, holder, seen);
    const other = await acquire(mine, succession);
    if (other) return other;
    if ((await readLock(file)) === seen) {
      await fs.rename(succession, file);
      return undefined;
    }
    await fs.rm(succession, { force: true });
  }
}

/** A name that counts as a dead process's temporary, so that what is left of it is swept up with others. */
function successionOf(file: string, { pid }: LockHolder, seen: string): string {
  const mark = sha256Of(seen).slice(0, 8);
  return path.join(path.dirname(file), `.${path.basename(file)}.${pid}-${mark}.tmp`);
}

/** A hard link appears with its content, so nobody reads a half-written lock. */
async function linked(mine: string, file: string): Promise<boolean> {
  return fs.link(mine, file).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
      return false;
    },
  );
}

/** Removes one's own lock, not that of another process which took it after somebody had removed this one by hand. */
async function release(file: string, content: string): Promise<void> {
  if ((await readLock(file)) === content) await fs.rm(file, { force: true });
}

/** What the lock says, or undefined where it was released in the meantime. */
async function readLock(file: string): Promise<string | undefined> {
  return readBounded(file, 4096).then(String, (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw noHolder(file, describeFileError(error));
    return undefined;
  });
}

function parseHolder(file: string, content: string): LockHolder {
  const result = check(HOLDER, content);
  if ('value' in result) return result.value;
  throw noHolder(file, shown(content));
}

function noHolder(file: string, got: string): BnTrainError {
  return cannot(`read the lock ${file}`, {
    expected: 'the process that holds it',
    got,
    hint: `if no other bn-train is running: rm -r ${quoted(file)}`,
  });
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
  let lock = await tryLock(file);
  if ('holder' in lock) onWait(lock.holder);
  while ('holder' in lock) {
    await sleep(200, undefined, { signal });
    lock = await tryLock(file);
  }
  return action().finally(lock.release);
}

/** Files written whole or not at all and read within a bound, what killed writers leave behind, and the user's cache folder. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream, mkdtempSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { type BnTrainError, cannot, EXIT, messageOf } from './errors.js';
import { homeDirectory } from './machine.js';

/** `$XDG_CACHE_HOME/bn-train`, or `~/.cache/bn-train`; shared by all checkouts. */
export function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return path.join(base && path.isAbsolute(base) ? base : path.join(homeDirectory(), '.cache'), 'bn-train');
}

/** A new folder for files that nobody keeps, in `$TMPDIR` or `/tmp`. */
export function temporaryFolder(): string {
  try {
    return mkdtempSync(path.join(os.tmpdir(), 'bn-train-'));
  } catch (error) {
    throw notWritable('make a temporary folder', os.tmpdir(), 'set TMPDIR to another folder', error);
  }
}

/** Fails early, with the folder's name, where files could not be written. */
export async function assertWritable(folder: string, action: string): Promise<void> {
  const made = makeFolder(folder).then(() => fs.access(folder, constants.W_OK));
  await made.catch((error: unknown) => {
    const isThere = !['ENOENT', ...FILE_THERE].includes(codeOf(error) ?? '');
    throw notWritable(action, folder, `choose another folder${isThere ? ' or change its permissions' : ''}`, error);
  });
}

/** What making a folder ends in where a file has its name, or that of one above it. */
const FILE_THERE = ['ENOTDIR', 'EEXIST'];

function notWritable(action: string, folder: string, hint: string, cause: unknown): BnTrainError {
  const expected = `a folder that can be written, ${folder}`;
  if (!FILE_THERE.includes(codeOf(cause) ?? ''))
    return cannot(action, { expected, got: describeFileError(cause), hint, cause });
  return cannot(action, { expected, got: 'a file where a folder belongs', hint, cause, exitCode: EXIT.usage });
}

/** The SHA-256 of bytes, in hexadecimal. */
export function sha256Of(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The SHA-256 of a file, in hexadecimal. */
export async function hashOf(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20, signal })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a folder, and those above it that are missing. Node's own recursive mkdir never returns where a file system makes
 * none and calls that "no such file", as /proc does.
 */
export async function makeFolder(folder: string): Promise<void> {
  const make = () =>
    fs.mkdir(folder).catch(async (error: unknown) => {
      if (!(await isFolder(folder))) throw error;
    });
  await make().catch(async (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    if (!(await isFolder(path.dirname(folder)))) await makeFolder(path.dirname(folder));
    // Once more where there is a folder above, which another process may just have made.
    await make();
  });
}

async function isFolder(file: string): Promise<boolean> {
  const stats = await fs.stat(file).catch(() => undefined);
  return stats?.isDirectory() ?? false;
}

/** The `code` of a file system error ("ENOENT"), or undefined. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A name beside `target` that no other process uses; a rename from there is atomic. */
export function temporaryName(target: string): string {
  const name = `.${path.basename(target)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  return path.join(path.dirname(target), name);
}

/** Makes `target` whole or not at all: `make` writes a temporary sibling, which is then renamed. */
async function renameWhole(target: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryName(target);
  try {
    await make(temporary);
    await fs.rename(temporary, target);
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Writes a file whole or not at all: a temporary sibling, flushed to disk, then renamed over the target. */
export async function writeFileAtomic(target: string, content: string | Uint8Array): Promise<void> {
  await renameWhole(target, async (temporary) => {
    const handle = await fs.open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
  await syncFolder(path.dirname(target));
}

/** Makes renames in a folder outlast a power cut. Some network file systems cannot, and answer EINVAL. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync().catch((error: unknown) => {
      if (codeOf(error) !== 'EINVAL') throw error;
    });
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder whole or not at all: `fill` writes into a temporary sibling, which is then renamed to `target`.
 * `target` must not exist yet. Siblings that killed processes left behind are removed first.
 */
export async function writeFolderAtomic(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await makeFolder(path.dirname(target));
  await removeStaleTemporaries(path.dirname(target), path.basename(target));
  await renameWhole(target, async (temporary) => {
    await fs.mkdir(temporary);
    await fill(temporary);
  });
}

/** The process that took a name from `temporaryName`; undefined for any other name. */
export function ownerOf(name: string): number | undefined {
  const pid = /^\..+\.(\d+)-[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** Removes what processes that no longer run left in a folder: all of it, or what was to become the file `target`. */
export async function removeStaleTemporaries(folder: string, target = ''): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    const owner = target === '' || name.startsWith(`.${target}.`) ? ownerOf(name) : undefined;
    if (owner !== undefined && !isRunning(owner))
      // A child of the dead process may still be writing there for a moment.
      await fs.rm(path.join(folder, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Whether there is a process of this number, anybody's. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** "no space left on the device" and its kin, for the errors that a user can mend. */
export function describeFileError(error: unknown): string {
  const words: Record<string, string> = {
    ...{ ENOSPC: 'no space left on the device', EDQUOT: 'the disk quota exceeded' },
    ...{ EACCES: 'no permission', EPERM: 'no permission', EROFS: 'a read-only file system' },
    ...{ ENOENT: 'no such file or folder', ENOTDIR: 'a file where a folder belongs' },
    ...{ ENAMETOOLONG: 'a name that is too long', ELOOP: 'links that lead to each other' },
  };
  return words[codeOf(error) ?? ''] ?? messageOf(error);
}

/** The most bytes that a file of settings or of a run's description may have. */
export const JSON_LIMIT = 2 ** 20;

/**
 * The content of a regular file of at most `limit` bytes. Throws the file system's error, or an Error that says what is
 * there instead; folders, pipes and devices are never read, as some of them have no end. The content stands `lead` bytes
 * into its memory.
 */
export async function readBounded(file: string, limit: number, lead = 0): Promise<Buffer> {
  // Opening a pipe that nobody writes to would wait for ever.
  const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(stats.isDirectory() ? 'a folder' : 'a pipe or a device');
    if (stats.size > limit) throw new Error(`${stats.size} bytes where at most ${limit} belong`);
    const content = Buffer.alloc(lead + stats.size).subarray(lead);
    let length = 0;
    for (let read = -1; read !== 0 && length < content.length; length += read)
      // Node 20.3 and older read nothing where it is not said how much.
      read = (await handle.read(content, length, content.length - length)).bytesRead;
    return content.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** Fetches the data set into the cache from the first source that has it. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../common/errors.js';
import { codeOf, describeFileError, exists, writeFileAtomic } from '../common/files.js';
import type { Listener } from '../common/listener.js';
import { fetchDebian } from './debian.js';
import { discard, download, type DownloadOptions } from './download.js';
import type { DataFile, Manifest, Source } from './manifest.js';
import { packedLimit, readAtMost, readVerified, unpack } from './verifiedFile.js';

export type Patience = Pick<DownloadOptions, 'tries' | 'backoff' | 'stall'>;

/** Puts every file that `folder` lacks into it, verified first. Throws one BnTrainError that lists what each source said. */
export async function fetchInto(
  folder: string,
  manifest: Manifest,
  listener: Listener,
  patience: Patience,
): Promise<void> {
  const failures: string[] = [];
  for (const source of manifest.sources) {
    try {
      listener.notice(`Fashion-MNIST: fetching from ${nameOf(source)}`);
      await mkdir(folder, { recursive: true });
      if (source.kind === 'http') await fetchHttp(source.url, folder, manifest.files, listener, patience);
      else await fetchPackage(source, folder, manifest.files);
      return;
    } catch (error) {
      const why = reasonOf(error, folder);
      failures.push(`${nameOf(source)}: ${why}`);
      listener.notice(`Fashion-MNIST: not from there (${why})`);
    }
  }
  throw cannot('get Fashion-MNIST', {
    expected: 'one source to work',
    got: failures.join('; ') || 'no source',
    hint: 'fetch the four files yourself and name their folder: --data-dir DIR (on Debian and Ubuntu: apt-get install dataset-fashion-mnist)',
  });
}

/** What a source failed by; a failure of this machine, which no other source mends, is thrown on. */
function reasonOf(error: unknown, folder: string): string {
  const cause = error instanceof BnTrainError ? error.cause : error;
  if (!DISK.has(codeOf(cause) ?? '')) {
    if (error instanceof BnTrainError) return error.message;
    throw error;
  }
  throw cacheFailure(folder, cause);
}

/** The cache could not be written. */
export function cacheFailure(folder: string, cause: unknown): BnTrainError {
  return cannot(`keep Fashion-MNIST in ${folder}`, {
    expected: 'room and permission',
    got: describeFileError(cause),
    hint: 'free some space, or choose another cache with XDG_CACHE_HOME',
    cause,
  });
}

const DISK = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS']);

function nameOf(source: Source): string {
  return source.kind === 'http' ? source.url : `the Debian package ${source.package}`;
}

async function fetchHttp(
  base: string,
  folder: string,
  files: DataFile[],
  listener: Listener,
  patience: Patience,
): Promise<void> {
  for (const file of files) {
    if (await isWhole(folder, file)) continue;
    const url = `${base}${file.name}.gz`;
    // Named after the source as well: half of one mirror's file does not continue another's.
    const part = path.join(
      folder,
      `${file.name}.${createHash('sha256').update(base).digest('hex').slice(0, 12)}.gz.part`,
    );
    const onProgress = (done: number, total: number) => listener.progress({ label: `${file.name}.gz`, done, total });
    const fetchOnce = async () => {
      const limit = packedLimit(file);
      await download(url, part, { ...patience, onProgress, limit });
      return unpack(await readAtMost(part, limit), file, url).finally(() => discard(part));
    };
    // What an earlier run left may not be the beginning of today's file; without it the source gets its own chance.
    const resumed = await exists(part);
    const bytes = await fetchOnce().catch(async (error: unknown) => {
      if (!resumed || (await exists(part))) throw error;
      return fetchOnce();
    });
    await writeFileAtomic(path.join(folder, file.name), bytes);
  }
}

async function fetchPackage(
  source: Extract<Source, { kind: 'debian' }>,
  folder: string,
  files: DataFile[],
): Promise<void> {
  // The lock is held, so whatever is there was left by a process that was killed.
  const leftovers = (await readdir(folder)).filter((name) => name.startsWith('debian-'));
  for (const name of leftovers) await rm(path.join(folder, name), { recursive: true, force: true });
  const work = await mkdtemp(path.join(folder, 'debian-'));
  try {
    const unpacked = await fetchDebian(source, work);
    for (const file of files) {
      const bytes = await readVerified(unpacked, file);
      if (!bytes) throw cannot(`use ${nameOf(source)}`, { expected: `${file.name}.gz in it`, got: 'none' });
      await writeFileAtomic(path.join(folder, file.name), bytes);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function isWhole(folder: string, file: DataFile): Promise<boolean> {
  return readVerified(folder, file).then(
    (bytes) => bytes !== undefined,
    () => false,
  );
}

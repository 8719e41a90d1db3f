/** Fetches the data set into the cache from the first source that has it. */
import { rm } from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../common/errors.js';
import { makeFolder, removeStaleTemporaries, temporaryName, writeFileAtomic } from '../common/files.js';
import type { Watch } from '../common/listener.js';
import { option } from '../common/invocation.js';
import { fetchDebian } from './debian.js';
import { download, type Patience } from './download.js';
import type { DataFile, Manifest, Source } from './manifest.js';
import { packedLimit, readVerified, unpack } from './verifiedFile.js';

export interface FetchOptions extends Watch {
  patience?: Patience | undefined;
}

/** Gives a file's unpacked and verified bytes. */
type Take = (file: DataFile) => Promise<Uint8Array>;

/**
 * Puts every file that `folder` lacks into it, verified first; the caller holds the folder's lock. Throws one BnTrainError
 * that lists what each source said, or at once the file system's error where the folder cannot be written.
 */
export async function fetchInto(folder: string, { files, sources }: Manifest, options: FetchOptions): Promise<void> {
  const { listener, signal } = options;
  await makeFolder(folder);
  await removeStaleTemporaries(folder);
  const work = temporaryName(path.join(folder, 'debian'));
  const failures: string[] = [];
  for (const source of sources) {
    const name = nameOf(source);
    listener.notice(`Fashion-MNIST: fetching from ${name}`);
    try {
      const take = source.kind === 'http' ? fromServer(source.url, options) : await fromDebian(source, work, signal);
      for (const file of files) {
        const whole = await readVerified(folder, file).catch(() => undefined);
        if (!whole) await writeFileAtomic(path.join(folder, file.name), await take(file));
      }
      return;
    } catch (error) {
      if (!(error instanceof BnTrainError)) throw error;
      failures.push(`${name}: ${error.message}`);
      listener.notice(`Fashion-MNIST: not from there (${error.message})`);
    } finally {
      // What was told to stop may still be writing there for a moment.
      await rm(work, { recursive: true, force: true, maxRetries: 10 });
    }
  }
  throw cannot('get Fashion-MNIST', {
    expected: 'one source to work',
    got: failures.join('; ') || 'no source',
    hint: `fetch the four files yourself and name their folder: ${option('dataDir')} DIR (on Debian and Ubuntu: apt-get install dataset-fashion-mnist)`,
  });
}

function nameOf(source: Source): string {
  return source.kind === 'http' ? source.url : `the Debian package ${source.package}`;
}

function fromServer(base: string, { listener, patience, signal }: FetchOptions): Take {
  return async (file) => {
    const url = `${base}${file.name}.gz`;
    const onProgress = (done: number, total: number) => listener.progress({ label: `${file.name}.gz`, done, total });
    const packed = await download(url, { ...patience, onProgress, limit: packedLimit(file), signal });
    return unpack(packed, file, url);
  };
}

async function fromDebian(
  source: Extract<Source, { kind: 'debian' }>,
  work: string,
  signal: AbortSignal | undefined,
): Promise<Take> {
  const unpacked = await fetchDebian(source, work, signal);
  return async (file) => {
    const bytes = await readVerified(unpacked, file);
    if (bytes) return bytes;
    throw cannot(`use ${nameOf(source)}`, { expected: `${file.name}.gz in it`, got: 'none' });
  };
}

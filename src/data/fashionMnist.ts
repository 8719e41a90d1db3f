/** Fashion-MNIST in memory, from wherever it is found first: a named folder, the machine, the cache, or a download. */
import * as path from 'node:path';
import { cannot, EXIT, messageOf } from '../common/errors.js';
import { cacheDirectory, codeOf, describeFileError, exists, sha256Of } from '../common/files.js';
import { option } from '../common/invocation.js';
import { silent } from '../common/listener.js';
import { homeDirectory } from '../common/machine.js';
import { withLock } from '../common/lock.js';
import type { FetchOptions } from './fetch.js';
import { type Datasets, type IdxFile, parseDatasets } from './idx.js';
import { type DataFile, type Manifest, readManifest, type Role } from './manifest.js';
import { readVerified } from './verifiedFile.js';

export interface FashionMnist extends Datasets {
  /** "Fashion-MNIST", or for other data what its folder is called. */
  name: string;
  /** Of the four files' SHA-256, as the manifest orders them; the same for the same data, wherever it lies. */
  sha256: string;
  /** The folder it was read from. */
  folder: string;
}

export interface LoadOptions extends Partial<FetchOptions> {
  /** A folder with the four files, unpacked or as .gz; nothing else is then looked at. */
  dataDir?: string | undefined;
  /** Take whatever images and labels `dataDir` has in files of those names. Default false. */
  anyData?: boolean | undefined;
}

/**
 * Loads Fashion-MNIST, downloading it into the user's cache if the machine does not have it. Every file's SHA-256 is
 * checked each time. Throws a BnTrainError naming file and remedy when `dataDir` is not right, or no source works, and
 * the signal's reason when it is told to stop.
 */
export async function loadFashionMnist(options: LoadOptions = {}): Promise<FashionMnist> {
  const { dataDir, anyData = false, listener = silent, patience, signal } = options;
  const manifest = await readManifest();
  if (dataDir !== undefined) return anyData ? load(dataDir, manifest, true) : loadNamed(dataDir, manifest);
  if (anyData)
    throw cannot('take any data', {
      expected: 'the folder that has it',
      got: 'none',
      hint: `${option('dataDir')} DIR`,
      exitCode: EXIT.usage,
    });
  for (const folder of knownFolders(manifest)) {
    const found = await loadWhole(folder, manifest, listener.notice);
    if (found) return found;
  }
  return fetchCached(manifest, { listener, patience, signal });
}

/** "60000 + 10000 images of 28×28 in 10 classes" */
export function describeData({ train, test, classes }: Datasets): string {
  return `${train.count} + ${test.count} images of ${train.height}×${train.width} in ${classes} classes`;
}

/** The folder on this machine that has all four files, whole or not, or undefined; nothing is read or downloaded. */
export async function findFashionMnist(): Promise<string | undefined> {
  const manifest = await readManifest();
  for (const folder of knownFolders(manifest)) if (await hasAll(folder, manifest)) return folder;
  return undefined;
}

const cacheFolder = () => path.join(cacheDirectory(), 'fashion-mnist');

function knownFolders({ folders }: Manifest): string[] {
  return [...folders.map((folder) => path.resolve(folder.replace(/^~(?=\/)/, homeDirectory))), cacheFolder()];
}

async function hasAll(folder: string, { files }: Manifest): Promise<boolean> {
  const there = files.map(async ({ name }) => {
    const plain = path.join(folder, name);
    return (await exists(plain)) || (await exists(`${plain}.gz`));
  });
  return (await Promise.all(there)).every(Boolean);
}

async function fetchCached(manifest: Manifest, options: FetchOptions): Promise<FashionMnist> {
  const [cache, { listener, signal }] = [cacheFolder(), options];
  const action = async () => {
    // Another process may have fetched it while this one waited.
    const already = await loadWhole(cache, manifest, () => undefined);
    if (already) return already;
    await (await import('./fetch.js')).fetchInto(cache, manifest, options);
    return load(cache, manifest);
  };
  const waiting = ({ pid }: { pid: number }) =>
    listener.notice(`Fashion-MNIST: waiting for process ${pid}, which is fetching it`);
  return withLock(`${cache}.lock`, action, waiting, signal).catch((cause: unknown) => {
    signal?.throwIfAborted();
    if (codeOf(cause) === undefined) throw cause;
    const [got, hint] = [describeFileError(cause), 'free some space, or choose another cache with XDG_CACHE_HOME'];
    throw cannot(`keep Fashion-MNIST in ${cache}`, { expected: 'room and permission', got, hint, cause });
  });
}

/** From a folder that may have it: undefined where files are missing or damaged; damage is noticed aloud. */
async function loadWhole(
  folder: string,
  manifest: Manifest,
  notice: (line: string) => void,
): Promise<FashionMnist | undefined> {
  if (!(await hasAll(folder, manifest))) return undefined;
  return load(folder, manifest).catch((error: unknown) => {
    notice(`Fashion-MNIST: leaving out ${folder} (${messageOf(error)})`);
    return undefined;
  });
}

/** From a folder that a person named, whose files are theirs; where they are another data set, the error says so. */
async function loadNamed(folder: string, manifest: Manifest): Promise<FashionMnist> {
  return load(folder, manifest).catch(async (cause: unknown) => {
    const other = await load(folder, manifest, true).catch(() => undefined);
    if (!other) throw cause;
    throw cannot(`read Fashion-MNIST from ${folder}`, {
      expected: 'its four files',
      got: `another data set, ${describeData(other)}`,
      hint: `to use it as it is: ${option('anyData')}; for Fashion-MNIST name another folder, or leave ${option('dataDir')} out`,
      cause,
    });
  });
}

/** All files of a folder that must have them, verified or whatever they are. */
async function load(folder: string, manifest: Manifest, any = false): Promise<FashionMnist> {
  const { files } = manifest;
  const contents: Partial<Record<Role, IdxFile & { sha256: string }>> = {};
  // One after the other, so that of several faults it is always the same that is told.
  for (const { role, name, ...known } of files) {
    const bytes = await readVerified(folder, any ? { name } : { name, ...known });
    const sha256 = bytes && any ? sha256Of(bytes) : known.sha256;
    if (bytes) contents[role] = { bytes, sha256, origin: path.join(folder, name) };
  }
  const missing = files.filter(({ role }) => !contents[role]);
  if (missing.length > 0)
    throw cannot(`read ${any ? 'a data set' : 'Fashion-MNIST'} from ${folder}`, {
      expected: `${namesOf(files)} (or .gz)`,
      got: (await exists(folder)) ? `no ${namesOf(missing)}` : 'no such folder',
      hint: `name a folder that has them${any ? '' : `, or leave ${option('dataDir')} out`}`,
      exitCode: EXIT.usage,
    });
  const hashes = files.map(({ role }) => contents[role]?.sha256);
  const own = files.every(({ sha256 }, i) => sha256 === hashes[i]);
  return {
    ...parseDatasets(contents as Record<Role, IdxFile>),
    name: own ? 'Fashion-MNIST' : nameOf(folder),
    sha256: sha256Of(hashes.join('\n')),
    folder,
  };
}

const namesOf = (files: DataFile[]) => files.map(({ name }) => name).join(', ');

/** Data sets stand in folders of their name, or as torchvision has them: KMNIST/raw. */
function nameOf(folder: string): string {
  const [parent, name] = path.resolve(folder).split(path.sep).slice(-2);
  return (name === 'raw' ? parent : name) || folder;
}

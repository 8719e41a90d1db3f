/** Fashion-MNIST in memory, from wherever it is found first: a named folder, the machine, the cache, or a download. */
import * as path from 'node:path';
import { cannot, EXIT, messageOf } from '../common/errors.js';
import { cacheDirectory, codeOf, describeFileError, exists } from '../common/files.js';
import { homeDirectory } from '../common/machine.js';
import { withLock } from '../common/lock.js';
import { type Listener, silent } from '../common/listener.js';
import type { Patience } from './download.js';
import { parseImages, parseLabels } from './idx.js';
import { type Manifest, readManifest, type Role } from './manifest.js';
import { readVerified } from './verifiedFile.js';

/** Images [count, height, width] as bytes 0 to 255, and a label 0 to 9 for each. */
export interface Dataset {
  count: number;
  height: number;
  width: number;
  images: Uint8Array;
  labels: Uint8Array;
}

export interface FashionMnist {
  /** 60,000 examples. */
  train: Dataset;
  /** 10,000 examples. */
  test: Dataset;
  /** The folder it was read from. */
  folder: string;
}

export interface LoadOptions {
  /** A folder with the four files, unpacked or as .gz; nothing else is then looked at. */
  dataDir?: string | undefined;
  listener?: Listener;
  patience?: Patience;
}

type Files = Record<Role, Uint8Array>;

/** Pixels of an image's height and width. */
const SIDE = 28;

/**
 * Loads Fashion-MNIST, downloading it into the user's cache if the machine does not have it. Every file's SHA-256 is
 * checked each time. Throws a BnTrainError naming file and remedy when `dataDir` is not right, or no source works.
 */
export async function loadFashionMnist({
  dataDir,
  listener = silent,
  patience = {},
}: LoadOptions = {}): Promise<FashionMnist> {
  const manifest = await readManifest();
  if (dataDir !== undefined) return parse(await readNamed(dataDir, manifest), dataDir);
  for (const folder of knownFolders(manifest)) {
    const files = await readWhole(folder, manifest, listener);
    if (files) return parse(files, folder);
  }
  const cache = cacheFolder();
  return parse(await fetchCached(cache, manifest, listener, patience), cache);
}

async function fetchCached(cache: string, manifest: Manifest, listener: Listener, patience: Patience): Promise<Files> {
  const action = async () => {
    // Another process may have fetched it while this one waited.
    if (!(await readWhole(cache, manifest, silent)))
      await (await import('./fetch.js')).fetchInto(cache, manifest, listener, patience);
    return readNamed(cache, manifest);
  };
  const waiting = ({ pid }: { pid: number }) =>
    listener.notice(`Fashion-MNIST: waiting for process ${pid}, which is fetching it`);
  return withLock(`${cache}.lock`, action, waiting).catch((cause: unknown) => {
    if (codeOf(cause) === undefined) throw cause;
    const [got, hint] = [describeFileError(cause), 'free some space, or choose another cache with XDG_CACHE_HOME'];
    throw cannot(`keep Fashion-MNIST in ${cache}`, { expected: 'room and permission', got, hint, cause });
  });
}

/** The folder on this machine that has all four files, whole or not, or undefined; nothing is read or downloaded. */
export async function findFashionMnist(): Promise<string | undefined> {
  const manifest = await readManifest();
  for (const folder of knownFolders(manifest)) if ((await missingFrom(folder, manifest)).length === 0) return folder;
  return undefined;
}

const cacheFolder = () => path.join(cacheDirectory(), 'fashion-mnist');

function knownFolders({ folders }: Manifest): string[] {
  return [...folders.map((folder) => path.resolve(folder.replace(/^~(?=\/)/, homeDirectory))), cacheFolder()];
}

async function missingFrom(folder: string, { files }: Manifest): Promise<string[]> {
  const missing = files.map(async ({ name }) => {
    const plain = path.join(folder, name);
    return (await exists(plain)) || (await exists(`${plain}.gz`)) ? [] : [name];
  });
  return (await Promise.all(missing)).flat();
}

/** All files of a folder that must have them. */
async function readNamed(folder: string, manifest: Manifest): Promise<Files> {
  const missing = await missingFrom(folder, manifest);
  if (missing.length > 0)
    throw cannot(`read Fashion-MNIST from ${folder}`, {
      expected: `${manifest.files.map(({ name }) => name).join(', ')} (or .gz)`,
      got: `no ${missing.join(', ')}`,
      hint: 'name a folder that has them, or leave --data-dir out',
      exitCode: EXIT.usage,
    });
  const entries = manifest.files.map(async (file) => [file.role, await readVerified(folder, file)] as const);
  return Object.fromEntries(await Promise.all(entries)) as Files;
}

/** All files of a folder, or undefined where some are missing or damaged; damage is noticed aloud. */
async function readWhole(folder: string, manifest: Manifest, listener: Listener): Promise<Files | undefined> {
  if ((await missingFrom(folder, manifest)).length > 0) return undefined;
  return readNamed(folder, manifest).catch((error: unknown) => {
    listener.notice(`Fashion-MNIST: leaving out ${folder} (${messageOf(error)})`);
    return undefined;
  });
}

function parse(files: Files, folder: string): FashionMnist {
  return {
    train: combine(files.trainImages, files.trainLabels, folder),
    test: combine(files.testImages, files.testLabels, folder),
    folder,
  };
}

function combine(imageBytes: Uint8Array, labelBytes: Uint8Array, folder: string): Dataset {
  const { pixels, ...images } = parseImages(imageBytes, `the images in ${folder}`);
  const { count, height, width } = images;
  const refuse = (expected: string, got: string) => cannot(`read Fashion-MNIST from ${folder}`, { expected, got });
  if (count < 1 || height !== SIDE || width !== SIDE)
    throw refuse(`images of ${SIDE}×${SIDE}`, `${count} of ${height}×${width}`);
  const labels = parseLabels(labelBytes, `the labels in ${folder}`);
  if (labels.length !== count) throw refuse(`${count} labels, one an image`, `${labels.length}`);
  return { ...images, images: pixels, labels };
}

/** Fashion-MNIST in memory, from wherever it is found first: a named folder, the machine, the cache, or a download. */
import * as os from 'node:os';
import * as path from 'node:path';
import { BnTrainError, cannot, EXIT, messageOf } from '../common/errors.js';
import { cacheDirectory, codeOf, exists } from '../common/files.js';
import { withLock } from '../common/lock.js';
import { type Listener, silent } from '../common/listener.js';
import { cacheFailure, fetchInto, type Patience } from './fetch.js';
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

const cacheFolder = () => path.join(cacheDirectory(), 'fashion-mnist');

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
  for (const folder of machineFolders(manifest)) {
    const files = await readWhole(folder, manifest, listener);
    if (files) return parse(files, folder);
  }
  const cache = cacheFolder();
  const cached =
    (await readWhole(cache, manifest, listener)) ?? (await fetchCached(cache, manifest, listener, patience));
  return parse(cached, cache);
}

async function fetchCached(cache: string, manifest: Manifest, listener: Listener, patience: Patience): Promise<Files> {
  const waiting = ({ pid }: { pid: number }) =>
    listener.notice(`Fashion-MNIST: waiting for process ${pid}, which is fetching it`);
  return withLock(
    `${cache}.lock`,
    async () => {
      // Another process may have fetched it while this one waited.
      const already = await readWhole(cache, manifest, { ...listener, notice: () => undefined });
      if (already) return already;
      await fetchInto(cache, manifest, listener, patience);
      return readNamed(cache, manifest);
    },
    waiting,
  ).catch((error: unknown) => {
    throw codeOf(error) === undefined || error instanceof BnTrainError ? error : cacheFailure(cache, error);
  });
}

/** The folder on this machine that has all four files, whole or not, or undefined; nothing is read or downloaded. */
export async function findFashionMnist(dataDir?: string): Promise<string | undefined> {
  const manifest = await readManifest();
  for (const folder of dataDir !== undefined ? [dataDir] : [...machineFolders(manifest), cacheFolder()])
    if ((await missingFrom(folder, manifest)).length === 0) return folder;
  return undefined;
}

function machineFolders(manifest: Manifest): string[] {
  return manifest.folders.map((folder) => path.resolve(folder.replace(/^~(?=\/)/, os.homedir())));
}

async function missingFrom(folder: string, { files }: Manifest): Promise<string[]> {
  const missing: string[] = [];
  for (const { name } of files) {
    const plain = path.join(folder, name);
    if (!(await exists(plain)) && !(await exists(`${plain}.gz`))) missing.push(name);
  }
  return missing;
}

/** All files of a folder that must have them. */
async function readNamed(folder: string, manifest: Manifest): Promise<Files> {
  const missing = await missingFrom(folder, manifest);
  if (missing.length > 0)
    throw cannot(`read Fashion-MNIST from ${folder}`, {
      expected: manifest.files.map(({ name }) => name).join(', ') + ' (or .gz)',
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
  if (images.count < 1 || images.height !== SIDE || images.width !== SIDE)
    throw cannot(`read Fashion-MNIST from ${folder}`, {
      expected: `images of ${SIDE}×${SIDE}`,
      got: `${images.count} of ${images.height}×${images.width}`,
    });
  const labels = parseLabels(labelBytes, `the labels in ${folder}`);
  if (labels.length !== images.count)
    throw cannot(`read Fashion-MNIST from ${folder}`, {
      expected: `${images.count} labels, one an image`,
      got: `${labels.length}`,
    });
  return { ...images, images: pixels, labels };
}

/** Finished runtimes: which folder of the cache belongs to each, and the marker, written last, that makes it one. */
import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import * as v from 'valibot';
import { BnTrainError } from '../../common/errors.js';
import { cacheDirectory, JSON_LIMIT, readBounded, writeFileAtomic } from '../../common/files.js';
import { oneOf, parseShaped, text, whole } from '../../common/shape.js';
import { addonVersion } from '../loadAddon.js';
import { type Cuda, nvidiaSizes } from './cuda.js';
import { type Build, LIBRARIES } from './pins.js';

const SOURCES = ['override', 'wheel', 'python'] as const;

/** A finished runtime. */
export interface Runtime {
  source: (typeof SOURCES)[number];
  /** TensorFlow's version. */
  tensorflow: string;
  /** The folder with the libraries. */
  libraries: string;
  addon: string;
  compiler: string;
  /** The stock package the addon was built from. */
  tfjs: string;
  /** Where TensorFlow was built for CUDA. */
  cuda?: Cuda | undefined;
}

const MARKER = 'runtime.json';

const MARKER_SHAPE = v.object({
  source: oneOf(SOURCES.join(', '), SOURCES),
  tensorflow: text(),
  libraries: text(),
  compiler: text(),
  tfjs: text(),
  sizes: v.array(whole(0)),
  cuda: v.optional(
    v.object({ toolkit: text(), cudnn: text(), missing: v.array(text()), sizes: v.record(v.string(), whole(0)) }),
  ),
});

/** The cache folder for a pinned build. */
export function ownFolder(build: Build): string {
  return runtimeFolder(`${build.wheels[0]?.name ?? ''}-${build.version}-${build.platform}-${addonVersion()}`);
}

/** The cache folder for libraries that stay where they are; another one as soon as they change. */
export async function linkedFolder(libraries: string): Promise<string> {
  const real = await realpath(libraries);
  const stats = await Promise.all(LIBRARIES.map((name) => stat(path.join(real, name))));
  const nvidia = Object.entries(await nvidiaSizes(real));
  const own = stats.map(({ size, mtimeMs }) => [size, mtimeMs]);
  const key = JSON.stringify([real, addonVersion(), ...own, ...nvidia]);
  return runtimeFolder(`linked-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
}

function runtimeFolder(name: string): string {
  return path.join(cacheDirectory(), 'runtime', name);
}

export function addonIn(folder: string): string {
  return path.join(folder, 'tfjs_binding.node');
}

/** Writes the marker. `libraries` may begin with $ORIGIN, which stands for the folder, whose name may yet change. */
export async function markFinished(folder: string, facts: Omit<Runtime, 'addon'>): Promise<void> {
  const marker = { ...facts, sizes: await sizesOf(folder, facts.libraries) };
  await writeFileAtomic(path.join(folder, MARKER), JSON.stringify(marker, null, 2));
}

/** What the marker of a folder says, if it is whole and the files it speaks of are there in the sizes it names. */
export async function readFinished(folder: string): Promise<Runtime | undefined> {
  const file = path.join(folder, MARKER);
  const marker = parseMarker(String(await readBounded(file, JSON_LIMIT).catch(() => '')), file);
  if (!marker) return undefined;
  const { sizes, ...facts } = marker;
  const now = await sizesOf(folder, facts.libraries).catch(() => undefined);
  if (String(now) !== String(sizes)) return undefined;
  const libraries = resolveIn(folder, facts.libraries);
  if (facts.cuda && !(await haveSizes(libraries, facts.cuda.sizes))) return undefined;
  return { ...facts, libraries, addon: addonIn(folder) };
}

/** Undefined where it is damaged, as by a power cut: then the runtime is made anew. */
function parseMarker(content: string, file: string): v.InferOutput<typeof MARKER_SHAPE> | undefined {
  try {
    return parseShaped(MARKER_SHAPE, content, file);
  } catch (error) {
    if (error instanceof BnTrainError) return undefined;
    throw error;
  }
}

/** Whether NVIDIA's files are still there, as large as they were. */
async function haveSizes(libraries: string, sizes: Cuda['sizes']): Promise<boolean> {
  const now = await nvidiaSizes(libraries);
  return Object.entries(sizes).every(([name, size]) => now[name] === size);
}

function sizesOf(folder: string, libraries: string): Promise<number[]> {
  const files = LIBRARIES.map((name) => path.join(resolveIn(folder, libraries), name));
  return Promise.all([addonIn(folder), ...files].map(async (file) => (await stat(file)).size));
}

function resolveIn(folder: string, libraries: string): string {
  return libraries.replace('$ORIGIN', () => folder);
}

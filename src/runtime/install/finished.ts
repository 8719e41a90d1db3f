/** What makes a runtime's folder a finished one: the marker, written last, and the files in the sizes it names. */
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { JSON_LIMIT, readBounded, writeFileAtomic } from '../../common/files.js';
import { LIBRARIES } from './builds.js';
import { type Cuda, nvidiaSizes } from './cuda.js';

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

type Marker = Omit<Runtime, 'addon'> & { sizes: number[] };

const MARKER = 'runtime.json';

export function addonIn(folder: string): string {
  return path.join(folder, 'tfjs_binding.node');
}

/** Writes the marker. `libraries` may begin with $ORIGIN, which stands for the folder, whose name may yet change. */
export async function markFinished(folder: string, facts: Omit<Runtime, 'addon'>): Promise<void> {
  const marker: Marker = { ...facts, sizes: await sizesOf(folder, facts.libraries) };
  await writeFileAtomic(path.join(folder, MARKER), JSON.stringify(marker, null, 2));
}

/** What the marker of a folder says, if it is whole and the files it speaks of are there in the sizes it names. */
export async function readFinished(folder: string): Promise<Runtime | undefined> {
  const marker = parseMarker(String(await readBounded(path.join(folder, MARKER), JSON_LIMIT).catch(() => '')));
  if (!marker) return undefined;
  const { sizes, ...facts } = marker;
  const now = await sizesOf(folder, facts.libraries).catch(() => undefined);
  if (String(now) !== String(sizes)) return undefined;
  const libraries = resolveIn(folder, facts.libraries);
  if (facts.cuda && !(await haveSizes(libraries, facts.cuda.sizes))) return undefined;
  return { ...facts, libraries, addon: addonIn(folder) };
}

/** Whether NVIDIA's files are still there, as large as they were. */
async function haveSizes(libraries: string, sizes: Cuda['sizes']): Promise<boolean> {
  const now = await nvidiaSizes(libraries);
  return Object.entries(sizes).every(([name, size]) => now[name] === size);
}

function parseMarker(text: string): Marker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    const texts = ['libraries', 'tensorflow', 'compiler', 'tfjs'] as const;
    const whole =
      SOURCES.some((source) => source === marker?.source) && texts.every((name) => typeof marker?.[name] === 'string');
    return whole && Array.isArray(marker?.sizes) && marker.sizes.every(Number.isSafeInteger) && isCuda(marker.cuda)
      ? (marker as Marker)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isCuda(cuda: Partial<Cuda> | null | undefined): boolean {
  if (cuda === undefined) return true;
  return (
    typeof cuda?.toolkit === 'string' &&
    typeof cuda.cudnn === 'string' &&
    Array.isArray(cuda.missing) &&
    cuda.missing.every((name) => typeof name === 'string') &&
    typeof cuda.sizes === 'object' &&
    (cuda.sizes as object | null) !== null
  );
}

function sizesOf(folder: string, libraries: string): Promise<number[]> {
  const files = LIBRARIES.map((name) => path.join(resolveIn(folder, libraries), name));
  return Promise.all([addonIn(folder), ...files].map(async (file) => (await stat(file)).size));
}

function resolveIn(folder: string, libraries: string): string {
  return libraries.replace('$ORIGIN', () => folder);
}

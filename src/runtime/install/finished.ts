/** What makes a runtime's folder a finished one: the marker, written last, and the files it names, as they were proved to work. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { BnTrainError, cannot } from '../../common/errors.js';
import { codeOf, hashOf, JSON_LIMIT, readBounded, writeFileAtomic } from '../../common/files.js';
import { tryLock } from '../../common/lock.js';
import { numberThat, oneOf, parseShaped, text, whole } from '../../common/shape.js';
import { type Cuda, nvidiaSizes } from './cuda.js';
import { LIBRARIES } from './pins.js';

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
  /** All that is loaded. */
  files: string[];
}

const MARKER = 'runtime.json';

const time = numberThat('a time in ms', () => true);

const FACTS = {
  source: oneOf(SOURCES.join(', '), SOURCES),
  tensorflow: text(),
  libraries: text(),
  compiler: text(),
  tfjs: text(),
  cuda: v.optional(v.object({ toolkit: text(), cudnn: text(), missing: v.array(text()) })),
};
/** A file as it was proved to work. Whoever writes it anew cannot keep the time of its last change. */
const FILE = v.object({ size: whole(0), modified: time, changed: time, sha256: text() });
/** All that is loaded, by path; $ORIGIN stands for the runtime's folder. */
const FILES = v.record(v.string(), FILE);

const MARKER_SHAPE = v.object({ ...FACTS, files: v.optional(FILES), sizes: v.optional(v.array(whole(0))) });

type Files = v.InferOutput<typeof FILES>;
type Marker = v.InferOutput<typeof MARKER_SHAPE>;
type Facts = Omit<Marker, 'files' | 'sizes'>;

export function addonIn(folder: string): string {
  return path.join(folder, 'tfjs_binding.node');
}

const resolveIn = (folder: string, name: string) => name.replace('$ORIGIN', () => folder);

/** Writes the marker. `libraries` may begin with $ORIGIN, which stands for the folder, whose name may yet change. */
export async function markFinished(folder: string, facts: Facts, signal?: AbortSignal): Promise<void> {
  await writeMarker(folder, { ...facts, files: await filesOf(folder, facts, signal) });
}

function writeMarker(folder: string, marker: Facts & { files: Files }): Promise<void> {
  return writeFileAtomic(path.join(folder, MARKER), JSON.stringify(marker, null, 2));
}

/** The addon, TensorFlow's libraries and NVIDIA's, as they are now. */
async function filesOf(folder: string, { libraries, cuda }: Facts, signal?: AbortSignal): Promise<Files> {
  const nvidia = cuda ? Object.keys(await nvidiaSizes(resolveIn(folder, libraries))) : [];
  const beside = [...LIBRARIES, ...nvidia.map((name) => `../nvidia/${name}`)].map((name) => path.join(libraries, name));
  const files: Files = {};
  for (const name of [addonIn('$ORIGIN'), ...beside]) {
    const file = resolveIn(folder, name);
    files[name] = { ...factsOf(await stat(file)), sha256: await hashOf(file, signal) };
  }
  return files;
}

const factsOf = ({ size, mtimeMs, ctimeMs }: Stats) => ({ size, modified: mtimeMs, changed: ctimeMs });

export interface Scrutiny {
  /** Hashes every file, not only those that somebody has touched. */
  content?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * What the marker of a folder says, if it is whole and the files it speaks of are there in their sizes. Throws a
 * BnTrainError for files that others could have changed, and for those whose content is not what was proved to work.
 */
export async function readFinished(folder: string, { content, signal }: Scrutiny = {}): Promise<Runtime | undefined> {
  const file = path.join(folder, MARKER);
  const marker = parseMarker(String(await readBounded(file, JSON_LIMIT).catch(() => '')), file);
  if (!marker) return undefined;
  const { sizes, ...facts } = marker;
  const known = marker.files ?? (await filesOfBefore(folder, facts, sizes, signal));
  const now = known && (await filesNow(folder, known));
  const needed = [addonIn('$ORIGIN'), ...LIBRARIES.map((name) => path.join(facts.libraries, name))];
  if (!now || needed.some((name) => !(name in now))) return undefined;
  const files = Object.keys(now).map((name) => resolveIn(folder, name));
  // Up to the cache's own folder.
  const cache = path.dirname(path.dirname(folder));
  await assertTrusted([cache, ...[file, folder, ...files].flatMap((place) => [path.dirname(place), place])]);
  const touched = Object.keys(now).filter((name) => !isDeepStrictEqual(now[name], known[name]));
  for (const name of content ? Object.keys(now) : touched)
    await assertContent(folder, resolveIn(folder, name), known[name]?.sha256, signal);
  if (touched.length > 0 || !marker.files) await renew(folder, { ...facts, files: now });
  return { ...facts, libraries: resolveIn(folder, facts.libraries), addon: addonIn(folder), files };
}

/** Undefined where it is damaged, as by a power cut: then the runtime is made anew. */
function parseMarker(content: string, file: string): Marker | undefined {
  try {
    return parseShaped(MARKER_SHAPE, content, file);
  } catch (error) {
    if (error instanceof BnTrainError) return undefined;
    throw error;
  }
}

/** The files of a marker from before hashes were kept, which told the sizes of the first three; they are taken as they are, once. */
async function filesOfBefore(
  folder: string,
  facts: Facts,
  sizes: number[] | undefined,
  signal?: AbortSignal,
): Promise<Files | undefined> {
  const files = await filesOf(folder, facts, signal).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  });
  const first = Object.values(files ?? {}).slice(0, 3);
  return String(first.map(({ size }) => size)) === String(sizes) ? files : undefined;
}

/** The files with their times of now, or undefined where one is missing or has another size. */
async function filesNow(folder: string, known: Files): Promise<Files | undefined> {
  const now: Files = {};
  for (const [name, { size, sha256 }] of Object.entries(known)) {
    const stats = await stat(resolveIn(folder, name)).catch(() => undefined);
    if (!stats || stats.size !== size) return undefined;
    now[name] = { ...factsOf(stats), sha256 };
  }
  return now;
}

async function assertContent(folder: string, file: string, expected = '', signal?: AbortSignal): Promise<void> {
  const got = await hashOf(file, signal);
  if (got === expected) return;
  throw cannot('use the native runtime', {
    expected: `${file} as it was proved to work, with SHA-256 ${expected}`,
    got,
    hint: `rm -r '${folder}' && bn-train setup`,
  });
}

/** Keeps the times of now, so that the next start need not hash again. A cache that cannot be written is hashed each time. */
async function renew(folder: string, marker: Facts & { files: Files }): Promise<void> {
  try {
    const lock = await tryLock(`${folder}.lock`);
    if ('release' in lock) await writeMarker(folder, marker).finally(lock.release);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** Throws a BnTrainError for a file or folder that belongs to another user, or that others may write to. */
export async function assertTrusted(places: string[]): Promise<void> {
  for (const place of new Set(places)) {
    const why = distrustOf(await stat(place));
    if (why !== undefined)
      throw cannot('use the native runtime', {
        expected: `only you and root to be able to change ${place}`,
        got: why.got,
        hint: `if you trust what is in it: ${why.mend} '${place}' && bn-train setup`,
      });
  }
}

function distrustOf({ uid, gid, mode }: Stats): { got: string; mend: string } | undefined {
  const [user, group] = [process.geteuid?.(), process.getegid?.()];
  if (uid !== 0 && uid !== user) return { got: `one that belongs to the user ${uid}`, mend: 'sudo chown -R root' };
  if ((mode & 0o002) !== 0) return { got: 'one that everyone may write to', mend: 'chmod o-w' };
  const own = gid === group || (gid === 0 && uid === 0);
  return (mode & 0o020) === 0 || own ? undefined : { got: `one that the group ${gid} may write to`, mend: 'chmod g-w' };
}

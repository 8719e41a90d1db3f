/** What makes a runtime's folder a finished one: the marker, written last, and the files it names, as they were proved to work. */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { cannot } from '../../common/errors.js';
import { codeOf, hashOf, JSON_LIMIT, readBounded, writeFileAtomic } from '../../common/files.js';
import { tryLock } from '../../common/lock.js';
import { assertTrusted } from '../../common/trust.js';
import { check, numberThat, oneOf, text, whole } from '../../common/shape.js';
import { quoted, toType } from '../../common/invocation.js';
import { nvidiaSizes } from './cuda.js';
import { LIBRARIES } from './pins.js';

const SOURCES = ['override', 'wheel', 'python'] as const;

const MARKER = 'runtime.json';

const time = numberThat('a time in ms', () => true);

const FACTS = v.object({
  source: oneOf(SOURCES.join(', '), SOURCES),
  /** TensorFlow's version. */
  tensorflow: text(),
  /** The folder with the libraries; in a marker it may begin with $ORIGIN, which stands for the runtime's folder. */
  libraries: text(),
  compiler: text(),
  /** The stock package the addon was built from. */
  tfjs: text(),
  /** Where TensorFlow was built for CUDA. */
  cuda: v.optional(v.object({ toolkit: text(), cudnn: text(), missing: v.array(text()) })),
});
/** A file as it was proved to work. Whoever writes it anew cannot keep the time of its last change. */
const FILE = v.object({ size: whole(0), modified: time, changed: time, sha256: text() });
/** All that is loaded, by path, which may begin with $ORIGIN too. */
const FILES = v.record(v.string(), FILE);

const MARKER_SHAPE = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ ...FACTS.entries, files: v.optional(FILES), sizes: v.optional(v.array(whole(0))) }),
);

type Files = v.InferOutput<typeof FILES>;
type Facts = v.InferOutput<typeof FACTS>;

/** A finished runtime; `files` are all that is loaded. */
export type Runtime = Facts & { addon: string; files: string[] };

export function addonIn(folder: string): string {
  return path.join(folder, 'tfjs_binding.node');
}

/** A path with the runtime's folder for $ORIGIN. */
export const resolveIn = (folder: string, name: string) => name.replace('$ORIGIN', () => folder);

/** Writes the marker; the folder's name may yet change. */
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
  const marker = check(MARKER_SHAPE, await readBounded(file, JSON_LIMIT).then(String, () => ''));
  // One that is damaged, as by a power cut, is none: then the runtime is made anew.
  if ('problem' in marker) return undefined;
  const { sizes = [], files, ...facts } = marker.value;
  const known = files ?? (await filesOfBefore(folder, facts, sizes, signal));
  const now = known && (await filesNow(folder, known));
  const needed = [addonIn('$ORIGIN'), ...LIBRARIES.map((name) => path.join(facts.libraries, name))];
  if (!now || needed.some((name) => !(name in now))) return undefined;
  const loaded = Object.keys(now).map((name) => resolveIn(folder, name));
  // Up to the cache's own folder.
  const cache = path.dirname(path.dirname(folder));
  await assertTrusted('the native runtime', [
    cache,
    ...[file, folder, ...loaded].flatMap((place) => [path.dirname(place), place]),
  ]);
  const touched = Object.entries(now).filter(([name, file]) => !isDeepStrictEqual(file, known[name]));
  for (const [name, { sha256 }] of content ? Object.entries(now) : touched)
    await assertContent(folder, resolveIn(folder, name), sha256, signal);
  if (touched.length > 0 || !files) await renew(folder, { ...facts, files: now });
  return { ...facts, libraries: resolveIn(folder, facts.libraries), addon: addonIn(folder), files: loaded };
}

/** The files of a marker from before hashes were kept, which told the sizes of the first three; they are taken as they are, once. */
async function filesOfBefore(folder: string, facts: Facts, sizes: number[], signal?: AbortSignal) {
  const files = await filesOf(folder, facts, signal).catch((error: unknown) => {
    // What the system refuses to open, for whatever reason, is not there; an interruption has no such code.
    if (codeOf(error) === undefined) throw error;
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

async function assertContent(folder: string, file: string, expected: string, signal?: AbortSignal): Promise<void> {
  const got = await hashOf(file, signal);
  if (got === expected) return;
  throw cannot('use the native runtime', {
    expected: `${file} as it was proved to work, with SHA-256 ${expected}`,
    got,
    hint: `rm -r ${quoted(folder)} && ${toType('setup')}`,
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

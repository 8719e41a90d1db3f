/** Libraries of generated code: compiled once for this machine, and kept in the user's cache. */
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLine, runCommand } from '../../common/command.js';
import { type Compiler, findCompiler } from '../../common/compiler.js';
import { BnTrainError, messageOf } from '../../common/errors.js';
import {
  cacheDirectory,
  codeOf,
  describeFileError,
  hashOf,
  JSON_LIMIT,
  readBounded,
  sha256Of,
  writeFileAtomic,
  writeFolderAtomic,
} from '../../common/files.js';
import { withLock } from '../../common/lock.js';
import { assertTrusted } from '../../common/trust.js';

export interface Library {
  /** The file. */
  library: string;
  /** Of all that it was made from. */
  hash: string;
  /** The compiler's version. */
  compiler: string;
}

interface Making {
  signal?: AbortSignal | undefined;
  /** How long the compiler may take, in ms. */
  timeout?: number;
}

const HEADER = fileURLToPath(new URL('../../../src/graph/fuse/region.h', import.meta.url));

/**
 * Products and sums are rounded one by one, as TensorFlow's are; nobody reads errno or the CPU's flags. A convolution takes a
 * tenth longer where it begins in the middle of what the CPU fetches at once.
 */
const ROUNDING = ['-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'];
const FLAGS = ['-std=c++17', '-O3', '-fPIC', '-falign-functions=64', ...ROUNDING, '-w'];
const NATIVE = process.arch === 'arm64' ? '-mcpu=native' : '-march=native';

/** How many libraries are kept, those that were used last. */
export const KEPT = 64;

const MINUTE = 60_000;

const WHAT = 'compiled kernels';

/** What a library has beside it: its SHA-256 and the compiler's version, a line each. */
const MARKER = /^([0-9a-f]{64})\n([^\n]*)\n$/;

/** What keeps a library from being had, in one line. */
class Reason extends Error {}

/**
 * The library of some translation units of C++, with `region.h` before each: from the cache, or compiled, all units at
 * once. Where there is none to be had says why. Throws only what the signal is aborted with.
 */
export async function buildLibrary(
  sources: readonly string[],
  making: Making = {},
): Promise<Library | { reason: string }> {
  try {
    const compiler = await findCompiler(making.signal);
    if (!compiler) throw new Reason('there is no C++ compiler (apt-get install g++)');
    return await libraryOf(sources, compiler, making);
  } catch (error) {
    making.signal?.throwIfAborted();
    if (error instanceof Reason || error instanceof BnTrainError) return { reason: error.message };
    if (codeOf(error) === undefined) throw error;
    return { reason: `${folderOf('')} cannot be used: ${describeFileError(error)}` };
  }
}

const markerIn = (folder: string) => path.join(folder, 'library.sha256');

const folderOf = (hash: string) => path.join(cacheDirectory(), 'kernels', hash);

async function libraryOf(sources: readonly string[], compiler: Compiler, making: Making): Promise<Library> {
  const { signal } = making;
  const code = [await readFile(HEADER, 'utf8'), ...sources];
  const hash = sha256Of(JSON.stringify([code, compiler, FLAGS, await cpuFeatures()])).slice(0, 16);
  const folder = folderOf(hash);
  const make = async () => {
    const other = await readLibrary(folder);
    if (other) return other;
    await assertTrusted(WHAT, [path.dirname(path.dirname(folder)), path.dirname(folder)]);
    await rm(folder, { recursive: true, force: true });
    await writeFolderAtomic(folder, (work) => fill(work, sources, compiler, making));
    await removeOldest();
    return readLibrary(folder);
  };
  const made = (await readLibrary(folder)) ?? (await withLock(`${folder}.lock`, make, undefined, signal));
  if (!made) throw new Reason(`${folder} was changed while it was made`);
  return { ...made, hash };
}

/** All that decides what "native" means to a compiler. */
async function cpuFeatures(): Promise<string> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const known = new Set(info.match(/^(flags|Features|cpu family|model)\s*:.*$/gm));
  return [process.platform, process.arch, os.cpus()[0]?.model, ...known].join('\n');
}

/** A library that is whole, marked as used now; undefined where there is none. Throws for one that others could have changed. */
async function readLibrary(folder: string): Promise<Omit<Library, 'hash'> | undefined> {
  const [marker, library] = [markerIn(folder), path.join(folder, 'library.so')];
  const read = MARKER.exec(await readBounded(marker, JSON_LIMIT).then(String, () => ''));
  if (!read) return undefined;
  const [, sha256, compiler = ''] = read;
  const there = await stat(library).catch(() => undefined);
  if (!there?.isFile()) return undefined;
  const cache = path.dirname(path.dirname(folder));
  await assertTrusted(WHAT, [cache, path.dirname(folder), folder, marker, library]);
  if ((await hashOf(library)) !== sha256) return undefined;
  const now = new Date();
  await utimes(marker, now, now).catch((error: unknown) => {
    // A cache that may only be read serves all the same.
    if (codeOf(error) === undefined) throw error;
  });
  return { library, compiler };
}

/** Compiles each unit by itself, as many at once as there are cores, links them and proves that the result opens. */
async function fill(folder: string, sources: readonly string[], compiler: Compiler, making: Making): Promise<void> {
  const units = [...sources.keys()].map((i) => path.join(folder, `${i}`));
  await Promise.all(sources.map((source, i) => writeFile(`${units[i] ?? ''}.cc`, source)));
  // The longest first, so that the cores end together.
  const length = (i: number) => sources[i]?.length ?? 0;
  const waiting = [...sources.keys()].sort((a, b) => length(b) - length(a)).map((i) => units[i]);
  const compile = async () => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift())
      await run(compiler, ['-include', HEADER, '-c', `${unit}.cc`, '-o', `${unit}.o`], folder, making);
  };
  const compiling = Array.from({ length: os.availableParallelism() }, compile);
  // The folder is not left, and then removed, while some are still writing to it.
  await Promise.allSettled(compiling);
  await Promise.all(compiling);
  const library = path.join(folder, 'library.so');
  const objects = units.map((unit) => `${unit}.o`);
  await run(compiler, ['-shared', ...objects, '-o', library], folder, making);
  assertOpens(library);
  await Promise.all(objects.map((object) => rm(object)));
  await writeFileAtomic(markerIn(folder), `${await hashOf(library)}\n${compiler.version}\n`);
}

async function run(compiler: Compiler, args: string[], folder: string, making: Making): Promise<void> {
  const { signal, timeout = MINUTE } = making;
  const words = [...compiler.args, ...FLAGS, NATIVE, ...args];
  // The compiler's temporary files go the way of the folder, also after a kill.
  const outcome = await runCommand(compiler.command, words, { env: { TMPDIR: folder }, signal, timeout });
  if (outcome?.code === 0) return;
  const name = [compiler.command, ...compiler.args].join(' ');
  if (outcome?.late) throw new Reason(`${name} took longer than ${timeout / 1000} s to compile`);
  const said = outcome?.stderr ?? '';
  if (said.includes('No space left')) throw new Reason(`no space left on the device for ${folderOf('')}`);
  const why = said.split('\n').find((line) => line.includes('error')) ?? lastLine(said);
  throw new Reason(`${name} does not compile: ${why || 'no word why'}`);
}

/** The loader opens it as it will for TensorFlow; only then does Node miss what makes an addon of a library. */
function assertOpens(library: string): void {
  try {
    process.dlopen({ exports: {} }, library);
  } catch (error) {
    if (!messageOf(error).startsWith('Module did not self-register'))
      throw new Reason(`what the compiler made does not open: ${messageOf(error)}`);
  }
}

/** Of more than are kept, those go that were not used for longest. Another process may do the same. */
async function removeOldest(): Promise<void> {
  const all = folderOf('');
  const used = await Promise.all(
    (await readdir(all)).map(async (name) => {
      const marker = await stat(markerIn(path.join(all, name))).catch(() => undefined);
      return { name, time: marker?.mtimeMs };
    }),
  );
  const libraries = used.filter(({ time }) => time !== undefined).sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
  for (const { name } of libraries.slice(KEPT)) await rm(path.join(all, name), { recursive: true, force: true });
}

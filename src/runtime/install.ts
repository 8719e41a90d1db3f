/** Finds a native runtime that is finished, or makes one: libraries from the user, Python or a pinned wheel, and the addon. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot, EXIT } from '../errors.js';
import { cacheDirectory, codeOf, describeFileError, exists, removeStaleTemporaries, withLock, writeFolderAtomic } from '../files.js';
import { type Listener, silent } from '../progress.js';
import { compileAddon, proveAddon } from './addon.js';
import { type Build, buildFor, LIBRARIES, thisPlatform } from './builds.js';
import { stockPackage } from './native.js';
import { downloadWheel, findPythonTensorflow, unpackWheel } from './python.js';

/** A finished runtime. */
export interface Runtime {
  source: 'override' | 'wheel' | 'python';
  /** TensorFlow's version. */
  tensorflow: string;
  /** The folder with the libraries. */
  libraries: string;
  addon: string;
  compiler: string;
  /** The stock package the addon was built from. */
  tfjs: string;
}

export interface RuntimeOptions {
  /** A folder laid out like the wheel's `tensorflow`: the two libraries and `include`. Also BN_TRAIN_RUNTIME_DIR. */
  runtimeDir?: string | undefined;
  listener?: Listener;
  signal?: AbortSignal;
}

const MARKER = 'runtime.json';
const ADDON = 'tfjs_binding.node';
const runtimes = () => path.join(cacheDirectory(), 'runtime');

/** The finished runtime that would be used, or undefined. Installs nothing; throws for an override that is not one. */
export async function locateRuntime({ runtimeDir }: RuntimeOptions = {}): Promise<Runtime | undefined> {
  const override = runtimeDir ?? process.env['BN_TRAIN_RUNTIME_DIR'];
  if (override !== undefined) return readFinished(await linkedFolder(await checkOverride(override)));
  const own = await ownFolder();
  const installed = own && (await readFinished(own));
  if (installed) return installed;
  const python = await findPythonTensorflow();
  return python && readFinished(await linkedFolder(python.libraries));
}

/**
 * The runtime to use, made if need be: the override, the package's own finished install, a Python environment's
 * TensorFlow, the pinned wheel, in this order. Throws a BnTrainError saying what is missing.
 */
export async function installRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { listener = silent, signal } = options;
  const found = await locateRuntime(options);
  if (found) return found;
  const override = options.runtimeDir ?? process.env['BN_TRAIN_RUNTIME_DIR'];
  const python = override === undefined ? await findPythonTensorflow() : undefined;
  const linked = override ?? python?.libraries;
  if (linked !== undefined) {
    const source = override === undefined ? 'python' : 'override';
    return make(await linkedFolder(linked), listener, (folder) => fillLinked(folder, linked, source, listener, signal));
  }
  const build = buildFor(thisPlatform);
  return make(ownFolderOf(build), listener, (folder) => fillFromWheel(folder, build, listener, signal));
}

async function make(target: string, listener: Listener, fill: (folder: string) => Promise<void>): Promise<Runtime> {
  const waiting = ({ pid }: { pid: number }) => listener.notice(`TensorFlow: waiting for process ${pid}, which is installing it`);
  try {
    return await withLock(`${target}.lock`, async () => {
      const finished = await readFinished(target);
      if (finished) return finished;
      // A folder without a valid marker was damaged from outside.
      await rm(target, { recursive: true, force: true });
      await removeStaleTemporaries(target);
      await writeFolderAtomic(target, fill);
      const made = await readFinished(target);
      if (!made) throw cannot('install TensorFlow', { expected: `a finished runtime in ${target}`, got: 'none' });
      return made;
    }, waiting);
  } catch (error) {
    if (error instanceof BnTrainError || codeOf(error) === undefined || codeOf(error) === 'ABORT_ERR') throw error;
    throw cannot('install TensorFlow', {
      expected: `room and permission in ${cacheDirectory()}`,
      got: describeFileError(error),
      hint: 'free some space, or choose another cache with XDG_CACHE_HOME',
      cause: error,
    });
  }
}

async function fillFromWheel(folder: string, build: Build, listener: Listener, signal?: AbortSignal): Promise<void> {
  const work = path.join(folder, 'work');
  await mkdir(work);
  listener.notice(`TensorFlow ${build.version}: downloading the wheel with pip`);
  const wheel = await downloadWheel(build, work, listener, signal);
  listener.notice(`TensorFlow ${build.version}: unpacking`);
  await unpackWheel(wheel, work, signal);
  await rename(path.join(work, 'tensorflow'), path.join(folder, 'tensorflow'));
  await finish(folder, { libraries: path.join(folder, 'tensorflow'), rpath: '$ORIGIN/tensorflow', source: 'wheel' }, listener, signal);
  await rm(path.join(folder, 'tensorflow', 'include'), { recursive: true });
  await rm(work, { recursive: true });
}

async function fillLinked(folder: string, libraries: string, source: Runtime['source'], listener: Listener, signal?: AbortSignal): Promise<void> {
  const real = await realpath(libraries);
  await finish(folder, { libraries: real, rpath: real, source }, listener, signal);
}

interface Parts {
  libraries: string;
  rpath: string;
  source: Runtime['source'];
}

/** Builds and proves the addon, and writes the marker, the last thing before the folder takes its name. */
async function finish(folder: string, { libraries, rpath, source }: Parts, listener: Listener, signal?: AbortSignal): Promise<void> {
  listener.notice('TensorFlow: building the addon');
  const addon = path.join(folder, ADDON);
  const compiler = await compileAddon({ libraries, rpath, output: addon, signal });
  listener.notice('TensorFlow: proving the addon');
  const tensorflow = await proveAddon(addon, signal);
  const marker = { source, tensorflow, compiler, tfjs: stockPackage().version, libraries: rpath, sizes: await sizesOf([addon, ...LIBRARIES.map((name) => path.join(libraries, name))]) };
  await writeFile(path.join(folder, MARKER), JSON.stringify(marker, null, 2));
}

function sizesOf(files: string[]): Promise<number[]> {
  return Promise.all(files.map(async (file) => (await stat(file)).size));
}

/** What the marker of a folder says, if the files it speaks of are there in the sizes it names. */
async function readFinished(folder: string): Promise<Runtime | undefined> {
  const text = await readFile(path.join(folder, MARKER), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { sizes, ...marker } = JSON.parse(text) as Omit<Runtime, 'addon'> & { sizes: number[] };
  const libraries = marker.libraries.replace('$ORIGIN', folder);
  const addon = path.join(folder, ADDON);
  const now = await sizesOf([addon, ...LIBRARIES.map((name) => path.join(libraries, name))]).catch(() => []);
  return String(now) === String(sizes) ? { ...marker, libraries, addon } : undefined;
}

function ownFolderOf(build: Build): string {
  return path.join(runtimes(), `${build.package}-${build.version}-${thisPlatform}-tfjs-${stockPackage().version}`);
}

async function ownFolder(): Promise<string | undefined> {
  try {
    return ownFolderOf(buildFor(thisPlatform));
  } catch (error) {
    if (error instanceof BnTrainError) return undefined;
    throw error;
  }
}

/** The cache folder for libraries that stay where they are; another one as soon as they change. */
async function linkedFolder(libraries: string): Promise<string> {
  const real = await realpath(libraries);
  const stats = await Promise.all(LIBRARIES.map((name) => stat(path.join(real, name))));
  const key = JSON.stringify([real, stockPackage().version, ...stats.map(({ size, mtimeMs }) => [size, mtimeMs])]);
  return path.join(runtimes(), `linked-${createHash('sha256').update(key).digest('hex').slice(0, 16)}`);
}

async function checkOverride(folder: string): Promise<string> {
  for (const name of [...LIBRARIES, 'include'])
    if (!(await exists(path.join(folder, name))))
      throw cannot(`use the runtime folder ${folder}`, {
        expected: `${LIBRARIES.join(', ')} and include in it, as in TensorFlow's wheel`,
        got: `no ${name}`,
        hint: 'name such a folder, or leave out --runtime-dir and BN_TRAIN_RUNTIME_DIR',
        exitCode: EXIT.usage,
      });
  return folder;
}

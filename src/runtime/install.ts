/** Finds a native runtime that is finished, or makes one: libraries from the user, Python or a pinned wheel, and the addon. */
import { mkdir, realpath, rename, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../errors.js';
import { cacheDirectory, codeOf, describeFileError, writeFolderAtomic } from '../files.js';
import { withLock } from '../lock.js';
import { type Listener, silent } from '../progress.js';
import { compileAddon, proveAddon } from './addon.js';
import { type Build, buildFor, findBuild, thisPlatform } from './builds.js';
import { addonIn, markFinished, readFinished, type Runtime } from './finished.js';
import { stockPackage } from './native.js';
import { downloadWheel, findPythonTensorflow, unpackWheel } from './python.js';
import { findOverride, linkedFolder, ownFolder } from './sources.js';

export interface RuntimeOptions {
  /** A folder laid out like the wheel's `tensorflow`: the two libraries and `include`. Also BN_TRAIN_RUNTIME_DIR. */
  runtimeDir?: string | undefined;
  listener?: Listener;
  signal?: AbortSignal;
}

/** Whom to tell, and who may stop it. */
interface Watch {
  listener: Listener;
  signal: AbortSignal | undefined;
}

/** The finished runtime that would be used, or undefined. Installs nothing; throws for an override that is not one. */
export async function locateRuntime({ runtimeDir }: RuntimeOptions = {}): Promise<Runtime | undefined> {
  const override = await findOverride(runtimeDir);
  if (override !== undefined) return readFinished(await linkedFolder(override));
  const build = findBuild(thisPlatform());
  const installed = build && (await readFinished(ownFolder(build)));
  if (installed) return installed;
  const python = await findPythonTensorflow();
  return python && readFinished(await linkedFolder(python.libraries));
}

/**
 * The runtime to use, made if need be: the override, the package's own finished install, a Python environment's
 * TensorFlow, the pinned wheel, in this order. Throws a BnTrainError saying what is missing.
 */
export async function installRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const watch: Watch = { listener: options.listener ?? silent, signal: options.signal };
  const found = await locateRuntime(options);
  if (found) return found;
  const override = await findOverride(options.runtimeDir);
  if (override !== undefined) return makeLinked(override, 'override', watch);
  const python = await findPythonTensorflow();
  if (python) {
    try {
      return await makeLinked(python.libraries, 'python', watch);
    } catch (error) {
      if (!(error instanceof BnTrainError) || !findBuild(thisPlatform())) throw error;
      watch.listener.notice(`TensorFlow: that of the Python environment is passed over. ${error.message}`);
    }
  }
  const build = buildFor(thisPlatform());
  return make(ownFolder(build), watch, (folder) => fillFromWheel(folder, build, watch));
}

async function makeLinked(libraries: string, source: Runtime['source'], watch: Watch): Promise<Runtime> {
  const target = await linkedFolder(libraries);
  return make(target, watch, (folder) => fillLinked(folder, libraries, source, watch));
}

async function make(target: string, watch: Watch, fill: (folder: string) => Promise<void>): Promise<Runtime> {
  try {
    return await withLock(
      `${target}.lock`,
      () => makeAlone(target, fill),
      ({ pid }) => watch.listener.notice(`TensorFlow: waiting for process ${pid}, which is installing it`),
      watch.signal,
    );
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

async function makeAlone(target: string, fill: (folder: string) => Promise<void>): Promise<Runtime> {
  const finished = await readFinished(target);
  if (finished) return finished;
  // A folder without a valid marker was damaged from outside.
  await rm(target, { recursive: true, force: true });
  await writeFolderAtomic(target, fill);
  const made = await readFinished(target);
  if (!made) throw cannot('install TensorFlow', { expected: `a finished runtime in ${target}`, got: 'none' });
  return made;
}

async function fillFromWheel(folder: string, build: Build, watch: Watch): Promise<void> {
  const { listener, signal } = watch;
  const work = path.join(folder, 'work');
  await mkdir(work);
  listener.notice(`TensorFlow ${build.version}: downloading the wheel with pip`);
  const wheel = await downloadWheel(build, work, listener, signal);
  listener.notice(`TensorFlow ${build.version}: unpacking`);
  await unpackWheel(wheel, work, signal);
  const libraries = path.join(folder, 'tensorflow');
  await rename(path.join(work, 'tensorflow'), libraries);
  await finish(folder, { libraries, rpath: '$ORIGIN/tensorflow', source: 'wheel' }, watch);
  await rm(path.join(libraries, 'include'), { recursive: true });
  await rm(work, { recursive: true });
}

async function fillLinked(folder: string, libraries: string, source: Runtime['source'], watch: Watch): Promise<void> {
  const real = await realpath(libraries);
  await finish(folder, { libraries: real, rpath: real, source }, watch);
}

interface Parts {
  libraries: string;
  rpath: string;
  source: Runtime['source'];
}

/** Builds and proves the addon, and writes the marker; the folder takes its name after that. */
async function finish(folder: string, { libraries, rpath, source }: Parts, watch: Watch): Promise<void> {
  const { listener, signal } = watch;
  listener.notice('TensorFlow: building the addon');
  const addon = addonIn(folder);
  const compiler = await compileAddon({ libraries, rpath, output: addon, signal });
  listener.notice('TensorFlow: proving the addon');
  const tensorflow = await proveAddon(addon, signal);
  await markFinished(folder, { source, tensorflow, compiler, tfjs: stockPackage().version, libraries: rpath });
}

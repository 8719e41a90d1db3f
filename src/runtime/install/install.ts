/** Finds a native runtime that is finished, or makes one: libraries from the user, Python or pinned wheels, and the addon. */
import { mkdir, realpath, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { BnTrainError, cannot } from '../../common/errors.js';
import { cacheDirectory, codeOf, describeFileError, writeFolderAtomic } from '../../common/files.js';
import { formatBytes } from '../../common/format.js';
import type { Watch } from '../../common/listener.js';
import { withLock } from '../../common/lock.js';
import { assertTrusted } from '../../common/trust.js';
import { stockPackage } from '../loadAddon.js';
import { compileAddon, proveAddon } from './addon.js';
import { type Cuda, describeCuda, isCudaBuild } from './cuda.js';
import { addonIn, markFinished, readFinished, resolveIn, type Runtime } from './finished.js';
import {
  assertServes,
  findOverride,
  findPythonTensorflow,
  linkedFolder,
  locateRuntime,
  ownFolder,
} from './libraries.js';
import {
  type Build,
  buildFor,
  findBuilds,
  FREE_SPACE,
  LIBRARIES,
  setupCommand,
  thisPlatform,
  type Want,
} from './pins.js';
import { downloadSize, downloadWheels, unpackWheel } from './wheels.js';

/**
 * The finished runtime that would be used, made where there is none; one that is there is checked to its last byte and
 * proved again. Throws a BnTrainError saying what is missing or wrong.
 */
export async function installRuntime(want: Want, watch: Watch): Promise<Runtime> {
  const found = await locateRuntime(want, { content: true, signal: watch.signal });
  if (!found) return makeRuntime(want, watch);
  await proveAddon(found.addon, watch.signal);
  return found;
}

/** Makes a runtime, where none was located: from the override, else a Python environment's TensorFlow, else the pinned wheels. */
export async function makeRuntime(want: Want, watch: Watch): Promise<Runtime> {
  const override = await findOverride(want.runtimeDir);
  if (override !== undefined) return assertServes(await makeLinked(override, 'override', watch), want, override);
  const python = await findPythonTensorflow(want, watch.signal);
  if (python) {
    try {
      return assertServes(await makeLinked(python, 'python', watch), want, python);
    } catch (error) {
      if (!(error instanceof BnTrainError) || findBuilds(thisPlatform(), want).length === 0) throw error;
      watch.listener.notice(`TensorFlow: that of the Python environment is passed over. ${error.message}`);
    }
  }
  const build = buildFor(thisPlatform(), want);
  if (build.device === 'cuda') await assertAgreed(build, watch);
  return installBuild(build, watch);
}

/** Throws a BnTrainError where a person says no to a download as large as that for a GPU. */
async function assertAgreed(build: Build, { listener: { confirm } }: Watch): Promise<void> {
  const [download, disk] = [formatBytes(downloadSize(build)), formatBytes(build.disk)];
  const question = `TensorFlow ${build.version} for CUDA is a download of ${download} (${disk} on disk). Fetch it now?`;
  if ((await confirm?.(question)) ?? true) return;
  throw cannot('install TensorFlow for CUDA', {
    expected: `a yes to a download of ${download}`,
    got: 'no',
    hint: `use --device cpu, or later: ${setupCommand(build)}`,
  });
}

/** Installs a pinned build into the cache, unless it is there. */
export function installBuild(build: Build, watch: Watch): Promise<Runtime> {
  return make(ownFolder(build), watch, (folder) => fillFromWheels(folder, build, watch));
}

/** Makes a runtime of libraries that stay where they are. */
async function makeLinked(libraries: string, source: Runtime['source'], watch: Watch): Promise<Runtime> {
  return make(await linkedFolder(libraries), watch, async (folder) => {
    const real = await realpath(libraries);
    await assertTrusted('the native runtime', [real, ...LIBRARIES.map((name) => path.join(real, name))]);
    const cuda = (await isCudaBuild(real, watch.signal)) ? await describeCuda(real, watch.signal) : undefined;
    await finish(folder, { libraries: real, source, cuda }, watch);
  });
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
      hint: FREE_SPACE,
      cause: error,
    });
  }
}

async function makeAlone(target: string, fill: (folder: string) => Promise<void>): Promise<Runtime> {
  const finished = await readFinished(target);
  if (finished) return finished;
  await assertTrusted('the native runtime', [path.dirname(target), path.dirname(path.dirname(target))]);
  // A folder without a valid marker was damaged from outside.
  await rm(target, { recursive: true, force: true });
  await writeFolderAtomic(target, fill);
  const made = await readFinished(target);
  if (!made) throw cannot('install TensorFlow', { expected: `a finished runtime in ${target}`, got: 'none' });
  return made;
}

async function fillFromWheels(folder: string, build: Build, watch: Watch): Promise<void> {
  const { listener, signal } = watch;
  const work = path.join(folder, 'work');
  await mkdir(work);
  const name = `TensorFlow ${build.version}${build.device === 'cuda' ? ' for CUDA' : ''}`;
  const [download, disk] = [formatBytes(downloadSize(build)), formatBytes(build.disk)];
  listener.notice(`${name}: downloading ${download} with pip; takes ${disk} on disk`);
  const wheels = await downloadWheels(build, work, watch);
  listener.notice(`${name}: unpacking`);
  for (const wheel of wheels) {
    await unpackWheel(wheel, folder, signal);
    await rm(wheel);
  }
  const libraries = path.join(folder, 'tensorflow');
  const cuda = build.device === 'cuda' ? await provenCuda(libraries, build, watch) : undefined;
  await finish(folder, { libraries: '$ORIGIN/tensorflow', source: 'wheel', cuda }, watch);
  await rm(path.join(libraries, 'include'), { recursive: true });
  await rm(work, { recursive: true });
}

/** Throws a BnTrainError that names the libraries that do not open. */
async function provenCuda(libraries: string, build: Build, { listener, signal }: Watch): Promise<Cuda> {
  listener.notice("TensorFlow: opening each of NVIDIA's libraries");
  const cuda = await describeCuda(libraries, signal);
  if (cuda.missing.length === 0) return cuda;
  const needsZlib = cuda.missing.some((reason) => reason.includes('libz.so'));
  throw cannot('install TensorFlow for CUDA', {
    expected: 'every library that it opens to be found and to open',
    got: `these do not: ${cuda.missing.join('; ')}`,
    hint: needsZlib ? `apt-get install zlib1g, then: ${setupCommand(build)}` : `${setupCommand(build)} tries again`,
  });
}

type Parts = Pick<Runtime, 'libraries' | 'source' | 'cuda'>;

/** Builds and proves the addon, and writes the marker; the folder takes its name after that. */
async function finish(folder: string, parts: Parts, { listener, signal }: Watch): Promise<void> {
  listener.notice('TensorFlow: building the addon');
  const addon = addonIn(folder);
  const [libraries, rpath] = [resolveIn(folder, parts.libraries), parts.libraries];
  const compiler = await compileAddon({ libraries, rpath, output: addon, signal });
  listener.notice('TensorFlow: proving the addon');
  const tensorflow = await proveAddon(addon, signal);
  await markFinished(folder, { ...parts, tensorflow, compiler, tfjs: stockPackage().version }, signal);
}

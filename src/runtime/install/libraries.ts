/** TensorFlow's libraries: the user's, the cache's or a Python environment's, and the finished runtime that would be used. */
import { realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import * as v from 'valibot';
import { type CommandOptions, type Outcome, runCommand } from '../../common/command.js';
import { cannot, EXIT, type Reason } from '../../common/errors.js';
import { cacheDirectory, exists, sha256Of } from '../../common/files.js';
import { parseShaped, text } from '../../common/shape.js';
import { toType } from '../../common/invocation.js';
import { addonVersion } from '../loadAddon.js';
import { isCudaBuild, nvidiaSizes } from './cuda.js';
import { readFinished, type Runtime, type Scrutiny } from './finished.js';
import { type Build, findBuilds, LIBRARIES, thisPlatform, VERSIONS, type Want } from './pins.js';

/** The finished runtime that would be used, or undefined. Installs nothing; throws for an override that lacks something. */
export async function locateRuntime(want: Want, scrutiny: Scrutiny = {}): Promise<Runtime | undefined> {
  const override = await findOverride(want.runtimeDir);
  if (override !== undefined) {
    const runtime = await readFinished(await linkedFolder(override), scrutiny);
    return runtime && assertServes(runtime, want, override);
  }
  for (const build of findBuilds(thisPlatform(), want)) {
    const installed = await readFinished(ownFolder(build), scrutiny);
    if (installed) return installed;
  }
  const python = await findPythonTensorflow(want, scrutiny.signal);
  const linked = python && (await readFinished(await linkedFolder(python), scrutiny));
  return linked && lackOf(linked, want) === undefined ? linked : undefined;
}

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
  return runtimeFolder(`linked-${sha256Of(key).slice(0, 16)}`);
}

function runtimeFolder(name: string): string {
  return path.join(cacheDirectory(), 'runtime', name);
}

/** The folder that the user named, checked; undefined where none was. */
export async function findOverride(runtimeDir = process.env['BN_TRAIN_RUNTIME_DIR']): Promise<string | undefined> {
  if (runtimeDir === undefined || runtimeDir === '') return undefined;
  const missing = await firstMissing(runtimeDir);
  if (missing === undefined) return runtimeDir;
  throw cannot(`use the runtime folder ${runtimeDir}`, {
    expected: `${LIBRARIES.join(', ')} and include in it, as in TensorFlow's wheel`,
    got: `no ${missing}`,
    hint: 'name such a folder, or leave out --runtime-dir and BN_TRAIN_RUNTIME_DIR',
    exitCode: EXIT.usage,
  });
}

/** What the addon is compiled and run with, in a folder laid out like the wheel's `tensorflow`. */
const NEEDED = [...LIBRARIES, 'include/tensorflow/c/c_api.h'];

/** The first file that a folder lacks to be compiled against, or undefined where it is whole. */
async function firstMissing(folder: string): Promise<string | undefined> {
  const there = await Promise.all(NEEDED.map((name) => exists(path.join(folder, name))));
  return NEEDED.find((_, i) => !there[i]);
}

/** Runs a Python script; undefined where there is no python3. */
export function runPython(script: string, args: string[], options: CommandOptions = {}): Promise<Outcome | undefined> {
  // Python looks in the working directory first, where a stray json.py would be run for Python's own.
  const safe = 'import os, sys; sys.path[:] = [at for at in sys.path if at not in ("", os.getcwd())]';
  return runCommand('python3', ['-c', `${safe}\n${script}`, ...args], options);
}

const PYTHON_TENSORFLOW = v.object({ version: text(), libraries: text() });

/** The libraries of a TensorFlow of a tried version in the Python environment at hand, which is not imported. */
export async function findPythonTensorflow(
  { device, tensorflow }: Want,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const script = `
import importlib.metadata as m, json
for name in ("tensorflow", "tensorflow-cpu"):
    try: d = m.distribution(name)
    except m.PackageNotFoundError: continue
    print(json.dumps({"version": d.version, "libraries": str(d.locate_file("tensorflow"))}))`;
  const outcome = await runPython(script, [], { signal });
  // Start-up files may print too.
  const lines = (outcome?.stdout ?? '').split('\n').filter((line) => line.startsWith('{"version": '));
  for (const line of lines) {
    const { version, libraries } = parseShaped(PYTHON_TENSORFLOW, line, 'what Python says of its TensorFlow');
    if (!VERSIONS.includes(version) || (tensorflow ?? version) !== version) continue;
    if (await firstMissing(libraries)) continue;
    if (device === 'cpu' || (await isCudaBuild(libraries, signal))) return libraries;
  }
  return undefined;
}

/** The runtime, if it serves what it is wanted for; throws a BnTrainError saying what it lacks. */
export function assertServes(runtime: Runtime, want: Want, folder: string): Runtime {
  const lack = lackOf(runtime, want);
  if (lack === undefined) return runtime;
  throw cannot(`use the runtime folder ${folder}`, lack);
}

/** What a runtime lacks of the version and, for CUDA, of what CUDA needs. */
function lackOf({ tensorflow, cuda }: Runtime, want: Want): Reason | undefined {
  if ((want.tensorflow ?? tensorflow) !== tensorflow)
    return { expected: `TensorFlow ${want.tensorflow ?? ''}`, got: tensorflow, hint: 'leave out --tensorflow' };
  if (want.device === 'cpu') return undefined;
  if (!cuda)
    return {
      expected: 'a TensorFlow that was built for CUDA',
      got: `TensorFlow ${tensorflow} for the CPU`,
      hint: `without --runtime-dir: ${toType('setup --cuda')}; or use --device cpu`,
    };
  if (cuda.missing.length === 0) return undefined;
  return {
    expected: "NVIDIA's libraries in ../nvidia beside it, or where the system's loader finds them",
    got: `these do not open: ${cuda.missing.join('; ')}`,
    hint: `${toType('setup --cuda')} installs them all; or use --device cpu`,
  };
}

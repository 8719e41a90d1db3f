/** The one file that loads the addon, TensorFlow.js's stock native package on the runtime that was set up, and what is set before. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { mendKernels } from './mended.js';
import type { GpuChoice } from './gpuChoice.js';

const PACKAGE = '@tensorflow/tfjs-node-gpu';
const require = createRequire(import.meta.url);

/** The stock package's folder; its C++ sources are in `binding`. */
export function stockPackage(): { folder: string; version: string } {
  const file = require.resolve(`${PACKAGE}/package.json`);
  return { folder: path.dirname(file), version: (require(file) as { version: string }).version };
}

/** This project's own part of the addon, with what is included of it. */
export const OWN_SOURCES = [
  ...['attributeNames', 'environment', 'settings', 'ownedTensor', 'region'].map((name) => `runtime/${name}.cc`),
  'runtime/variables.h',
  'graph/fuse/region.h',
].map((name) => fileURLToPath(new URL(`../../src/${name}`, import.meta.url)));

/** Changes whenever the addon would be another one. */
export function addonVersion(): string {
  const own = createHash('sha256');
  for (const file of OWN_SOURCES) own.update(readFileSync(file));
  return `tfjs-${stockPackage().version}-${own.digest('hex').slice(0, 8)}`;
}

/** Loads `addon` as tfjs's native backend, which becomes the one in use. The environment must be as it is to be by then. */
export function loadNative(addon: string): { tensorflow: string; usesGpu: boolean } {
  restoreUtil();
  if (!isMainThread) setEnvironment(addon);
  pointAt(addon);
  require(PACKAGE);
  mendKernels('tensorflow');
  const binding = require(addon) as { TF_Version: string; isUsingGpuDevice: () => boolean };
  return { tensorflow: binding.TF_Version, usesGpu: binding.isUsingGpuDevice() };
}

/** Node 23 removed two functions that the package still calls; Node 22 warns on stderr when it does. */
function restoreUtil(): void {
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] = (value: unknown) => value === null || value === undefined;
  util['isArray'] = Array.isArray;
}

/** TensorFlow reads the process's own environment, and `process.env` is a copy in a worker thread: the addon sets what is for it. */
function setEnvironment(addon: string): void {
  const own = Object.entries(process.env).filter(([name]) => /^(TF|XLA|CUDA|NVIDIA|BN_TRAIN_CUDA)_/.test(name));
  process.dlopen({ exports: { environment: Object.fromEntries(own) } }, addon);
}

/** The package asks node-pre-gyp where its addon is; this answers with the one in the cache. */
function pointAt(addon: string): void {
  const { folder } = stockPackage();
  const finder = createRequire(path.join(folder, 'package.json'))('@mapbox/node-pre-gyp/lib/pre-binding.js') as {
    find: (packageFile: string, ...rest: unknown[]) => string;
  };
  const find = finder.find;
  finder.find = (packageFile, ...rest) =>
    path.dirname(path.resolve(packageFile)) === folder ? addon : find(packageFile, ...rest);
}

export interface Settings {
  /** The same bits from the same seed on a GPU too, at some speed; on the CPU that is always so. */
  deterministic?: boolean | undefined;
  /** False: products on a GPU in full float32, not in TF32 with its 10 bits of mantissa. */
  tf32?: boolean | undefined;
  /** How many of the CPU's cores TensorFlow computes on; sums in another number of parts may round otherwise. Default: all. */
  threads?: number | undefined;
  /** TensorFlow's own information, which speaks to its developers. */
  verbose?: boolean | undefined;
  /** The folder with XLA's ptxas and libdevice. */
  compiler?: string | undefined;
  /** NVIDIA's libraries, by their paths. */
  libraries?: readonly string[] | undefined;
}

/** Sets the variables for a GPU, or for the CPU, in `env`; what a user has set is kept wherever it can be. */
export function prepareEnvironment(
  gpu: GpuChoice | undefined,
  { deterministic = false, tf32 = true, threads, verbose = false, compiler, libraries = [] }: Settings = {},
  env: NodeJS.ProcessEnv = process.env,
): void {
  env['TF_CPP_MIN_LOG_LEVEL'] ??= verbose ? '0' : '2';
  // Within an operation, and for operations side by side.
  if (threads !== undefined) env['TF_NUM_INTRAOP_THREADS'] = env['TF_NUM_INTEROP_THREADS'] = `${threads}`;
  if (!gpu) {
    // A TensorFlow that was built for CUDA would take a GPU by itself.
    env['CUDA_VISIBLE_DEVICES'] = '-1';
    return;
  }
  // CUDA counts the fastest first unless told to count as nvidia-smi does, by which the GPU was chosen.
  env['CUDA_DEVICE_ORDER'] = 'PCI_BUS_ID';
  // TensorFlow opens every GPU that it sees.
  env['CUDA_VISIBLE_DEVICES'] = gpu.visible;
  // Otherwise TensorFlow takes nearly all of the GPU's memory at once.
  env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  // The addon opens them first, as TensorFlow's own search misses some (settings.cc).
  env['BN_TRAIN_CUDA_LIBRARIES'] = libraries.join(':');
  // XLA's own search does not know this folder.
  if (compiler !== undefined) addXlaFlag(env, `--xla_gpu_cuda_data_dir="${compiler.replace(/["\\]/g, '\\$&')}"`);
  if (deterministic) {
    // Kernels whose sums do not depend on the order of threads, and no choice of algorithms by time.
    env['TF_DETERMINISTIC_OPS'] = '1';
    // The same for what XLA compiles.
    addXlaFlag(env, '--xla_gpu_deterministic_ops=true');
  }
  // NVIDIA's libraries would use TF32 wherever TensorFlow lets them.
  if (!tf32) env['NVIDIA_TF32_OVERRIDE'] = '0';
}

/** Adds a flag unless the user has set it; a value that does not begin with a dash names a file of flags, and stays. */
function addXlaFlag(env: NodeJS.ProcessEnv, flag: string): void {
  const before = env['XLA_FLAGS']?.trim() ?? '';
  const name = flag.slice(0, flag.indexOf('='));
  if (before.includes(name) || (before !== '' && !before.startsWith('-'))) return;
  env['XLA_FLAGS'] = `${before} ${flag}`.trim();
}

/** TensorFlow's settings that only the environment can make; they are read once, when it is loaded. */
import type { GpuChoice } from './gpuChoice.js';

export interface Settings {
  /** The same bits from the same seed on a GPU too, at some speed. */
  deterministic?: boolean | undefined;
  /** False: products on a GPU in full float32, not in TF32 with its 10 bits of mantissa. */
  tf32?: boolean | undefined;
  /** The folder with XLA's ptxas and libdevice. */
  compiler?: string | undefined;
  /** NVIDIA's libraries, by their paths. */
  libraries?: readonly string[] | undefined;
}

/** Sets the variables for a GPU, or for the CPU, in `env`; what a user has set is kept wherever it can be. */
export function prepareEnvironment(
  gpu: GpuChoice | undefined,
  { deterministic = false, tf32 = true, compiler, libraries = [] }: Settings = {},
  env: NodeJS.ProcessEnv = process.env,
): void {
  // TensorFlow's own information and warnings speak to its developers.
  env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
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

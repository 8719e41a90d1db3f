/** Which GPU to compute on, or why none: a pure decision from what the driver says and what TensorFlow was built for. */
import { formatBytes } from '../common/format.js';
import type { Gpu, GpuQuery } from './gpus.js';

/** A GPU to be used. */
export interface GpuChoice {
  gpu: Gpu;
  /** "cuda:1": its place among the visible ones. */
  device: string;
  /** What CUDA_VISIBLE_DEVICES is to say. */
  visible: string;
}

/** Why none is used, and the way out. */
export interface Obstacle {
  expected: string;
  got: string;
  hint: string;
}

/**
 * NVIDIA's table "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor Version Compatibility" (release notes
 * of CUDA 12.5.1): 525.60.13 serves every 12.x, but only for machine code.
 */
export const LEAST_DRIVER = '525.60.13';

/**
 * TensorFlow's 1,149 element-wise kernels have no machine code for capability 9, only PTX, which the driver must compile:
 * of version 8.3 in 2.18.1 and 8.5 in 2.21.0 (`cuobjdump -ptx`), known to the drivers of CUDA 12.3 and 12.5 and newer.
 */
const LEAST_DRIVER_FOR_PTX: Readonly<Record<string, string>> = { '2.18.1': '545.23.06', '2.21.0': '555.42.02' };

/** A driver's version or a compute capability. */
type Version = readonly number[];

/**
 * What the pinned wheels were built for, both versions (cuda_compute_capabilities of their build info): code for x.y runs
 * on x.z for z ≥ y.
 */
const CODE_FOR: readonly Version[] = [
  [6, 0],
  [7, 0],
  [8, 0],
  [8, 9],
  [9, 0],
];

/**
 * 1 GiB: the CUDA context with the libraries' kernels takes about half of it, TensorFlow leaves 225 MiB to them on a small
 * GPU (MinSystemMemory in its gpu_device.cc), and training takes what remains.
 */
const LEAST_MEMORY = 2 ** 30;

const CPU = 'or use --device cpu';

interface Wanted {
  /** N of "cuda:N"; the first that serves where it is left out. */
  index?: number | undefined;
  /** CUDA_VISIBLE_DEVICES as the user has it. */
  visibleDevices?: string | undefined;
  /** TensorFlow's version; undefined for one of the user's own, of which nothing is known. */
  tensorflow?: string | undefined;
}

/** The GPU to use, or what stands in the way. */
export function chooseGpu(query: GpuQuery, { index, visibleDevices, tensorflow }: Wanted): GpuChoice | Obstacle {
  if ('problem' in query)
    return {
      expected: "NVIDIA's driver and a GPU",
      got: query.problem,
      hint: `install the driver, ${LEAST_DRIVER} or newer; in a container, give it the GPU (--gpus all); ${CPU}`,
    };
  const visible = visibleGpus(query.gpus, visibleDevices);
  const candidates = visible.map(({ gpu, entry }, i) => ({ gpu, device: `cuda:${i}`, visible: entry }));
  const [first] = candidates;
  if (!first)
    return {
      expected: 'a GPU that CUDA_VISIBLE_DEVICES shows',
      got: `CUDA_VISIBLE_DEVICES=${visibleDevices ?? ''}`,
      hint: `unset CUDA_VISIBLE_DEVICES, ${CPU}`,
    };
  const asked = index === undefined ? undefined : candidates[index];
  if (index !== undefined && !asked)
    return {
      expected: candidates.length === 1 ? 'cuda:0, the only one' : `cuda:0 to cuda:${candidates.length - 1}`,
      got: `cuda:${index}`,
      hint: 'bn-train doctor lists them',
    };
  const considered = asked ? [asked] : candidates;
  const obstacles = considered.map((choice) => obstacleOf(choice, tensorflow));
  return considered[obstacles.indexOf(undefined)] ?? obstacles[0] ?? first;
}

/** The GPUs that CUDA would show, in its order: it takes indices and UUIDs, and stops at what it does not know. */
function visibleGpus(gpus: Gpu[], list: string | undefined): { gpu: Gpu; entry: string }[] {
  if (list === undefined) return gpus.map((gpu) => ({ gpu, entry: String(gpu.index) }));
  const entries = list.split(',').map((entry) => entry.trim());
  const found = entries.map((entry) => gpuOf(gpus, entry));
  const end = found.indexOf(undefined);
  return found.slice(0, end < 0 ? undefined : end).flatMap((gpu, i) => (gpu ? [{ gpu, entry: entries[i] ?? '' }] : []));
}

function gpuOf(gpus: Gpu[], entry: string): Gpu | undefined {
  if (/^\d+$/.test(entry)) return gpus.find(({ index }) => index === Number(entry));
  if (entry.startsWith('GPU-')) return gpus.find(({ uuid }) => uuid.startsWith(entry));
  // A slice of a GPU, whose memory nvidia-smi does not list here; driver and capability are those of the machine's GPUs.
  const [gpu] = gpus;
  return entry.startsWith('MIG-') && gpu ? { ...gpu, name: entry, free: undefined, memory: undefined } : undefined;
}

function obstacleOf({ gpu, device }: GpuChoice, tensorflow: string | undefined): Obstacle | undefined {
  const { name, driver, capability, memory, free } = gpu;
  const shown = `${device}, ${name}`;
  if (isOlder(versionOf(driver), versionOf(LEAST_DRIVER)))
    return {
      expected: `NVIDIA's driver ${LEAST_DRIVER} or newer, as CUDA 12 needs`,
      got: `${driver} (${shown})`,
      hint: `update the driver, ${CPU}`,
    };
  if (tensorflow !== undefined && !hasCode(versionOf(capability)))
    return {
      expected: 'a GPU of compute capability 6.0 to 9.x, for which TensorFlow has code that works',
      got: `${capability} (${shown})`,
      hint: `name a folder with a TensorFlow built for it (--runtime-dir), ${CPU}`,
    };
  const forPtx = LEAST_DRIVER_FOR_PTX[tensorflow ?? ''];
  if (forPtx !== undefined && capability.startsWith('9.') && isOlder(versionOf(driver), versionOf(forPtx)))
    return {
      expected: `NVIDIA's driver ${forPtx} or newer, as it compiles kernels of TensorFlow ${tensorflow ?? ''} for this GPU`,
      got: `${driver} (${shown})`,
      hint: `update the driver, ${otherFor(driver)}${CPU}`,
    };
  if (free !== undefined && free < LEAST_MEMORY)
    return {
      expected: `${formatBytes(LEAST_MEMORY)} of free GPU memory: half for CUDA and its libraries, half to train`,
      got: `${formatBytes(free)} free of ${formatBytes(memory ?? free)} (${shown})`,
      hint: `end what nvidia-smi shows on it, choose another with --device cuda:N, ${CPU}`,
    };
  return undefined;
}

/** A pinned TensorFlow that is content with this driver. */
function otherFor(driver: string): string {
  const content = Object.entries(LEAST_DRIVER_FOR_PTX).find(
    ([, least]) => !isOlder(versionOf(driver), versionOf(least)),
  );
  return content ? `use --tensorflow ${content[0]}, ` : '';
}

/**
 * TensorFlow would have the driver compile its PTX for newer GPUs too, but 2.18's element-wise kernels are for sm_90a, which no
 * other GPU may run (CUDA_ERROR_INVALID_PTX, tensorflow issues 90291 and 99592), and 2.21's XLA fails on them (111958), as
 * CUDA 12.5 and cuDNN 9.3 are older than they are.
 */
function hasCode([major = 0, minor = 0]: Version): boolean {
  return CODE_FOR.some(([codeMajor, codeMinor = 0]) => codeMajor === major && codeMinor <= minor);
}

const versionOf = (text: string): Version => text.split('.').map(Number);

function isOlder(version: Version, least: Version): boolean {
  const i = least.findIndex((part, at) => (version[at] ?? 0) !== part);
  return i >= 0 && (version[i] ?? 0) < (least[i] ?? 0);
}

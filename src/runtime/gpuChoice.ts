/** Which GPU to compute on, or why none: a pure decision from what the driver says and what TensorFlow was built for. */
import type { Reason } from '../common/errors.js';
import { formatBytes } from '../common/format.js';
import { toType } from '../common/invocation.js';
import type { Gpu, GpuQuery } from './gpus.js';

/** A GPU to be used. */
export interface GpuChoice {
  gpu: Gpu;
  /** "cuda:1": its place among the visible ones. */
  device: string;
  /** What CUDA_VISIBLE_DEVICES is to say. */
  visible: string;
}

/**
 * NVIDIA's table "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor Version Compatibility" (release notes
 * of CUDA 12.5.1): 525.60.13 serves every 12.x, but only for machine code.
 */
const LEAST_DRIVER = '525.60.13';

/**
 * TensorFlow's 1,149 element-wise kernels have no machine code for capability 9, only PTX, which the driver must compile:
 * of version 8.3 in 2.18.1 and 8.5 in 2.21.0 (`cuobjdump -ptx`), known to the drivers of CUDA 12.3 and 12.5 and newer.
 */
const LEAST_DRIVER_FOR_PTX: Readonly<Record<string, string>> = { '2.18.1': '545.23.06', '2.21.0': '555.42.02' };

/**
 * What the pinned wheels were built for, both versions (cuda_compute_capabilities of their build info): code for x.y runs
 * on x.z for z ≥ y.
 */
const CODE_FOR = ['6.0', '7.0', '8.0', '8.9', '9.0'];

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

/** The GPU to use, or what stands in the way and the way out. */
export function chooseGpu(query: GpuQuery, { index, visibleDevices, tensorflow }: Wanted): GpuChoice | Reason {
  if ('problem' in query)
    return {
      expected: "NVIDIA's driver and a GPU",
      got: query.problem,
      hint: `install the driver, ${LEAST_DRIVER} or newer; in a container, give it the GPU (--gpus all); ${CPU}`,
    };
  const candidates = visibleGpus(query.gpus, visibleDevices);
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
      hint: `${toType('doctor')} lists them`,
    };
  const considered = asked ? [asked] : candidates;
  const obstacles = considered.map((choice) => obstacleOf(choice, tensorflow));
  return considered[obstacles.indexOf(undefined)] ?? obstacles[0] ?? first;
}

/** The GPUs that CUDA would show, in its order: it takes indices and UUIDs, and stops at what it does not know. */
function visibleGpus(gpus: Gpu[], list: string | undefined): GpuChoice[] {
  const entries = list?.split(',').map((entry) => entry.trim()) ?? gpus.map(({ index }) => String(index));
  const choices: GpuChoice[] = [];
  for (const visible of entries) {
    const gpu = gpuOf(gpus, visible);
    if (!gpu) break;
    choices.push({ gpu, device: `cuda:${choices.length}`, visible });
  }
  return choices;
}

function gpuOf(gpus: Gpu[], entry: string): Gpu | undefined {
  if (/^\d+$/.test(entry)) return gpus.find(({ index }) => index === Number(entry));
  if (entry.startsWith('GPU-')) return gpus.find(({ uuid }) => uuid.startsWith(entry));
  // A slice of a GPU, whose memory nvidia-smi does not list here; driver and capability are those of the machine's GPUs.
  const [gpu] = gpus;
  return entry.startsWith('MIG-') && gpu ? { ...gpu, name: entry, free: undefined, memory: undefined } : undefined;
}

function obstacleOf({ gpu, device }: GpuChoice, tensorflow: string | undefined): Reason | undefined {
  const { name, driver, capability, memory, free } = gpu;
  const shown = `${device}, ${name}`;
  if (isOlder(driver, LEAST_DRIVER))
    return {
      expected: `NVIDIA's driver ${LEAST_DRIVER} or newer, as CUDA 12 needs`,
      got: `${driver} (${shown})`,
      hint: `update the driver, ${CPU}`,
    };
  if (tensorflow !== undefined && !hasCode(capability))
    return {
      expected: 'a GPU of compute capability 6.0 to 9.x, for which TensorFlow has code that works',
      got: `${capability} (${shown})`,
      hint: `name a folder with a TensorFlow built for it (--runtime-dir), ${CPU}`,
    };
  const forPtx = LEAST_DRIVER_FOR_PTX[tensorflow ?? ''];
  if (forPtx !== undefined && capability.startsWith('9.') && isOlder(driver, forPtx))
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
  const content = Object.entries(LEAST_DRIVER_FOR_PTX).find(([, least]) => !isOlder(driver, least));
  return content ? `use --tensorflow ${content[0]}, ` : '';
}

/**
 * TensorFlow would have the driver compile its PTX for newer GPUs too, but 2.18's element-wise kernels are for sm_90a, which no
 * other GPU may run (CUDA_ERROR_INVALID_PTX, tensorflow issues 90291 and 99592), and 2.21's XLA fails on them (111958), as
 * CUDA 12.5 and cuDNN 9.3 are older than they are.
 */
function hasCode(capability: string): boolean {
  const [major] = capability.split('.');
  return CODE_FOR.some((code) => code.split('.')[0] === major && !isOlder(capability, code));
}

/** Of two drivers' versions or compute capabilities. */
function isOlder(version: string, least: string): boolean {
  const [parts, leastParts] = [version.split('.').map(Number), least.split('.').map(Number)];
  const i = leastParts.findIndex((part, at) => (parts[at] ?? 0) !== part);
  return i >= 0 && (parts[i] ?? 0) < (leastParts[i] ?? 0);
}

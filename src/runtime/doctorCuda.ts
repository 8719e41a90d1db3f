/** The doctor's lines on GPUs, their driver, and the libraries that TensorFlow opens for them. */
import { formatBytes } from '../common/format.js';
import { type Opened, openCudaLibraries, openDriver } from './install/cuda.js';
import type { Runtime } from './install/finished.js';
import type { Gpu, GpuQuery } from './gpus.js';

type Fact = readonly [label: string, value: string];

/** A line for each GPU, and one for the driver. */
export function gpuFacts(query: GpuQuery): Fact[] {
  if ('problem' in query) return [['GPU', `none: ${query.problem}`]];
  const drivers = [...new Set(query.gpus.map(({ driver }) => driver))];
  return [...query.gpus.map((gpu) => [`GPU ${gpu.index}`, describeGpu(gpu)] as const), ['driver', drivers.join(', ')]];
}

function describeGpu({ name, capability, memory, free }: Gpu): string {
  const room =
    memory === undefined || free === undefined ? '' : `, ${formatBytes(free)} of ${formatBytes(memory)} free`;
  return `${name}, compute capability ${capability}${room}`;
}

/** Versions, and a line for each library, of the first runtime that was built for CUDA. */
export async function cudaFacts(
  runtimes: (Runtime | string | undefined)[],
): Promise<{ facts: Fact[]; libraries: Opened[] }> {
  const runtime = runtimes.find((each): each is Runtime => typeof each === 'object' && each.cuda !== undefined);
  if (!runtime?.cuda) return { facts: [['CUDA', 'no runtime for it is installed']], libraries: [] };
  const { toolkit, cudnn } = runtime.cuda;
  const libraries = [...(await openCudaLibraries(runtime.libraries)), ...(await openDriver())];
  const found = libraries.map(({ name, file, problem }): Fact => [name, problem ? `missing: ${problem}` : file]);
  return { facts: [['CUDA', toolkit], ['cuDNN', cudnn], ...found], libraries };
}

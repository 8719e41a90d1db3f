/** NVIDIA's libraries beside TensorFlow's: which it opens at run time, where they lie, and whether they open. */
import { readdir, readFile, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLine, runCommand } from '../../common/command.js';
import { exists } from '../../common/files.js';
import { LIBRARIES } from './pins.js';

/**
 * What TensorFlow opens by these names when it first needs them (its dso_loader), and
 * nvrtc, which cuDNN opens for the kernels that it compiles on the spot. NCCL is for several GPUs.
 */
const CUDA_LIBRARIES = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
  'libcupti.so.12',
  'libnvJitLink.so.12',
  'libnvrtc.so.12',
] as const;

/** The driver's own library. */
const DRIVER = 'libcuda.so.1';

/** XLA's: its assembler, and NVIDIA's functions that it links in. Below the folder that --xla_gpu_cuda_data_dir names. */
const PTXAS = 'bin/ptxas';
const LIBDEVICE = 'nvvm/libdevice/libdevice.10.bc';

/** A library or file that TensorFlow opens, and why it does not open where it does not. */
export interface Opened {
  name: string;
  /** Where it was found; the bare name where only the system's loader knows. */
  file: string;
  problem: string | undefined;
}

/** What stands beside TensorFlow's libraries for CUDA. */
export interface Cuda {
  /** Versions, "unknown" where nothing tells them. */
  toolkit: string;
  cudnn: string;
  /** What does not open, each with its reason. */
  missing: string[];
}

/** The folder of NVIDIA's wheels; TensorFlow's RUNPATH names their `lib` folders relative to its own. */
function nvidiaFolder(libraries: string): string {
  return path.join(path.dirname(libraries), 'nvidia');
}

/** The folder with XLA's `ptxas` and `libdevice`. */
export function compilerFolder(libraries: string): string {
  return path.join(nvidiaFolder(libraries), 'cuda_nvcc');
}

/** Whether TensorFlow's libraries were built for CUDA: those name the driver's library, others do not. */
export async function isCudaBuild(libraries: string, signal?: AbortSignal): Promise<boolean> {
  return (await readFile(path.join(libraries, LIBRARIES[1]), { signal })).includes(DRIVER);
}

/** The sizes of NVIDIA's files beside TensorFlow's libraries, by path relative to `nvidia`; none where there are none. */
export async function nvidiaSizes(libraries: string): Promise<Record<string, number>> {
  const folder = nvidiaFolder(libraries);
  const parts = (await readdir(folder).catch(() => [])).sort();
  const names = parts.map(async (part) => {
    const files = await readdir(path.join(folder, part, 'lib')).catch(() => []);
    return files.filter((file) => file.includes('.so')).map((file) => path.join(part, 'lib', file));
  });
  const compiler = [PTXAS, LIBDEVICE].map((name) => path.join('cuda_nvcc', name));
  const entries = [...(await Promise.all(names)).flat().sort(), ...compiler].map(async (name) => {
    const file = await stat(path.join(folder, name)).catch(() => undefined);
    return file ? [[name, file.size] as const] : [];
  });
  return Object.fromEntries((await Promise.all(entries)).flat());
}

/** Which of the files each of CUDA_LIBRARIES is; the bare name, which the system's loader may know, where none is. */
export function libraryFiles(files: string[]): string[] {
  return CUDA_LIBRARIES.map((name) => files.find((file) => path.basename(file) === name) ?? name);
}

/** Opens every library as TensorFlow would, in a process of its own, and looks for XLA's two files. */
export async function openCudaLibraries(libraries: string, signal?: AbortSignal): Promise<Opened[]> {
  const names = Object.keys(await nvidiaSizes(libraries));
  const files = libraryFiles(names.map((name) => path.join(nvidiaFolder(libraries), name)));
  return [...(await openEach(files, signal)), ...(await compilerParts(compilerFolder(libraries), signal))];
}

/** Opens the driver's own library, which no wheel has. */
export function openDriver(signal?: AbortSignal): Promise<Opened[]> {
  return openEach([DRIVER], signal);
}

async function openEach(files: string[], signal?: AbortSignal): Promise<Opened[]> {
  const script = fileURLToPath(new URL('../../../dist/runtime/install/openLibraries.js', import.meta.url));
  const outcome = await runCommand(process.execPath, [script, ...files], { signal });
  const said = outcome?.stdout.split('\n') ?? [];
  const crash = `a crash: ${lastLine(outcome?.stderr ?? '') || 'no word'}`;
  return files.map((file, i) => {
    return { name: path.basename(file), file, problem: said[i] === 'opened' ? undefined : said[i] || crash };
  });
}

async function compilerParts(folder: string, signal?: AbortSignal): Promise<Opened[]> {
  const [ptxas, libdevice] = [path.join(folder, PTXAS), path.join(folder, LIBDEVICE)];
  const ran = await runCommand(ptxas, ['--version'], { signal });
  const failed = ran ? lastLine(ran.stderr) || `exit status ${ran.code}` : 'no such program';
  return [
    { name: 'ptxas', file: ptxas, problem: ran?.code === 0 ? undefined : failed },
    { name: 'libdevice', file: libdevice, problem: (await exists(libdevice)) ? undefined : 'no such file' },
  ];
}

/** What there is for CUDA beside the libraries of a TensorFlow that was built for it. */
export async function describeCuda(libraries: string, signal?: AbortSignal): Promise<Cuda> {
  const opened = await openCudaLibraries(libraries, signal);
  const missing = opened.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name} (${problem})`]));
  const names = await readdir(path.dirname(libraries));
  const versionOf = (wheel: string) => {
    // The names of the wheels' metadata tell it.
    const prefix = `${wheel}-`;
    const name = names.find((each) => each.startsWith(prefix) && each.endsWith('.dist-info'));
    return name?.slice(prefix.length, -'.dist-info'.length) ?? 'unknown';
  };
  return { toolkit: versionOf('nvidia_cuda_runtime_cu12'), cudnn: versionOf('nvidia_cudnn_cu12'), missing };
}

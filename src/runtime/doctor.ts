/** What this machine has of what the native runtime needs, and the command for whatever is missing. */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import type { Fallback } from '../common/backends.js';
import { lastLine, runCommand } from '../common/command.js';
import { findCompiler } from '../common/compiler.js';
import { BnTrainError } from '../common/errors.js';
import { cacheDirectory } from '../common/files.js';
import { formatBytes } from '../common/format.js';
import { toType } from '../common/invocation.js';
import { packageVersions } from '../common/machine.js';
import { choose, type DeviceOptions, fallbacksFor, firstOf, NoGpu, NotInstalled, oneLine } from './choose.js';
import { type Gpu, type GpuQuery, queryGpus } from './gpus.js';
import { proveAddon } from './install/addon.js';
import { type Opened, openCudaLibraries, openDriver } from './install/cuda.js';
import type { Runtime } from './install/finished.js';
import { locateRuntime } from './install/libraries.js';
import { thisPlatform, type Want } from './install/pins.js';
import { stockPackage } from './loadAddon.js';

export interface Diagnosis {
  facts: { label: string; value: string }[];
  gpus: Gpu[];
  /** What TensorFlow opens for CUDA, where a runtime for it is installed. */
  cudaLibraries: Opened[];
  missing: { what: string; command: string }[];
  choice: { backend: string; device: string; reason: string };
}

/** Looks, and installs nothing. */
export async function diagnose(options: { runtimeDir?: string; signal?: AbortSignal } = {}): Promise<Diagnosis> {
  const { runtimeDir, signal } = options;
  const [{ cpu, cuda }, python, pip, compiler, query, features] = await Promise.all([
    lookFor(runtimeDir, signal),
    versionOf('python3', ['--version'], signal),
    versionOf('python3', ['-m', 'pip', '--version'], signal),
    findCompiler(signal),
    queryGpus(signal),
    cpuFeatures(),
  ]);
  const { choice, lacksCuda } = await chosen({ device: 'auto', runtimeDir, gpus: query }, { cpu, cuda });
  const located = choice.device !== 'cpu' ? cuda : cpu;
  const { runtime, problem } = located;
  const found = runtime && !problem;
  const ofCuda = await cudaFacts([cuda.runtime, cpu.runtime], signal);
  const facts = [
    ['bn-train', Object.values(packageVersions()).join(', commit ')],
    ['Node', process.version],
    ['platform', `${thisPlatform()}, ${os.release()}`],
    ['CPU', `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores`],
    ['CPU features', features],
    ['memory', formatBytes(os.totalmem())],
    ...gpuFacts(query),
    ['Python', python ?? 'not found'],
    ['pip', pip ?? 'not found'],
    ['C++ compiler', compiler?.version ?? 'not found'],
    ['TensorFlow.js', stockPackage().version],
    ['TensorFlow', problem?.message ?? describeRuntime(runtime)],
    ['libraries', runtime?.libraries ?? 'none'],
    ['addon', runtime?.addon ?? 'none'],
    ...ofCuda.facts,
    ['cache', cacheDirectory()],
  ] as const;
  const needs = [
    [!found && !(python && pip), 'Python 3 with pip', 'apt-get install python3-pip'],
    // With a runtime there, what it still makes are the kernels of fused steps.
    [!compiler && (!found || choice.device === 'cpu'), 'a C++ compiler', 'apt-get install g++'],
    [!found, 'the native runtime', problem?.hint ?? toType('setup')],
    [lacksCuda, 'the runtime for CUDA', toType('setup --cuda')],
  ] as const;
  return {
    facts: facts.map(([label, value]) => ({ label, value })),
    gpus: 'gpus' in query ? query.gpus : [],
    cudaLibraries: ofCuda.libraries,
    missing: needs.flatMap(([lacks, what, command]) => (lacks ? [{ what, command }] : [])),
    choice,
  };
}

interface Located {
  runtime?: Runtime | undefined;
  /** Why it is not used. */
  problem?: BnTrainError;
}

type Found = Record<Want['device'], Located>;

/** The runtimes for both devices, which may be the same, each checked to its last byte and proved in a process of its own. */
async function lookFor(runtimeDir: string | undefined, signal: AbortSignal | undefined): Promise<Found> {
  const cpu = await look({ device: 'cpu', runtimeDir }, signal);
  if (cpu.runtime?.cuda?.missing.length === 0) return { cpu, cuda: cpu };
  return { cpu, cuda: await look({ device: 'cuda', runtimeDir }, signal) };
}

async function look(want: Want, signal: AbortSignal | undefined): Promise<Located> {
  let runtime: Runtime | undefined;
  try {
    runtime = await locateRuntime(want, { content: true, signal });
    if (runtime) await proveAddon(runtime.addon, signal);
    return { runtime };
  } catch (problem) {
    if (problem instanceof BnTrainError) return { runtime, problem };
    throw problem;
  }
}

/** What `--backend auto --device auto` would take. */
async function chosen(options: DeviceOptions, found: Found) {
  const locate = ({ device }: Want) => {
    const { runtime, problem } = found[device];
    return Promise.resolve(problem ? undefined : runtime);
  };
  let [overGpu, lacksCuda] = ['', false];
  const attempt = async (fallback: Fallback): Promise<Diagnosis['choice']> => {
    const { backend } = fallback;
    const installs = 'training installs it first if it can';
    const without = found.cpu.problem?.message ?? `no native runtime is installed; ${installs}`;
    if (backend !== 'native') return { backend, device: 'cpu', reason: without };
    const { runtime, gpu } = await choose(fallback, options, { locate });
    const why = gpu ? `, and ${gpu.gpu.name} passes every check` : `; ${overGpu}${lacksCuda ? `; ${installs}` : ''}`;
    return { backend, device: gpu?.device ?? 'cpu', reason: `TensorFlow ${runtime.tensorflow} is installed${why}` };
  };
  const passed = (next: Fallback, error: BnTrainError | NoGpu) => {
    // The CPU, natively, comes after the GPU alone.
    if (next.backend !== 'native') return;
    lacksCuda = error instanceof NotInstalled;
    overGpu = error instanceof NoGpu ? error.message : `using the CPU: ${oneLine(error)}`;
  };
  const choice = await firstOf(fallbacksFor('auto', options.device), attempt, passed);
  return { choice, lacksCuda };
}

function describeRuntime(runtime: Runtime | undefined): string {
  if (!runtime) return 'not installed';
  return `${runtime.tensorflow}, ${ORIGIN[runtime.source]}${runtime.cuda ? ', for CUDA' : ''}`;
}

const ORIGIN: Record<Runtime['source'], string> = {
  override: 'from the folder that was named',
  wheel: 'from the pinned wheel',
  python: 'from the Python environment',
};

async function versionOf(command: string, args: string[], signal?: AbortSignal): Promise<string | undefined> {
  const outcome = await runCommand(command, args, { signal });
  return outcome?.code === 0 ? lastLine(outcome.stdout) : undefined;
}

/** Those that TensorFlow's kernels make use of. */
async function cpuFeatures(): Promise<string> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = new Set(/^flags\s*:(.*)$/m.exec(info)?.[1]?.trim().split(' ') ?? []);
  const known = ['avx', 'avx2', 'fma', 'avx512f', 'avx512_vnni', 'amx_tile'].filter((flag) => flags.has(flag));
  return known.join(' ') || 'unknown';
}

type Fact = readonly [label: string, value: string];

/** A line for each GPU, and one for the driver. */
function gpuFacts(query: GpuQuery): Fact[] {
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
async function cudaFacts(
  runtimes: (Runtime | undefined)[],
  signal?: AbortSignal,
): Promise<{ facts: Fact[]; libraries: Opened[] }> {
  const runtime = runtimes.find((each) => each?.cuda);
  if (!runtime?.cuda) return { facts: [['CUDA', 'no runtime for it is installed']], libraries: [] };
  const { toolkit, cudnn } = runtime.cuda;
  const libraries = [...(await openCudaLibraries(runtime.libraries, signal)), ...(await openDriver(signal))];
  const found = libraries.map(({ name, file, problem }): Fact => [name, problem ? `missing: ${problem}` : file]);
  return { facts: [['CUDA', toolkit], ['cuDNN', cudnn], ...found], libraries };
}

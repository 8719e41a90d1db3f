/** What this machine has of what the native runtime needs, and the command for whatever is missing. */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import { lastLine, runCommand } from '../common/command.js';
import { type BnTrainError, messageOf } from '../common/errors.js';
import { cacheDirectory } from '../common/files.js';
import { formatBytes } from '../common/format.js';
import {
  choose,
  type DeviceOptions,
  type Fallback,
  fallbacksFor,
  firstOf,
  NoGpu,
  NotInstalled,
  oneLine,
  type Source,
} from './choose.js';
import { type Gpu, type GpuQuery, queryGpus } from './gpus.js';
import { findCompiler } from './install/addon.js';
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

/** Looks, and changes nothing. */
export async function diagnose({ runtimeDir }: { runtimeDir?: string | undefined } = {}): Promise<Diagnosis> {
  const [cpu, cuda, python, pip, compiler, query, features] = await Promise.all([
    locateOrWhy({ device: 'cpu', runtimeDir }),
    locateOrWhy({ device: 'cuda', runtimeDir }),
    versionOf('python3', ['--version']),
    versionOf('python3', ['-m', 'pip', '--version']),
    findCompiler(),
    queryGpus(),
    cpuFeatures(),
  ]);
  const locate: Source['locate'] = ({ device }) => Promise.resolve([device === 'cuda' ? cuda : cpu].find(isRuntime));
  const { choice, lacksCuda } = await chosen({ device: 'auto', runtimeDir, gpus: query }, locate);
  const runtime = choice.device !== 'cpu' ? cuda : cpu;
  const found = isRuntime(runtime) ? runtime : undefined;
  const ofCuda = await cudaFacts([cuda, cpu]);
  const facts = [
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
    ['TensorFlow', describeRuntime(runtime)],
    ['libraries', found?.libraries ?? 'none'],
    ['addon', found?.addon ?? 'none'],
    ...ofCuda.facts,
    ['cache', cacheDirectory()],
  ] as const;
  const needs = [
    [!found && !(python && pip), 'Python 3 with pip', 'apt-get install python3-pip'],
    [!found && !compiler, 'a C++ compiler', 'apt-get install g++'],
    [!found, 'the native runtime', 'bn-train setup'],
    [lacksCuda, 'the runtime for CUDA', 'bn-train setup --cuda'],
  ] as const;
  return {
    facts: facts.map(([label, value]) => ({ label, value })),
    gpus: 'gpus' in query ? query.gpus : [],
    cudaLibraries: ofCuda.libraries,
    missing: needs.flatMap(([lacks, what, command]) => (lacks ? [{ what, command }] : [])),
    choice,
  };
}

type Located = Runtime | string | undefined;

const isRuntime = (located: Located): located is Runtime => typeof located === 'object';

/** The runtime, or why it cannot be said. */
function locateOrWhy(want: Want): Promise<Located> {
  return locateRuntime(want).catch((error: unknown) => messageOf(error));
}

/** What `--backend auto --device auto` would take. */
async function chosen(options: DeviceOptions, locate: Source['locate']) {
  let [overGpu, lacksCuda] = ['', false];
  const attempt = async (fallback: Fallback): Promise<Diagnosis['choice']> => {
    const { backend } = fallback;
    const installs = 'training installs it first if it can';
    if (backend !== 'native') return { backend, device: 'cpu', reason: `no native runtime is installed; ${installs}` };
    const { runtime, gpu } = await choose(fallback, options, { locate });
    const why = gpu ? `, and ${gpu.gpu.name} passes every check` : `; ${overGpu}${lacksCuda ? `; ${installs}` : ''}`;
    return { backend, device: gpu?.device ?? 'cpu', reason: `TensorFlow ${runtime.tensorflow} is installed${why}` };
  };
  const passed = ({ device }: Fallback, error: BnTrainError) => {
    if (device !== 'cuda') return;
    lacksCuda = error instanceof NotInstalled;
    overGpu = error instanceof NoGpu ? error.message : `using the CPU: ${oneLine(error)}`;
  };
  const choice = await firstOf(fallbacksFor('auto', options.device), attempt, passed);
  return { choice, lacksCuda };
}

function describeRuntime(runtime: Located): string {
  if (!isRuntime(runtime)) return runtime ?? 'not installed';
  return `${runtime.tensorflow}, ${ORIGIN[runtime.source]}${runtime.cuda ? ', for CUDA' : ''}`;
}

const ORIGIN: Record<Runtime['source'], string> = {
  override: 'from the folder that was named',
  wheel: 'from the pinned wheel',
  python: 'from the Python environment',
};

async function versionOf(command: string, args: string[]): Promise<string | undefined> {
  const outcome = await runCommand(command, args);
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
async function cudaFacts(runtimes: Located[]): Promise<{ facts: Fact[]; libraries: Opened[] }> {
  const runtime = runtimes.filter(isRuntime).find((each) => each.cuda);
  if (!runtime?.cuda) return { facts: [['CUDA', 'no runtime for it is installed']], libraries: [] };
  const { toolkit, cudnn } = runtime.cuda;
  const libraries = [...(await openCudaLibraries(runtime.libraries)), ...(await openDriver())];
  const found = libraries.map(({ name, file, problem }): Fact => [name, problem ? `missing: ${problem}` : file]);
  return { facts: [['CUDA', toolkit], ['cuDNN', cudnn], ...found], libraries };
}

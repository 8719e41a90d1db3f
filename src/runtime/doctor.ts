/** What this machine has of what the native runtime needs, and the command for whatever is missing. */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import { messageOf } from '../common/errors.js';
import { cacheDirectory } from '../common/files.js';
import { formatBytes } from '../common/format.js';
import { findCompiler } from './install/addon.js';
import { thisPlatform } from './install/builds.js';
import { lastLine, runCommand } from '../common/command.js';
import { cudaFacts, gpuFacts } from './doctorCuda.js';
import type { Opened } from './install/cuda.js';
import type { Runtime } from './install/finished.js';
import { locateRuntime, type RuntimeOptions } from './install/install.js';
import { stockPackage } from './loadAddon.js';
import { type Gpu, queryGpus } from './gpus.js';
import { place, type Placement } from './choose.js';

export interface Diagnosis {
  facts: { label: string; value: string }[];
  gpus: Gpu[];
  /** What TensorFlow opens for CUDA, where a runtime for it is installed. */
  cudaLibraries: Opened[];
  missing: { what: string; command: string }[];
  choice: { backend: string; device: string; reason: string };
}

/** Looks, and changes nothing. */
export async function diagnose(options: { runtimeDir?: string | undefined } = {}): Promise<Diagnosis> {
  const [cpu, cuda, python, pip, compiler, query, features] = await Promise.all([
    locateOrWhy(options),
    locateOrWhy({ ...options, device: 'cuda' }),
    versionOf('python3', ['--version']),
    versionOf('python3', ['-m', 'pip', '--version']),
    findCompiler(),
    queryGpus(),
    cpuFeatures(),
  ]);
  const placement = await place('auto', { ...options, gpus: query });
  const runtime = placement.kind === 'cuda' && typeof cuda === 'object' ? cuda : cpu;
  const found = typeof runtime === 'object' ? runtime : undefined;
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
  const missing = found ? [] : missingTools(python, pip, compiler !== undefined);
  const wantsCuda = placement.kind === 'cuda' && typeof cuda !== 'object';
  return {
    facts: facts.map(([label, value]) => ({ label, value })),
    gpus: 'gpus' in query ? query.gpus : [],
    cudaLibraries: ofCuda.libraries,
    missing: wantsCuda ? [...missing, { what: 'the runtime for CUDA', command: 'bn-train setup --cuda' }] : missing,
    choice: chosen(found, placement),
  };
}

type Located = Runtime | string | undefined;

/** The runtime, or why it cannot be said. */
function locateOrWhy(options: RuntimeOptions): Promise<Located> {
  return locateRuntime(options).catch((error: unknown) => messageOf(error));
}

function describeRuntime(runtime: Located): string {
  if (typeof runtime !== 'object') return runtime ?? 'not installed';
  return `${runtime.tensorflow}, ${ORIGIN[runtime.source]}${runtime.cuda ? ', for CUDA' : ''}`;
}

const ORIGIN: Record<Runtime['source'], string> = {
  override: 'from the folder that was named',
  wheel: 'from the pinned wheel',
  python: 'from the Python environment',
};

/** What `--backend auto --device auto` would take. */
function chosen(found: Runtime | undefined, placement: Placement): Diagnosis['choice'] {
  const onCpu = placement.kind === 'cpu' ? (placement.notice ?? 'no NVIDIA GPU is to be seen') : '';
  const device = placement.kind === 'cpu' ? 'cpu' : placement.choice.device;
  const gpu = placement.kind === 'cpu' ? '' : `, and ${placement.choice.gpu.name} passes every check`;
  if (found && (placement.kind === 'cpu' || found.cuda))
    return { backend: 'native', device, reason: `TensorFlow ${found.tensorflow} is installed${gpu || `; ${onCpu}`}` };
  if (found)
    return {
      backend: 'native',
      device: 'cpu',
      reason: `no runtime for CUDA is installed; training installs it first if it can${gpu}`,
    };
  return {
    backend: 'wasm',
    device: 'cpu',
    reason: 'no native runtime is installed; training installs it first if it can',
  };
}

function missingTools(python: string | undefined, pip: string | undefined, compiler: boolean): Diagnosis['missing'] {
  const missing: Diagnosis['missing'] = [];
  if (python === undefined || pip === undefined)
    missing.push({ what: 'Python 3 with pip', command: 'apt-get install python3-pip' });
  if (!compiler) missing.push({ what: 'a C++ compiler', command: 'apt-get install g++' });
  return [...missing, { what: 'the native runtime', command: 'bn-train setup' }];
}

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

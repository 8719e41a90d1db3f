/** What this machine has of what the native runtime needs, and the command for whatever is missing. */
import { readFile } from 'node:fs/promises';
import * as os from 'node:os';
import { messageOf } from '../errors.js';
import { cacheDirectory } from '../files.js';
import { formatBytes } from '../format.js';
import { findCompiler } from './addon.js';
import { thisPlatform } from './builds.js';
import { lastLine, runCommand } from './command.js';
import type { Runtime } from './finished.js';
import { locateRuntime } from './install.js';
import { stockPackage } from './native.js';

export interface Diagnosis {
  facts: { label: string; value: string }[];
  missing: { what: string; command: string }[];
  choice: { backend: string; reason: string };
}

/** Looks, and changes nothing. */
export async function diagnose(options: { runtimeDir?: string | undefined } = {}): Promise<Diagnosis> {
  const [runtime, python, pip, compiler, gpu, features] = await Promise.all([
    locateRuntime(options).catch((error: unknown) => messageOf(error)),
    versionOf('python3', ['--version']),
    versionOf('python3', ['-m', 'pip', '--version']),
    findCompiler(),
    versionOf('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader']),
    cpuFeatures(),
  ]);
  const found = typeof runtime === 'object' ? runtime : undefined;
  const facts = [
    ['Node', process.version],
    ['platform', `${thisPlatform()}, ${os.release()}`],
    ['CPU', `${os.cpus()[0]?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores`],
    ['CPU features', features],
    ['memory', formatBytes(os.totalmem())],
    ['GPU', gpu ?? 'no NVIDIA driver answers'],
    ['Python', python ?? 'not found'],
    ['pip', pip ?? 'not found'],
    ['C++ compiler', compiler?.version ?? 'not found'],
    ['TensorFlow.js', stockPackage().version],
    [
      'TensorFlow',
      found ? `${found.tensorflow}, ${ORIGIN[found.source]}` : typeof runtime === 'string' ? runtime : 'not installed',
    ],
    ['libraries', found?.libraries ?? 'none'],
    ['addon', found?.addon ?? 'none'],
    ['cache', cacheDirectory()],
  ] as const;
  return {
    facts: facts.map(([label, value]) => ({ label, value })),
    missing: found ? [] : missingTools(python, pip, compiler !== undefined),
    choice: found
      ? { backend: 'native', reason: `TensorFlow ${found.tensorflow} is installed` }
      : { backend: 'wasm', reason: 'no native runtime is installed; training installs it first if it can' },
  };
}

const ORIGIN: Record<Runtime['source'], string> = {
  override: 'from the folder that was named',
  wheel: 'from the pinned wheel',
  python: 'from the Python environment',
};

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

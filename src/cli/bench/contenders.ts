/** Who is measured: this project in this process, and commands that serve in processes of their own. */
import * as os from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BenchMode, OwnProgram } from '../../bench/own.js';
import { type Command, shellCommand } from '../../bench/peer.js';
import { parseRequest } from '../../bench/protocol.js';
import { packageVersion } from '../../common/machine.js';
import { loadFashionMnist } from '../../data/fashionMnist.js';
import type { Norm } from '../../nn/lenet.js';
import { assertBatch, defaultMode } from '../../train/step.js';
import type { PlaceOptions } from '../options.js';
import type { Session } from '../session.js';
import { whyUnfused } from '../whyUnfused.js';

export interface BenchFlags extends PlaceOptions {
  steps: number;
  turns: number;
  batchSize: number;
  norms: Norm[];
  modes?: BenchMode[];
  peer: string[];
  starts: number;
  serve?: boolean;
  json?: boolean;
}

/** With a file of its own, which may say how many examples a step takes. */
export type ModelBenchFlags = Omit<BenchFlags, 'batchSize'> & { batchSize?: number | undefined };

/** What Node runs as this program. */
export const PROGRAM = fileURLToPath(new URL('../../../bin/bn-train.js', import.meta.url));

/** This project first, then each --peer; all read the data from one folder. */
export function contenders(flags: BenchFlags, dataDir: string): Command[] {
  const { norms, modes, batchSize, peer } = flags;
  const work = ['--data-dir', dataDir, '--batch-size', String(batchSize), '--norms', norms.join(',')];
  const own = ['bench', '--serve', ...work, ...placeArguments(flags), ...(modes ? ['--modes', modes.join(',')] : [])];
  return [
    { label: 'bn-train', file: process.execPath, args: [...process.execArgv, PROGRAM, ...own] },
    ...peer.map((line) => shellCommand(line, work)),
  ];
}

/** The flags that have another process of this program compute in the same place, with data of the same kind. */
export function placeArguments(flags: PlaceOptions): string[] {
  const { backend, device, runtimeDir, tensorflow, deterministic, anyData } = flags;
  return [
    ...['--backend', backend, '--device', device, '--quiet'],
    ...(runtimeDir === undefined ? [] : ['--runtime-dir', runtimeDir]),
    ...(tensorflow === undefined ? [] : ['--tensorflow', tensorflow]),
    ...(deterministic ? ['--deterministic'] : []),
    ...(anyData ? ['--any-data'] : []),
  ];
}

/** Opens the backend and the data set in this process. */
export async function openOwn(flags: BenchFlags, { terminal, signal }: Session): Promise<OwnProgram> {
  const { openReady } = await import('../../runtime/open.js');
  const { tensorflow, name, fallback } = await openReady(flags, { listener: terminal, signal });
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  for (const norm of flags.norms) assertBatch(norm !== 'none', flags.batchSize, data.train.count);
  const versions = {
    'bn-train': packageVersion(),
    node: process.versions.node,
    ...(tensorflow === undefined ? { backend: name } : { tensorflow }),
  };
  const threads = os.availableParallelism();
  const modes = flags.modes ?? (await modesWithoutKernels(terminal));
  return new OwnProgram({ ...flags, modes, data, versions, threads, fallback: fallback ?? undefined, signal });
}

/** Nobody asked for fused steps by name: where they cannot be had, the others are measured. */
async function modesWithoutKernels({ warn }: Session['terminal']): Promise<BenchMode[] | undefined> {
  if (defaultMode() !== 'fused') return undefined;
  const reason = await whyUnfused((await import('../../graph/compile.js')).compileSteps);
  if (reason === undefined) return undefined;
  warn(`measuring without fused kernels: ${reason}`);
  return ['graph', 'eager'];
}

/** Says who is here, then answers requests until there are no more. */
export async function serve(flags: BenchFlags, session: Session): Promise<void> {
  const own = await openOwn(flags, session);
  session.terminal.printJson(own.hello);
  for await (const line of createInterface({ input: process.stdin, signal: session.signal })) {
    const { name, steps } = parseRequest(line, own.hello.contestants);
    session.terminal.printJson(await own.run(name, steps));
  }
  await own.close();
}

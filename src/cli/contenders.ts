/** Who is measured: this project in this process, and commands that serve in processes of their own. */
import * as os from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { OwnProgram } from '../bench/own.js';
import { type Command, shellCommand } from '../bench/peer.js';
import { parseRequest } from '../bench/protocol.js';
import { loadFashionMnist } from '../data/fashionMnist.js';
import type { Listener } from '../common/listener.js';
import type { BenchFlags, PlaceOptions } from './options.js';
import { packageVersion } from '../common/machine.js';

/** What Node runs as this program. */
export const PROGRAM = fileURLToPath(new URL('../../bin/bn-train.js', import.meta.url));

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

/** The flags that have another process compute in the same place. */
export function placeArguments({ backend, device, runtimeDir, tensorflow, deterministic }: PlaceOptions): string[] {
  return [
    ...['--backend', backend, '--device', device, '--quiet'],
    ...(runtimeDir === undefined ? [] : ['--runtime-dir', runtimeDir]),
    ...(tensorflow === undefined ? [] : ['--tensorflow', tensorflow]),
    ...(deterministic ? ['--deterministic'] : []),
  ];
}

/** Opens the backend and the data set in this process. */
export async function openOwn(flags: BenchFlags, listener: Listener, signal: AbortSignal): Promise<OwnProgram> {
  const { openReady } = await import('../runtime/open.js');
  const { tensorflow, name } = await openReady(flags, { listener, signal });
  const data = await loadFashionMnist({ dataDir: flags.dataDir, listener });
  const versions = {
    'bn-train': packageVersion(),
    node: process.versions.node,
    ...(tensorflow === undefined ? { backend: name } : { tensorflow }),
  };
  return new OwnProgram({ ...flags, data, versions, threads: os.availableParallelism(), signal });
}

/** Says who is here, then answers requests until there are no more. */
export async function serve(flags: BenchFlags, listener: Listener, signal: AbortSignal): Promise<void> {
  const own = await openOwn(flags, listener, signal);
  console.log(JSON.stringify(own.hello));
  for await (const line of createInterface({ input: process.stdin })) {
    const { name, steps } = parseRequest(line, own.hello.contestants);
    console.log(JSON.stringify(await own.run(name, steps)));
  }
  await own.close();
}

/** The native runtime's install from its flags: for which device, and what is said of it. */
import { BnTrainError } from '../common/errors.js';
import { Terminal } from '../report/terminal.js';
import { findGpu, oneLine } from '../runtime/choose.js';
import type { Runtime } from '../runtime/install/finished.js';
import { installRuntime } from '../runtime/install/install.js';
import { locateRuntime } from '../runtime/install/libraries.js';
import type { MachineFlags } from './options.js';
import { interruptSignal } from './session.js';

/** Installs for CUDA where --cuda says so or a GPU can be used, else for the CPU. */
export async function runSetup({ cuda, tensorflow, runtimeDir, quiet = false }: MachineFlags): Promise<void> {
  const listener = new Terminal({ quiet });
  const signal = interruptSignal();
  const want = { device: 'cuda', tensorflow, runtimeDir } as const;
  const installed = async () => (await locateRuntime(want))?.tensorflow;
  const obstacle = await findGpu({ ...want, device: cuda ? 'cuda' : 'auto' }, installed).then(() => undefined, whyNot);
  const device = cuda || obstacle === undefined ? 'cuda' : 'cpu';
  const runtime = await installRuntime({ ...want, device }, { listener, signal }).finally(() => listener.close());
  console.log(readyLines(runtime, device).join('\n'));
  if (cuda && obstacle) listener.notice(`no GPU can be used yet. ${oneLine(obstacle)}`);
}

function whyNot(error: unknown): BnTrainError {
  if (error instanceof BnTrainError) return error;
  throw error;
}

function readyLines({ tensorflow, libraries, cuda }: Runtime, device: 'cpu' | 'cuda'): string[] {
  const ready = `TensorFlow ${tensorflow} is ready: ${libraries}`;
  if (device === 'cpu' || !cuda) return [ready];
  return [ready, `CUDA ${cuda.toolkit}, cuDNN ${cuda.cudnn}: every library that TensorFlow opens was found and opens`];
}

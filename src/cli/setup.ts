/** The native runtime's install from its flags: for which device, and what is said of it. */
import { BnTrainError } from '../common/errors.js';
import { Terminal } from '../report/terminal.js';
import type { Runtime } from '../runtime/install/finished.js';
import { installRuntime } from '../runtime/install/install.js';
import { oneLine, place, type PlaceOptions } from '../runtime/choose.js';
import type { MachineFlags } from './options.js';
import { interruptSignal } from './session.js';

/** Installs for CUDA where --cuda says so or a GPU can be used, else for the CPU. */
export async function runSetup({ cuda, tensorflow, runtimeDir, quiet = false }: MachineFlags): Promise<void> {
  const listener = new Terminal({ quiet });
  const signal = interruptSignal();
  const device = cuda || (await place('auto', { runtimeDir, tensorflow })).kind === 'cuda' ? 'cuda' : 'cpu';
  const options = { device, tensorflow, runtimeDir, listener, signal } as const;
  const runtime = await installRuntime(options).finally(() => listener.close());
  console.log(readyLines(runtime, device).join('\n'));
  if (cuda) await tellUnusable(listener, { runtimeDir, tensorflow });
}

function readyLines({ tensorflow, libraries, cuda }: Runtime, device: 'cpu' | 'cuda'): string[] {
  const ready = `TensorFlow ${tensorflow} is ready: ${libraries}`;
  if (device === 'cpu' || !cuda) return [ready];
  return [ready, `CUDA ${cuda.toolkit}, cuDNN ${cuda.cudnn}: every library that TensorFlow opens was found and opens`];
}

/** Says what still keeps it from being used here. */
async function tellUnusable({ notice }: Terminal, options: PlaceOptions): Promise<void> {
  await place('cuda', options).catch((error: unknown) => {
    if (!(error instanceof BnTrainError)) throw error;
    notice(`no GPU can be used yet. ${oneLine(error)}`);
  });
}

/** Where to compute, from what the user asked for and what the machine has. */
import { type BnTrainError, cannot, EXIT } from '../common/errors.js';
import { chooseGpu, type Choice } from './gpuChoice.js';
import { locateRuntime } from './install/install.js';
import { type GpuQuery, queryGpus } from './gpus.js';
import { VERSIONS } from './install/pins.js';

/** The CPU, or a GPU that passed every check that can be made before TensorFlow is loaded. */
export type Placement =
  // The notice says why not a GPU, where the machine seems to have one.
  | { kind: 'cpu'; notice?: string }
  // Where it is not required, the CPU may take over.
  | { kind: 'cuda'; choice: Choice; required: boolean };

export interface PlaceOptions {
  /** The GPUs, where they were asked for already. */
  gpus?: GpuQuery;
  /** The folder of a TensorFlow that the user named; what it was built for is not known. */
  runtimeDir?: string | undefined;
  tensorflow?: string | undefined;
}

/** Throws a BnTrainError for a device that is not one. */
export function assertDevice(device: string): void {
  if (device === 'auto' || device === 'cpu' || /^cuda(:\d{1,3})?$/.test(device)) return;
  throw cannot('open the backend', {
    expected: 'the device auto, cpu or cuda[:N]',
    got: device,
    exitCode: EXIT.usage,
  });
}

/** The device by its whole name: "cuda" is cuda:0. */
export function wholeName(device: string): string {
  return device === 'cuda' ? 'cuda:0' : device;
}

/**
 * The place for `auto`, `cpu`, `cuda` (cuda:0) or `cuda:N`. Throws a BnTrainError for a device that is none, and where a
 * GPU that was asked for cannot be used; under `auto` the CPU takes over and the notice says why.
 */
export async function place(device: string, options: PlaceOptions = {}): Promise<Placement> {
  assertDevice(device);
  if (device === 'cpu') return { kind: 'cpu' };
  const visibleDevices = process.env['CUDA_VISIBLE_DEVICES'];
  // Whoever hides every GPU needs no word on it.
  if (device === 'auto' && /^(-1)?$/.test(visibleDevices ?? '0')) return { kind: 'cpu' };
  const query = options.gpus ?? (await queryGpus());
  const chosen = chooseGpu(query, {
    index: device === 'auto' ? undefined : Number(wholeName(device).split(':')[1]),
    visibleDevices,
    tensorflow: 'gpus' in query ? await versionFor(options) : undefined,
  });
  if ('gpu' in chosen) return { kind: 'cuda', choice: chosen, required: device !== 'auto' };
  if (device !== 'auto') throw cannot(`use the device ${device}`, chosen);
  if ('problem' in query && query.plain) return { kind: 'cpu' };
  return { kind: 'cpu', notice: `using the CPU: ${oneLine(cannot('use the GPU', chosen))}` };
}

/** The version of TensorFlow that would be used; undefined where the user names a folder. */
async function versionFor({ runtimeDir, tensorflow }: PlaceOptions): Promise<string | undefined> {
  if ((runtimeDir ?? process.env['BN_TRAIN_RUNTIME_DIR'] ?? '') !== '') return undefined;
  return tensorflow ?? (await locateRuntime({ device: 'cuda' }))?.tensorflow ?? VERSIONS[0];
}

/** An error as one line. */
export function oneLine({ message, hint }: BnTrainError): string {
  return hint === undefined ? message : `${message}; hint: ${hint}`;
}

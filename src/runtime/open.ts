/** Opens a backend and says why this one; never installs anything. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { BnTrainError, cannot, EXIT, messageOf } from '../common/errors.js';
import { assertPinned } from './install/builds.js';
import { compilerFolder, libraryFiles } from './install/cuda.js';
import { prepareEnvironment, type Settings } from './environment.js';
import type { Runtime } from './install/finished.js';
import { locateRuntime } from './install/install.js';
import { loadNative } from './loadAddon.js';
import { assertDevice, place, type Placement, wholeName } from './choose.js';
import { openWasm } from './wasm.js';

export const BACKENDS = ['auto', 'native', 'wasm', 'js'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface BackendInfo {
  name: Exclude<BackendName, 'auto'>;
  /** "cpu", or "cuda:N". */
  device: string;
  /** One line: why this backend. */
  reason: string;
  /** TensorFlow's version, on the native backend. */
  tensorflow?: string;
  /** The GPU's name, where one is used. */
  gpu?: string;
  /** One line: why a GPU that the machine has is not used. */
  warning?: string;
  /** The command that would give a faster backend. */
  fix?: string;
}

export interface BackendOptions {
  /** auto, cpu or cuda[:N]. The native backend has one device, deterministic or not, a process: that of its first opening. */
  device?: string | undefined;
  runtimeDir?: string | undefined;
  /** TensorFlow's version, one of those that are pinned. */
  tensorflow?: string | undefined;
  /** On a GPU, the same bits from the same seed every time; on the CPU that is always so. */
  deterministic?: boolean | undefined;
  /** False keeps a GPU from TF32. */
  tf32?: boolean | undefined;
}

/**
 * Makes a tfjs backend the one in use: `native` is TensorFlow's C++, `wasm` and `js` ship with npm packages. `auto`
 * takes native where a finished runtime is found and wasm elsewhere; so does the device `auto` take a GPU. Throws a
 * BnTrainError for an unknown name or device, for `native` without a runtime, and for a GPU that cannot be used.
 */
export async function openBackend(name: BackendName = 'auto', options: BackendOptions = {}): Promise<BackendInfo> {
  const device = options.device ?? 'auto';
  assertBackend(name, device);
  if (name === 'js' || name === 'wasm') return openPlaced(name, { kind: 'cpu' }, options);
  // A process that has opened TensorFlow stays where it did.
  // After it is opened, what the environment says of GPUs is this process's own word.
  if (opened) {
    const asked = wholeName(device);
    if (asked !== 'auto' && asked !== deviceOf(opened)) throw moved(deviceOf(opened), asked);
    return openPlaced(name, opened, options);
  }
  return openPlaced(name, await place(device, options), options);
}

/** Throws a BnTrainError for names that are none, and for a backend without such a device. */
export function assertBackend(name: BackendName, device: string): void {
  if (!BACKENDS.includes(name))
    throw cannot('open the backend', { expected: BACKENDS.join(', '), got: name, exitCode: EXIT.usage });
  assertDevice(device);
  if (device.startsWith('cuda') && (name === 'js' || name === 'wasm'))
    throw cannot(`use the device ${device}`, {
      expected: 'the native backend, which alone computes there',
      got: name,
      hint: 'use --device cpu or leave --device out',
      exitCode: EXIT.usage,
    });
}

/** As openBackend, in a place that was chosen before. */
export async function openPlaced(
  name: BackendName,
  placement: Placement,
  options: BackendOptions = {},
): Promise<BackendInfo> {
  if (name === 'js') return openJs();
  if (name === 'wasm') return openWasmBackend('it was asked for');
  assertPinned(options.tensorflow);
  if (opened && deviceOf(opened) !== deviceOf(placement)) throw moved(deviceOf(opened), deviceOf(placement));
  const found = await findRuntime(placement, options);
  if (name === 'native') return openNative(found.runtime, found.placement, options);
  if (!found.runtime) return openWasmBackend('no native runtime is installed');
  try {
    return await openNative(found.runtime, found.placement, options);
  } catch (error) {
    // What has no cause is no fault of the runtime's.
    const demanded = found.placement.kind === 'cuda' && found.placement.required;
    if (demanded || !(error instanceof BnTrainError) || error.cause === undefined) throw error;
    return openWasmBackend(`the native runtime does not load: ${messageOf(error.cause)}`, error.hint);
  }
}

/** The runtime for a place; where there is none for CUDA and none is required, the CPU's. */
async function findRuntime(
  placement: Placement,
  { runtimeDir, tensorflow }: BackendOptions,
): Promise<{ runtime: Runtime | undefined; placement: Placement }> {
  const want = { runtimeDir, tensorflow };
  if (placement.kind === 'cpu') return { runtime: await locateRuntime(want), placement };
  const { choice, required } = placement;
  const runtime = await locateRuntime({ ...want, device: 'cuda' }).catch((error: unknown) => {
    if (required || !(error instanceof BnTrainError) || error.exitCode === EXIT.usage) throw error;
    return undefined;
  });
  if (runtime) return { runtime, placement };
  if (required)
    throw cannot(`use the device ${choice.device}`, {
      expected: 'a finished runtime for CUDA',
      got: 'none',
      hint: 'bn-train setup --cuda',
    });
  const notice = `using the CPU: ${choice.gpu.name} would do, but no runtime for CUDA is installed; hint: bn-train setup --cuda`;
  return { runtime: await locateRuntime(want), placement: { kind: 'cpu', notice } };
}

/** Where this process has opened TensorFlow. */
let opened: Placement | undefined;

async function openNative(
  runtime: Runtime | undefined,
  placement: Placement,
  settings: Settings,
): Promise<BackendInfo> {
  if (!runtime)
    throw cannot('open the native backend', { expected: 'a finished runtime', got: 'none', hint: 'bn-train setup' });
  const device = deviceOf(placement);
  if (!opened) prepareEnvironment(placement, { ...settings, ...partsOf(runtime) });
  const { tensorflow, usesGpu } = load(runtime.addon);
  opened = placement;
  // Loading makes it the one in use only the first time.
  await tf.setBackend('tensorflow');
  const reason = `TensorFlow ${tensorflow} in ${runtime.libraries}`;
  const info: BackendInfo = { name: 'native', device, reason, tensorflow };
  if (placement.kind === 'cpu') return placement.notice === undefined ? info : { ...info, warning: placement.notice };
  const { name } = placement.choice.gpu;
  if (usesGpu) return { ...info, gpu: name };
  const unused = cannot(`use the device ${device}`, {
    expected: `TensorFlow to open ${name}`,
    got: 'the CPU only',
    hint: 'bn-train doctor shows what it has to go by; TF_CPP_MIN_LOG_LEVEL=0 has TensorFlow say why; or use --device cpu',
  });
  if (placement.required) throw unused;
  opened = { kind: 'cpu' };
  return { ...info, device: 'cpu', warning: `using the CPU: ${unused.message}; hint: ${unused.hint ?? ''}` };
}

/** NVIDIA's part of a runtime. */
function partsOf({ cuda, libraries }: Runtime): Pick<Settings, 'compiler' | 'libraries'> {
  if (!cuda) return {};
  return { compiler: compilerFolder(libraries), libraries: libraryFiles(libraries, cuda.sizes) };
}

const deviceOf = (placement: Placement) => (placement.kind === 'cpu' ? 'cpu' : placement.choice.device);

/** TensorFlow reads its environment once. */
function moved(before: string, device: string): BnTrainError {
  return cannot(`use the device ${device}`, {
    expected: `${before}, where this process opened TensorFlow`,
    got: device,
    hint: 'use a process for each device',
  });
}

function load(addon: string): ReturnType<typeof loadNative> {
  try {
    return loadNative(addon);
  } catch (error) {
    throw cannot('open the native backend', {
      expected: `the addon ${addon} to load`,
      got: messageOf(error),
      hint: `rm -r '${path.dirname(addon)}' && bn-train setup`,
      cause: error,
    });
  }
}

async function openJs(): Promise<BackendInfo> {
  silenceGreeting();
  await tf.setBackend('cpu');
  return { name: 'js', device: 'cpu', reason: 'it was asked for', fix: 'bn-train setup' };
}

async function openWasmBackend(reason: string, fix = 'bn-train setup'): Promise<BackendInfo> {
  silenceGreeting();
  await openWasm();
  return { name: 'wasm', device: 'cpu', reason, fix };
}

/** tfjs's JS backend, which WASM uses too, advises Node users at its first tensor to install what `fix` installs. */
function silenceGreeting(): void {
  Object.assign(tf.findBackend('cpu'), { firstUse: false });
}

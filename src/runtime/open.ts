/** Opens a backend and says why this one. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type BnTrainError, cannot, EXIT, messageOf } from '../common/errors.js';
import type { Watch } from '../common/listener.js';
import * as places from './choose.js';
import { prepareEnvironment, type Settings } from './environment.js';
import { compilerFolder, libraryFiles } from './install/cuda.js';
import type { Runtime } from './install/finished.js';
import { locateRuntime } from './install/libraries.js';
import { assertPinned } from './install/pins.js';
import { loadNative } from './loadAddon.js';
import { openWasm, readyJs } from './wasm.js';

export interface BackendInfo {
  name: places.Fallback['backend'];
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
 * takes native where a finished runtime is found and wasm elsewhere; so does the device `auto` take a GPU. Installs
 * nothing. Throws a BnTrainError for an unknown name or device, for `native` without a runtime, and for a GPU that cannot
 * be used.
 */
export function openBackend(name: places.BackendName = 'auto', options: BackendOptions = {}): Promise<BackendInfo> {
  return open(name, options, { locate: locateRuntime }, () => undefined);
}

/**
 * As openBackend, but installs the native runtime on first need. Tells `listener` at once what is passed over, as what
 * comes next may take minutes.
 */
export async function openReady(
  { backend, ...options }: BackendOptions & { backend: places.BackendName },
  { listener, signal }: Watch,
): Promise<BackendInfo> {
  const make: places.Source['make'] = async (want) => {
    const { makeRuntime } = await import('./install/install.js');
    return makeRuntime(want, { listener, signal });
  };
  const info = await open(backend, options, { locate: locateRuntime, make }, listener.notice);
  if (info.name !== 'native' && info.fix !== undefined)
    listener.notice(
      `using the ${info.name} backend (${info.reason}), which is many times slower than native; to mend it: ${info.fix}`,
    );
  return info;
}

async function open(
  name: places.BackendName,
  options: BackendOptions,
  source: places.Source,
  tell: (line: string) => void,
): Promise<BackendInfo> {
  const { device = 'auto' } = options;
  let [reason, fix] = ['it was asked for', 'bn-train setup'];
  let warning: string | undefined;
  const passed = (fallback: places.Fallback, error: BnTrainError): void => {
    [reason, fix] = [error.message, error.hint ?? fix];
    if (fallback.device !== 'cuda' || error instanceof places.NoGpu) return;
    warning = `using the CPU: ${places.oneLine(error)}`;
    tell(warning);
  };
  const attempt = async (fallback: places.Fallback): Promise<BackendInfo> => {
    if (fallback.backend !== 'native') return { ...(await openPortable(fallback.backend)), reason, fix };
    assertPinned(options.tensorflow);
    const info = await openNative(fallback, { ...options, device }, source);
    return warning === undefined ? info : { ...info, warning };
  };
  return places.firstOf(places.fallbacksFor(name, device), attempt, passed);
}

async function openPortable(name: 'wasm' | 'js'): Promise<{ name: 'wasm' | 'js'; device: string }> {
  readyJs();
  if (name === 'wasm') await openWasm();
  else await tf.setBackend('cpu');
  return { name, device: 'cpu' };
}

/** Where this process has opened TensorFlow, which reads its environment once: there it stays. */
let opened: (places.Choice & { tensorflow: string }) | undefined;

async function openNative(
  fallback: places.Fallback,
  options: places.DeviceOptions & Settings,
  source: places.Source,
): Promise<BackendInfo> {
  const before = opened;
  // What the environment says of GPUs after it is opened is this process's own word.
  if (before) assertStays(before.gpu, fallback, options.device);
  const { runtime, gpu, tensorflow } = before ?? openFirst(await places.choose(fallback, options, source), options);
  // Loading makes it the one in use only the first time.
  await tf.setBackend('tensorflow');
  const reason = `TensorFlow ${tensorflow} in ${runtime.libraries}`;
  const info: BackendInfo = { name: 'native', device: gpu?.device ?? 'cpu', reason, tensorflow };
  return gpu ? { ...info, gpu: gpu.gpu.name } : info;
}

/** Throws for a device that is not the one this process computes on. */
function assertStays(gpu: places.Choice['gpu'], fallback: places.Fallback, device: string): void {
  const [before, asked] = [gpu?.device ?? 'cpu', places.wholeName(device)];
  if (asked !== 'auto' && asked !== before)
    throw cannot(`use the device ${asked}`, {
      expected: `${before}, where this process opened TensorFlow`,
      got: asked,
      hint: 'use a process for each device',
      exitCode: EXIT.usage,
    });
  if (fallback.device === 'cuda' && !gpu) throw new places.NoGpu('this process opened TensorFlow on the CPU');
}

/** Loads TensorFlow into this process. */
function openFirst({ runtime, gpu }: places.Choice, settings: Settings): NonNullable<typeof opened> {
  prepareEnvironment(gpu, { ...settings, ...partsOf(runtime) });
  const { tensorflow, usesGpu } = load(runtime.addon);
  opened = { runtime, gpu: usesGpu ? gpu : undefined, tensorflow };
  if (!gpu || usesGpu) return opened;
  throw cannot(`use the device ${gpu.device}`, {
    expected: `TensorFlow to open ${gpu.gpu.name}`,
    got: 'the CPU only',
    hint: 'bn-train doctor shows what it has to go by; TF_CPP_MIN_LOG_LEVEL=0 has TensorFlow say why; or use --device cpu',
  });
}

/** NVIDIA's part of a runtime. */
function partsOf({ cuda, libraries }: Runtime): Pick<Settings, 'compiler' | 'libraries'> {
  if (!cuda) return {};
  return { compiler: compilerFolder(libraries), libraries: libraryFiles(libraries, cuda.sizes) };
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

/** Opens a backend and says why this one; never installs anything. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { BnTrainError, cannot, EXIT, messageOf } from '../errors.js';
import type { Runtime } from './finished.js';
import { locateRuntime } from './install.js';
import { loadNative } from './native.js';
import { openWasm } from './wasm.js';

export const BACKENDS = ['auto', 'native', 'wasm', 'js'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface BackendInfo {
  name: Exclude<BackendName, 'auto'>;
  /** "cpu". */
  device: string;
  /** One line: why this backend. */
  reason: string;
  /** TensorFlow's version, on the native backend. */
  tensorflow?: string;
  /** The command that would give a faster backend. */
  fix?: string;
}

export interface BackendOptions {
  device?: string | undefined;
  runtimeDir?: string | undefined;
}

/**
 * Makes a tfjs backend the one in use: `native` is TensorFlow's C++, `wasm` and `js` ship with npm packages. `auto`
 * takes native where a finished runtime is found and wasm elsewhere. Throws a BnTrainError for an unknown name or
 * device, and for `native` without a runtime.
 */
export async function openBackend(name: BackendName = 'auto', options: BackendOptions = {}): Promise<BackendInfo> {
  if (!BACKENDS.includes(name))
    throw cannot('open the backend', { expected: BACKENDS.join(', '), got: name, exitCode: EXIT.usage });
  assertDevice(options.device ?? 'auto');
  if (name === 'js') return openJs();
  if (name === 'wasm') return openWasmBackend('it was asked for');
  const runtime = await locateRuntime(options);
  if (name === 'native') return openNative(runtime);
  if (!runtime) return openWasmBackend('no native runtime is installed');
  try {
    return await openNative(runtime);
  } catch (error) {
    if (!(error instanceof BnTrainError)) throw error;
    return openWasmBackend(`the native runtime does not load: ${messageOf(error.cause)}`, error.hint);
  }
}

async function openNative(runtime: Runtime | undefined): Promise<BackendInfo> {
  if (!runtime)
    throw cannot('open the native backend', { expected: 'a finished runtime', got: 'none', hint: 'bn-train setup' });
  const tensorflow = load(runtime.addon);
  // Loading makes it the one in use only the first time.
  await tf.setBackend('tensorflow');
  return { name: 'native', device: 'cpu', reason: `TensorFlow ${tensorflow} in ${runtime.libraries}`, tensorflow };
}

function load(addon: string): string {
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

/** Throws a BnTrainError for a device that is unknown or not to be had. */
export function assertDevice(device: string): void {
  if (/^cuda(:\d+)?$/.test(device))
    throw cannot(`use the device ${device}`, {
      expected: 'cpu, the only device of this version',
      got: device,
      hint: 'use --device cpu or leave --device out',
    });
  if (device !== 'auto' && device !== 'cpu')
    throw cannot('open the backend', {
      expected: 'the device auto, cpu or cuda[:N]',
      got: device,
      exitCode: EXIT.usage,
    });
}

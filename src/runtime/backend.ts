/** Opens a backend and says why this one; never installs anything. */
import * as tf from '@tensorflow/tfjs';
import { cannot, EXIT } from '../errors.js';
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
  if (runtime) {
    const tensorflow = loadNative(runtime.addon);
    return { name: 'native', device: 'cpu', reason: `TensorFlow ${tensorflow} in ${runtime.libraries}`, tensorflow };
  }
  if (name === 'auto') return openWasmBackend('no native runtime is installed');
  throw cannot('open the native backend', { expected: 'a finished runtime', got: 'none', hint: 'bn-train setup' });
}

async function openJs(): Promise<BackendInfo> {
  await tf.setBackend('cpu');
  return { name: 'js', device: 'cpu', reason: 'it was asked for', fix: 'bn-train setup' };
}

async function openWasmBackend(reason: string): Promise<BackendInfo> {
  await openWasm();
  return { name: 'wasm', device: 'cpu', reason, fix: 'bn-train setup' };
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
    throw cannot('open the backend', { expected: 'the device auto, cpu or cuda[:N]', got: device, exitCode: EXIT.usage });
}

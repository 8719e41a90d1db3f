/** The JS backend, which the WASM backend uses too. */
import * as tf from '@tensorflow/tfjs';
import { mendKernels } from './mended.js';

/** Makes tfjs's JS backend the one in use. */
export async function open(): Promise<void> {
  readyJs();
  await tf.setBackend('cpu');
}

export function readyJs(): void {
  mendKernels('cpu');
  // At its first tensor it advises Node users to install what `bn-train setup` does.
  Object.assign(tf.findBackend('cpu'), { firstUse: false });
}

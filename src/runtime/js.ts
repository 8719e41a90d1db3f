/** The JS backend, which comes with tfjs and is there for whatever another lacks. */
import * as tf from '@tensorflow/tfjs';
import { mendKernels } from './mended.js';

/** Makes tfjs's JS backend the one in use. */
export async function openJs(): Promise<void> {
  readyJs();
  await tf.setBackend('cpu');
}

/** Readies it; WASM uses it too. */
export function readyJs(): void {
  mendKernels('cpu');
  // At its first tensor it advises Node users to install what `bn-train setup` does.
  Object.assign(tf.findBackend('cpu'), { firstUse: false });
}

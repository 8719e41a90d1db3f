/** The recipe's fused kernels, compiled before anybody trains. */
import type { Fusion } from '../graph/compiledSteps.js';
import { lenet, type Norm } from '../nn/lenet.js';
import { EVALUATION_BATCH, Trainer } from './trainer.js';

/** Of a whole batch, and of the last one. */
const [WHOLE, LAST] = [256, 96];

/**
 * Compiles what the recipe runs with a kind of normalization, unless it is in the cache: its kernels, or the reason why
 * there are none; undefined on a GPU. They serve any number of images and any batch size. Needs the native backend. Throws
 * what the signal is aborted with.
 */
export async function prepareKernels(norm: Norm, signal?: AbortSignal): Promise<Fusion | undefined> {
  const model = lenet({ norm, seed: 0 });
  const data = { train: blank(WHOLE + LAST), test: blank(EVALUATION_BATCH) };
  try {
    const trainer = await Trainer.open({ model, data, batchSize: WHOLE, learningRate: 1, mode: 'fused', signal });
    trainer.dispose();
    return trainer.how.kernels;
  } finally {
    model.dispose();
  }
}

function blank(count: number) {
  const [height, width] = [28, 28];
  return { count, height, width, images: new Uint8Array(count * height * width), labels: new Uint8Array(count) };
}

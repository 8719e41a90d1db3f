/** Accuracy on a data set, under the moving statistics or the population's. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import { isBatchNorm, populationStatistics, withStatistics } from '../nn/population.js';
import { countCorrect, type DeviceDataset } from './step.js';

const EVALUATION_BATCH = 1000;

function inOrder(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

/** The share of `data` that the model classifies correctly in inference, in [0, 1]. Stops early, rejecting, on `signal`. */
export async function accuracy(model: tf.Sequential, data: DeviceDataset, signal?: AbortSignal): Promise<number> {
  let correct = 0;
  for (const rows of batches(inOrder(data.count), EVALUATION_BATCH)) {
    const found = tf.tidy(() => {
      const { x, labels } = data.take(rows);
      return countCorrect(model.apply(x) as tf.Tensor, labels);
    });
    correct += found.dataSync()[0] ?? NaN;
    found.dispose();
    await breathe(signal);
  }
  return correct / data.count;
}

/**
 * Test accuracy with every BN layer's statistics taken over the whole training set, in order, in batches of the
 * training size (Wu & Johnson 2021). The model is left as it was.
 */
export async function populationAccuracy(
  model: tf.Sequential,
  {
    train,
    test,
    batchSize,
    signal,
  }: { train: DeviceDataset; test: DeviceDataset; batchSize: number; signal?: AbortSignal | undefined },
): Promise<number> {
  if (!model.layers.some(isBatchNorm)) return accuracy(model, test, signal);
  async function* images() {
    for (const rows of batches(inOrder(train.count), batchSize)) {
      const { x, labels } = train.take(rows);
      labels.dispose();
      yield x;
      await breathe(signal);
    }
  }
  const statistics = await populationStatistics(model, images());
  return withStatistics(statistics, () => accuracy(model, test, signal));
}

/** Lets signals and timers be seen between two calls into TensorFlow, and throws the signal's reason once it is aborted. */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await tf.nextFrame();
  signal?.throwIfAborted();
}

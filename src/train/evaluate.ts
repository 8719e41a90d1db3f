/** Accuracy on the test set, under the moving statistics or the population's. */
import * as tf from '@tensorflow/tfjs';
import { batches, calls } from '../data/batches.js';
import { combineMoments, type LayerStatistics, withStatistics } from '../nn/population.js';
import type { PopulationResult } from './events.js';
import { EVALUATION_BATCH, type Trainer } from './trainer.js';

export function inOrder(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

/** The share of the test set that the model classifies correctly in inference, in [0, 1]. Rejects on `signal`. */
export async function accuracy(trainer: Trainer, signal?: AbortSignal): Promise<number> {
  let correct = 0;
  for (const call of calls(batches(inOrder(trainer.testCount), EVALUATION_BATCH), { most: trainer.stepsPerCall })) {
    correct += trainer.countCorrect(call);
    await breathe(signal);
  }
  return correct / trainer.testCount;
}

/** What each epoch's statistics are taken over: few enough to be felt little, and far more values than a channel needs. */
const EPOCH_BATCHES = 10;

/** The images of the first 10 whole batches of the training set, or of as many as it has; where it has none, all. */
export function imagesOfEpoch({ trainCount, batchSize }: Pick<Trainer, 'trainCount' | 'batchSize'>): number {
  return Math.min(EPOCH_BATCHES, Math.floor(trainCount / batchSize)) * batchSize || trainCount;
}

/**
 * Every BN layer's statistics over the first `images` of the training set, in order, in batches of the training size (Wu &
 * Johnson 2021); undefined where there are none to be had.
 */
export async function takeStatistics(
  trainer: Trainer,
  images: number,
  signal?: AbortSignal,
): Promise<LayerStatistics[] | undefined> {
  if (!trainer.takesMoments) return undefined;
  async function* moments() {
    const all = batches(inOrder(images), trainer.batchSize);
    for (const call of calls(all, { most: trainer.stepsPerCall })) {
      for (const [i, vectors] of trainer.moments(call).entries()) yield { size: call[i]?.length ?? 0, vectors };
      await breathe(signal);
    }
  }
  return combineMoments(trainer.model, moments());
}

/** Test accuracy with statistics that were taken over so many `images`. The model is left as it was. */
export async function accuracyWith(
  statistics: LayerStatistics[] | undefined,
  trainer: Trainer,
  images: number,
  signal?: AbortSignal,
): Promise<PopulationResult> {
  if (!statistics) return { testAccuracyPopulation: null, populationImages: null };
  return withStatistics(statistics, async () => ({
    testAccuracyPopulation: await accuracy(trainer, signal),
    populationImages: images,
  }));
}

/** Test accuracy with statistics taken anew over the first `images` of the training set. The model is left as it was. */
export async function populationAccuracy(
  trainer: Trainer,
  images: number,
  signal?: AbortSignal,
): Promise<PopulationResult> {
  return accuracyWith(await takeStatistics(trainer, images, signal), trainer, images, signal);
}

/** Lets signals and timers be seen between two calls into TensorFlow, and throws the signal's reason once it is aborted. */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await tf.nextFrame();
  signal?.throwIfAborted();
}

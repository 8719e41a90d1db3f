/** What becomes of an image's prediction where batch normalization takes its statistics from the batch: it depends on the others. */
import * as tf from '@tensorflow/tfjs';
import { shuffledOrder } from '../data/batches.js';
import type { Dataset } from '../data/idx.js';
import { applyByBatch, normalizationOf, normalized } from './byBatch.js';
import { breathe } from './evaluate.js';
import { imagesOf } from './predictions.js';

/** What was said of the image in one batch. */
export interface Draw {
  /** The probability of its true class. */
  probability: number;
  /** The class with the largest one. */
  predicted: number;
}

/** Of batches of one size; of the batch of one there is but one. */
export interface BatchesOf {
  size: number;
  draws: Draw[];
}

const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const DRAWS = 6;

/** The image `row` among others of the same set, drawn anew for each batch, the same ones every time. Rejects on `signal`. */
export async function amongOthers(
  model: tf.Sequential,
  data: Dataset,
  row: number,
  signal?: AbortSignal,
): Promise<BatchesOf[]> {
  const orders = Array.from({ length: DRAWS }, (_, draw) =>
    shuffledOrder(data.count, 0, draw).filter((other) => other !== row),
  );
  const found: BatchesOf[] = [];
  for (const size of SIZES.filter((each) => each <= data.count)) {
    const batches = orders
      .slice(0, size === 1 ? 1 : DRAWS)
      .map((order) => Int32Array.of(row, ...order.subarray(0, size - 1)));
    found.push({ size, draws: batches.map((rows) => drawOf(model, data, rows)) });
    await breathe(signal);
  }
  return found;
}

/** Of the first image of a batch. */
function drawOf(model: tf.Sequential, data: Dataset, rows: Int32Array): Draw {
  const probabilities = tf.tidy(() => {
    const logits = applyByBatch(model, imagesOf(data, rows), {
      normalize: (layer, x) => normalized(normalizationOf(layer, x)),
    }) as tf.Tensor2D;
    return logits.slice([0, 0], [1, -1]).softmax().dataSync();
  });
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  const probability = probabilities[data.labels[rows[0] ?? 0] ?? 0] ?? NaN;
  // Logits that have no end have no probabilities.
  return Number.isFinite(probability) ? { probability, predicted } : { probability: 0, predicted: 0 };
}

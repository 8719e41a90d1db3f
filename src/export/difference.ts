/** What a folded model says otherwise than the one it was made of, over a whole set of images. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import type { Dataset } from '../data/idx.js';
import { breathe, inOrder } from '../train/evaluate.js';
import { imagesOf } from '../train/predictions.js';
import { EVALUATION_BATCH } from '../train/trainer.js';

export interface Difference {
  images: number;
  /** The largest one of any logit, and of any probability, which is a softmax over them. */
  logit: number;
  probability: number;
  /** How many images are put into another class. */
  classes: number;
  /** The share of images whose class is right, in [0, 1]. */
  accuracy: { before: number; after: number };
}

/** Rejects on `signal`. */
export async function differenceBetween(
  before: tf.Sequential,
  after: tf.Sequential,
  data: Dataset,
  signal: AbortSignal,
): Promise<Difference> {
  const sum = { logit: 0, probability: 0, classes: 0, before: 0, after: 0 };
  for (const rows of batches(inOrder(data.count), EVALUATION_BATCH)) {
    const [logit = NaN, probability = NaN, ...counts] = tf.tidy(() => {
      const x = imagesOf(data, rows);
      const labels = tf.tensor1d(data.labels.subarray(rows[0], (rows[0] ?? 0) + rows.length), 'int32');
      const [a, b] = [before.predict(x), after.predict(x)] as [tf.Tensor2D, tf.Tensor2D];
      const [own, other] = [a.argMax(-1), b.argMax(-1)];
      const largest = [a.sub(b), a.softmax().sub(b.softmax())].map((difference) => difference.abs().max());
      const equal = [own.equal(other), own.equal(labels), other.equal(labels)].map((which) => which.sum());
      return [...largest, ...equal].map((scalar) => scalar.dataSync()[0] ?? NaN);
    });
    const [same = NaN, right = NaN, rightAfter = NaN] = counts;
    // Not a number stays one.
    sum.logit = Math.max(sum.logit, logit);
    sum.probability = Math.max(sum.probability, probability);
    sum.classes += rows.length - same;
    sum.before += right;
    sum.after += rightAfter;
    await breathe(signal);
  }
  const { logit, probability, classes } = sum;
  const accuracy = { before: sum.before / data.count, after: sum.after / data.count };
  return { images: data.count, logit, probability, classes, accuracy };
}

/** What a model says of images in inference, with probabilities. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import type { Dataset } from '../data/idx.js';
import { breathe, inOrder } from './evaluate.js';
import { EVALUATION_BATCH } from './trainer.js';

type Images = Omit<Dataset, 'labels'>;

export interface Predictions {
  /** The class with the largest logit of each image. */
  classes: Uint8Array;
  /** [images, classes], row by row. */
  probabilities: Float32Array;
}

/** Of all images of a set, in order. Rejects on `signal`. */
export async function predictionsOf(model: tf.Sequential, data: Images, signal?: AbortSignal): Promise<Predictions> {
  const width = model.outputs[0]?.shape.at(-1) ?? 0;
  const classes = new Uint8Array(data.count);
  const probabilities = new Float32Array(data.count * width);
  for (const rows of batches(inOrder(data.count), EVALUATION_BATCH)) {
    const [found, shares] = tf.tidy(() => {
      const logits = model.apply(imagesOf(data, rows)) as tf.Tensor2D;
      return [logits.argMax(-1).dataSync(), logits.softmax().dataSync()];
    });
    classes.set(found, rows[0]);
    probabilities.set(shares, (rows[0] ?? 0) * width);
    await breathe(signal);
  }
  return { classes, probabilities };
}

/** The images of some rows [rows, height, width, 1], in [0, 1]. */
export function imagesOf({ images, height, width }: Images, rows: Int32Array): tf.Tensor4D {
  const size = height * width;
  const pixels = new Uint8Array(rows.length * size);
  for (const [i, row] of rows.entries()) pixels.set(images.subarray(row * size, (row + 1) * size), i * size);
  // Divided there, as the training step divides.
  return tf.tidy(() => tf.tensor4d(pixels, [rows.length, height, width, 1], 'int32').toFloat().div(255));
}

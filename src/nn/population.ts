/** Population statistics: every BN layer's mean and variance over the whole training set, for weights that stand still. */
import * as tf from '@tensorflow/tfjs';
import { batchNorm } from './batchNorm.js';

/** A layer's statistics: one value per channel each. */
export interface LayerStatistics {
  layer: tf.layers.Layer;
  mean: Float32Array;
  variance: Float32Array;
}

/** Whether a layer is batch normalization, this project's or the built-in one. */
export function isBatchNorm(layer: tf.layers.Layer): boolean {
  return layer.getClassName() === 'BatchNorm' || layer.getClassName() === 'BatchNormalization';
}

/** Whether a model has batch normalization among its own layers. */
export function isNormalized(model: tf.LayersModel): boolean {
  return model.layers.some(isBatchNorm);
}

/** A layer's weight by its short name ("gamma", "moving_mean"), or undefined where it has none. */
export function weightOf(layer: tf.layers.Layer, name: string): tf.layers.Layer['weights'][number] | undefined {
  return layer.weights.find((weight) => weight.originalName.split('/').at(-1) === name);
}

/**
 * PreciseBN (Wu & Johnson 2021, arXiv 2105.07576, section 3): in one pass over `batches`, each BN layer normalizes by the
 * batch; its mean is the batches' mean, and its variance that of all values seen. Batches count by their size; sums are
 * kept in float64. The model's weights, moving statistics included, are left alone. Takes tensors over from `batches`.
 */
export async function populationStatistics(
  model: tf.Sequential,
  batches: AsyncIterable<tf.Tensor>,
): Promise<LayerStatistics[]> {
  async function* moments() {
    for await (const batch of batches) {
      const size = batch.shape[0];
      const vectors = tf.tidy(() => batchMoments(model, batch));
      batch.dispose();
      yield { size, vectors: takeVectors(vectors) };
    }
  }
  return combineMoments(model, moments());
}

/** Of each BN layer, in the model's order, the mean and the biased variance [channels] of its input x [batch, …]. */
export function batchMoments(model: tf.Sequential, batch: tf.Tensor): tf.Tensor[] {
  return applyByBatch(model, batch).moments;
}

/**
 * What a model makes of a batch where every BN layer normalizes by the batch and its moving statistics stay as they are;
 * all else is as in inference. `after` sees each layer's output, and what it gives goes on.
 */
export function applyByBatch(
  model: tf.Sequential,
  batch: tf.Tensor,
  after = (_layer: tf.layers.Layer, y: tf.Tensor): tf.Tensor => y,
): { output: tf.Tensor; moments: tf.Tensor[] } {
  const moments: tf.Tensor[] = [];
  let x = batch;
  for (const layer of model.layers)
    if (isBatchNorm(layer)) {
      const { y, movingMean, movingVariance } = normalizeByBatch(layer, x);
      moments.push(movingMean, movingVariance);
      x = after(layer, y);
    } else x = after(layer, layer.apply(x) as tf.Tensor);
  return { output: x, moments };
}

/** The values of tensors, which are disposed of. */
export function takeVectors(tensors: tf.Tensor[]): Float32Array[] {
  const vectors = tensors.map((tensor) => tensor.dataSync<'float32'>());
  tf.dispose(tensors);
  return vectors;
}

/** What `batchMoments` gave for each batch, made the statistics of all values seen; `size` is the batch's. */
export async function combineMoments(
  model: tf.Sequential,
  batches: AsyncIterable<{ size: number; vectors: Float32Array[] }>,
): Promise<LayerStatistics[]> {
  const layers = model.layers.filter(isBatchNorm);
  const sums = layers.map(() => new Moments());
  for await (const { size, vectors } of batches)
    for (const [i, sum] of sums.entries())
      sum.add(vectors[2 * i] as Float32Array, vectors[2 * i + 1] as Float32Array, size);
  return layers.map((layer, i) => ({ layer, ...(sums[i] as Moments).result() }));
}

/** With momentum 0, so that the "moving" statistics that come back are the batch's own. */
function normalizeByBatch(layer: tf.layers.Layer, x: tf.Tensor) {
  const zeros = tf.zeros([x.shape.at(-1) ?? 0]);
  const gamma = weightOf(layer, 'gamma')?.read() ?? tf.onesLike(zeros);
  const beta = weightOf(layer, 'beta')?.read() ?? zeros;
  const { epsilon } = layer.getConfig() as { epsilon: number };
  return batchNorm(x, gamma, beta, zeros, zeros, { training: true, epsilon, momentum: 0 });
}

/** Count-weighted means of x and x² per channel, as mean and variance, merged without cancellation (Chan et al. 1983). */
class Moments {
  private count = 0;
  private readonly mean: number[] = [];
  private readonly squares: number[] = [];

  add(mean: Float32Array, variance: Float32Array, count: number): void {
    const total = this.count + count;
    for (const [c, batchMean] of mean.entries()) {
      const difference = batchMean - (this.mean[c] ?? 0);
      this.mean[c] = (this.mean[c] ?? 0) + (difference * count) / total;
      this.squares[c] =
        (this.squares[c] ?? 0) + (variance[c] ?? 0) * count + (difference * difference * this.count * count) / total;
    }
    this.count = total;
  }

  result(): { mean: Float32Array; variance: Float32Array } {
    return { mean: Float32Array.from(this.mean), variance: Float32Array.from(this.squares, (sum) => sum / this.count) };
  }
}

/** Runs `action` with the layers' moving statistics replaced by `statistics`, and puts the moving ones back after it. */
export async function withStatistics<T>(statistics: LayerStatistics[], action: () => Promise<T>): Promise<T> {
  const swapped = statistics.flatMap(({ layer, mean, variance }) => [
    swap(weightOf(layer, 'moving_mean'), mean),
    swap(weightOf(layer, 'moving_variance'), variance),
  ]);
  try {
    return await action();
  } finally {
    for (const restore of swapped) restore();
  }
}

function swap(weight: tf.layers.Layer['weights'][number] | undefined, values: Float32Array): () => void {
  if (weight === undefined) return () => undefined;
  const old = weight.read().clone();
  tf.tidy(() => {
    weight.write(tf.tensor1d(values));
  });
  return () => {
    weight.write(old);
    old.dispose();
  };
}

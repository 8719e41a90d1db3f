/** Population statistics, taken batch by batch: every BN layer's mean and variance, for weights that stand still. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { batchNorm } from './batchNorm.js';

export const ACTION = 'take population statistics';

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

/** Whether a model has batch normalization. */
export function isNormalized(model: tf.LayersModel): boolean {
  return normalizersOf(model).length > 0;
}

/** The batch normalization layers of a model, in its order; those in models and wrappers within it, too. */
export function normalizersOf(model: tf.LayersModel): tf.layers.Layer[] {
  return model.layers.flatMap(within);
}

function within(layer: tf.layers.Layer): tf.layers.Layer[] {
  if (layer instanceof tf.LayersModel) return normalizersOf(layer);
  // As timeDistributed has it.
  const { layer: wrapped } = layer as { layer?: unknown };
  if (wrapped instanceof tf.layers.Layer) return within(wrapped);
  return isBatchNorm(layer) ? [layer] : [];
}

/** A layer's weight by its short name ("gamma", "moving_mean"), or undefined where it has none. */
export function weightOf(layer: tf.layers.Layer, name: string): tf.layers.Layer['weights'][number] | undefined {
  return layer.weights.find((weight) => weight.originalName.split('/').at(-1) === name);
}

/** What a model takes at a time: a tensor, or one for each of its inputs. */
export type Batch = tf.Tensor | tf.Tensor[];

/** What a layer is given in one pass, in one of its calls. */
interface Seen {
  mean: tf.Tensor;
  variance: tf.Tensor;
  /** Of values per channel. */
  count: number;
}

/**
 * Of each BN layer, in the model's order, the mean and the biased variance [channels] of its input x [batch, …], and how
 * many values per channel they are of. The vectors outlive a tidy.
 */
export function batchMoments(model: tf.LayersModel, batch: Batch): { vectors: tf.Tensor[]; counts: number[] } {
  const layers = normalizersOf(model);
  const seen = layers.map((): Seen[] => []);
  // What calls a layer, in a model of any form, calls this method of it.
  for (const [i, layer] of layers.entries())
    layer.call = (inputs: Batch) => {
      const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
      const { y, movingMean, movingVariance } = normalizeByBatch(layer, x);
      seen[i]?.push({ mean: tf.keep(movingMean), variance: tf.keep(movingVariance), count: x.size / movingMean.size });
      return y;
    };
  try {
    tf.tidy(() => {
      model.apply(batch);
    });
    const merged = seen.map(merge);
    return { vectors: merged.flatMap(({ mean, variance }) => [mean, variance]), counts: merged.map((m) => m.count) };
  } catch (error) {
    tf.dispose(seen.flat().flatMap(({ mean, variance }) => [mean, variance]));
    throw error;
  } finally {
    for (const layer of layers) Reflect.deleteProperty(layer, 'call');
  }
}

/** A shared layer's calls as one. */
function merge(calls: Seen[]): Seen {
  const [only] = calls;
  if (only && calls.length === 1) return only;
  const count = calls.reduce((sum, call) => sum + call.count, 0);
  const average = (of: (call: Seen) => tf.Tensor) => tf.addN(calls.map((call) => of(call).mul(call.count / count)));
  const merged = tf.tidy(() => {
    const mean = tf.keep(average((call) => call.mean));
    return { mean, variance: tf.keep(average((call) => call.variance.add(call.mean.sub(mean).square()))) };
  });
  tf.dispose(calls.flatMap((call) => [call.mean, call.variance]));
  return { ...merged, count };
}

/** The values of tensors, which are disposed of. */
export function takeVectors(tensors: tf.Tensor[]): Float32Array[] {
  const vectors = tensors.map((tensor) => tensor.dataSync<'float32'>());
  tf.dispose(tensors);
  return vectors;
}

/**
 * What `batchMoments` gave for each batch, made the statistics of all values seen; `size` is the batch's, or of each layer
 * how many values per channel there were. Throws a BnTrainError where there is no batch.
 */
export async function combineMoments(
  model: tf.LayersModel,
  batches: AsyncIterable<{ size: number | number[]; vectors: Float32Array[] }>,
): Promise<LayerStatistics[]> {
  const found = normalizersOf(model).map((layer) => ({ layer, moments: new Moments() }));
  let isEmpty = true;
  for await (const { size, vectors } of batches) {
    isEmpty = false;
    for (const [i, { moments }] of found.entries())
      moments.add(
        vectors[2 * i] as Float32Array,
        vectors[2 * i + 1] as Float32Array,
        typeof size === 'number' ? size : (size[i] ?? 0),
      );
  }
  if (isEmpty) throw cannot(ACTION, { expected: 'at least one batch', got: 'none' });
  return found.map(({ layer, moments }) => ({ layer, ...moments.result() }));
}

/** As in training; with momentum 0, so that the "moving" statistics that come back are the batch's own. */
export function normalizeByBatch(layer: tf.layers.Layer, x: tf.Tensor) {
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
  const old = statistics.map(({ layer }) => ({
    layer,
    weights: movingOf(layer).map((weight) => weight.read().clone()),
  }));
  for (const own of statistics) keepStatistics(own);
  try {
    return await action();
  } finally {
    for (const { layer, weights } of old)
      for (const [i, weight] of movingOf(layer).entries()) weight.write(weights[i] as tf.Tensor);
    tf.dispose(old.flatMap(({ weights }) => weights));
  }
}

/** Makes them the layer's moving statistics. */
export function keepStatistics({ layer, mean, variance }: LayerStatistics): void {
  for (const [i, weight] of movingOf(layer).entries())
    tf.tidy(() => {
      weight.write(tf.tensor1d(i === 0 ? mean : variance));
    });
}

/** Mean, then variance. */
function movingOf(layer: tf.layers.Layer): tf.layers.Layer['weights'] {
  return ['moving_mean', 'moving_variance'].flatMap((name) => weightOf(layer, name) ?? []);
}

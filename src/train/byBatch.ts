/** A model whose batch normalization layers normalize by the very batch at hand, be it of one image, and what they see then. */
import * as tf from '@tensorflow/tfjs';
import { batchNorm } from '../nn/batchNorm.js';
import { isBatchNorm, normalizeByBatch, weightOf } from '../nn/population.js';

interface ByBatch {
  /** What BN layers compute; by default as in training, so that each channel needs two values. */
  normalize?: (layer: tf.layers.Layer, x: tf.Tensor) => tf.Tensor;
  /** Sees each layer's output and input; what it gives goes on. */
  after?: (layer: tf.layers.Layer, y: tf.Tensor, x: tf.Tensor) => tf.Tensor;
}

/**
 * What a model makes of a batch where every BN layer normalizes by the batch and its moving statistics stay as they are;
 * all else is as in inference.
 */
export function applyByBatch(
  model: tf.Sequential,
  batch: tf.Tensor,
  { normalize = (layer, x) => normalizeByBatch(layer, x).y, after = (_, y) => y }: ByBatch = {},
): tf.Tensor {
  const apply = (layer: tf.layers.Layer, x: tf.Tensor) =>
    isBatchNorm(layer) ? normalize(layer, x) : (layer.apply(x) as tf.Tensor);
  return model.layers.reduce((x, layer) => after(layer, apply(layer, x), x), batch);
}

/** One BN layer at work: x [batch, …, channels] comes in; the vectors have a value per channel. */
export interface Normalization {
  x: tf.Tensor;
  mean: tf.Tensor;
  /** Biased. */
  variance: tf.Tensor;
  gamma: tf.Tensor;
  beta: tf.Tensor;
  epsilon: number;
}

/** Where a channel has a single value, as a batch of one image gives dense layers, that is its mean, and β comes out. */
export function normalizationOf(layer: tf.layers.Layer, x: tf.Tensor): Normalization {
  const { mean, variance } = tf.moments(
    x,
    x.shape.slice(0, -1).map((_, axis) => axis),
  );
  const gamma = weightOf(layer, 'gamma')?.read() ?? tf.onesLike(mean);
  const beta = weightOf(layer, 'beta')?.read() ?? tf.zerosLike(mean);
  const { epsilon } = layer.getConfig() as { epsilon: number };
  return { x, mean, variance, gamma, beta, epsilon };
}

/** By the given statistics, as `batchNorm` takes no batch that has no variance. */
export function normalized({ x, mean, variance, gamma, beta, epsilon }: Normalization): tf.Tensor {
  return batchNorm(x, gamma, beta, mean, variance, { training: false, epsilon }).y;
}

/** A model whose batch normalization layers normalize by the very batch at hand, be it of one image, and what they see then. */
import * as tf from '@tensorflow/tfjs';
import { batchNorm } from '../nn/batchNorm.js';
import { isBatchNorm, weightOf } from '../nn/population.js';

/** One BN layer at work: x [batch, …, channels] comes in; the vectors have a value per channel. */
export interface Normalization {
  layer: tf.layers.Layer;
  x: tf.Tensor;
  mean: tf.Tensor;
  /** Biased. */
  variance: tf.Tensor;
  gamma: tf.Tensor;
  beta: tf.Tensor;
  epsilon: number;
}

/** What is told of each layer: what goes into it and what comes out; `normalization` of BN layers. */
type Visit = (layer: tf.layers.Layer, x: tf.Tensor, y: tf.Tensor, normalization?: Normalization) => void;

/**
 * The logits. Nothing is learned and no statistics move. Where a channel has a single value, as a batch of one image gives
 * dense layers, that is its mean, and β comes out.
 */
export function applyByBatch(model: tf.Sequential, batch: tf.Tensor, visit?: Visit): tf.Tensor {
  return model.layers.reduce((x, layer) => {
    const normalization = isBatchNorm(layer) ? normalizationOf(layer, x) : undefined;
    const y = normalization ? normalized(normalization) : (layer.apply(x) as tf.Tensor);
    visit?.(layer, x, y, normalization);
    return y;
  }, batch);
}

function normalizationOf(layer: tf.layers.Layer, x: tf.Tensor): Normalization {
  const { mean, variance } = tf.moments(
    x,
    x.shape.slice(0, -1).map((_, axis) => axis),
  );
  const gamma = weightOf(layer, 'gamma')?.read() ?? tf.onesLike(mean);
  const beta = weightOf(layer, 'beta')?.read() ?? tf.zerosLike(mean);
  const { epsilon } = layer.getConfig() as { epsilon: number };
  return { layer, x, mean, variance, gamma, beta, epsilon };
}

/** By the given statistics, as `batchNorm` takes no batch that has no variance. */
function normalized({ x, mean, variance, gamma, beta, epsilon }: Normalization): tf.Tensor {
  return batchNorm(x, gamma, beta, mean, variance, { training: false, epsilon }).y;
}

/** LeNet for 28×28 grey images, with batch normalization before every sigmoid, or without any (LeCun et al. 1998). */
import * as tf from '@tensorflow/tfjs';
import { BatchNorm } from './layer.js';

/** Which batch normalization the model has: this project's, tf.layers.batchNormalization, or none. */
export type Norm = 'scratch' | 'builtin' | 'none';

export interface LenetConfig {
  norm: Norm;
  /** Seeds the Xavier-uniform weights; without it they differ at every call. */
  seed?: number;
  /** Of every batch normalization layer, whichever is used. Defaults 0.9 and 1e-5. */
  momentum?: number;
  epsilon?: number;
}

const CLASSES = 10;

/** A sequential model from images [batch, 28, 28, 1] in [0, 1] to logits [batch, 10]; about 44 thousand parameters. */
export function lenet({ norm, seed, momentum = 0.9, epsilon = 1e-5 }: LenetConfig): tf.Sequential {
  let layers = 0;
  const xavier = () => {
    // Every layer its own stream, and no stream shared by two seeds: the model has fewer than ten layers with weights.
    const layer = layers++;
    return tf.initializers.glorotUniform(seed === undefined ? {} : { seed: seed * 10 + layer });
  };
  const normalized = (): tf.layers.Layer[] => {
    if (norm === 'scratch') return [new BatchNorm({ momentum, epsilon })];
    return norm === 'builtin' ? [tf.layers.batchNormalization({ momentum, epsilon })] : [];
  };
  const hidden = (layer: tf.layers.Layer) => [layer, ...normalized(), tf.layers.activation({ activation: 'sigmoid' })];
  const conv = (filters: number, inputShape?: tf.Shape) =>
    hidden(
      tf.layers.conv2d({ filters, kernelSize: 5, kernelInitializer: xavier(), ...(inputShape && { inputShape }) }),
    );
  const dense = (units: number) => tf.layers.dense({ units, kernelInitializer: xavier() });
  const pool = () => tf.layers.averagePooling2d({ poolSize: 2, strides: 2 });
  return tf.sequential({
    layers: [
      ...conv(6, [28, 28, 1]),
      pool(),
      ...conv(16),
      pool(),
      tf.layers.flatten(),
      ...hidden(dense(120)),
      ...hidden(dense(84)),
      dense(CLASSES),
    ],
  });
}

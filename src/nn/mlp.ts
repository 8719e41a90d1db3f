/** Fully connected stacks of any depth, with batch normalization before every activation, or without any. */
import * as tf from '@tensorflow/tfjs';
import { assertKnown, cannot, shown } from '../common/errors.js';
import { assertSeed, layersOf, type Norm, type NormFactory } from './lenet.js';

export interface MlpConfig {
  /** Hidden layers, from 1. */
  depth: number;
  /** Units of each of them, from 1. */
  width: number;
  activation: 'sigmoid' | 'relu';
  norm: Norm | NormFactory;
  /** Seeds the weights; without it they differ at every call. */
  seed?: number;
  /** Of every batch normalization layer. Defaults 0.9 and 1e-5. */
  momentum?: number;
  epsilon?: number;
  /** How many logits come out, from 2. Default 10. */
  classes?: number;
  /** Of one example. Default [28, 28, 1]. */
  inputShape?: number[];
}

const OPTIONS = Object.keys({
  ...{ depth: 0, width: 0, activation: 0, norm: 0, seed: 0, momentum: 0, epsilon: 0, classes: 0, inputShape: 0 },
} satisfies Record<keyof MlpConfig, 0>);

/**
 * Each keeps the variance of what passes: Glorot & Bengio 2010 for sigmoids, He et al. 2015 (arXiv 1502.01852) for ReLUs.
 * Both uniform, as tfjs draws its normal ones from a truncated distribution without making up for the smaller variance.
 */
const INITIALIZERS = { sigmoid: tf.initializers.glorotUniform, relu: tf.initializers.heUniform };

/** A seed's layers draw from streams of their own up to this depth. */
const DEEPEST = 999;

/**
 * A sequential model from examples [batch, ...inputShape] to logits [batch, classes]: `depth` times a dense layer, the norm
 * and the activation, then a dense layer. The same seed gives the same kernels whatever the norm. Throws a BnTrainError for
 * an option that it does not know, and for a value outside its range.
 */
export function mlp(config: MlpConfig): tf.Sequential {
  const doing = 'build an MLP';
  assertKnown(doing, config, OPTIONS);
  assertSeed(doing, config.seed);
  const { depth, width, activation, norm, seed, classes = 10, inputShape = [28, 28, 1] } = config;
  const { momentum = 0.9, epsilon = 1e-5 } = config;
  for (const [name, value, least, most] of [
    ['depth', depth, 1, DEEPEST],
    ['width', width, 1, Infinity],
    ['classes', classes, 2, Infinity],
  ] as const)
    if (!(Number.isSafeInteger(value) && value >= least && value <= most)) {
      const range = most === Infinity ? `from ${least}` : `from ${least} to ${most}`;
      throw cannot(doing, { expected: `${name} to be a whole number ${range}`, got: shown(value) });
    }
  if (!Object.hasOwn(INITIALIZERS, activation))
    throw cannot(doing, {
      expected: `one of the activations ${Object.keys(INITIALIZERS).join(', ')}`,
      got: shown(activation),
    });
  const normalized = layersOf(doing, norm, { momentum, epsilon });
  let layers = 0;
  const dense = (units: number, initializer: keyof typeof INITIALIZERS) => {
    const own = seed === undefined ? {} : { seed: seed * (DEEPEST + 1) + layers++ };
    return tf.layers.dense({ units, kernelInitializer: INITIALIZERS[initializer](own) });
  };
  const hidden = () => [dense(width, activation), ...normalized(width, 2), tf.layers.activation({ activation })];
  return tf.sequential({
    layers: [
      tf.layers.reshape({ inputShape, targetShape: [inputShape.reduce((size, one) => size * one, 1)] }),
      ...Array.from({ length: depth }, hidden).flat(),
      dense(classes, 'sigmoid'),
    ],
  });
}

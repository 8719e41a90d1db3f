/** LeNet for grey images, with batch normalization before every sigmoid, or without any (LeCun et al. 1998). */
import * as tf from '@tensorflow/tfjs';
import { assertKnown, cannot, shown } from '../common/errors.js';
import { assertHyperparameters } from './batchNorm.js';
import { BatchNorm } from './layer.js';

export const NORMS = ['scratch', 'builtin', 'none'] as const;

/** Which batch normalization the model has: this project's, tf.layers.batchNormalization, or none. */
export type Norm = (typeof NORMS)[number];

/** Makes what stands between a hidden layer and its activation, for its channels and the rank of its output. */
export type NormFactory = (channels: number, rank: number) => tf.layers.Layer[];

export interface LenetConfig {
  norm: Norm | NormFactory;
  /** Seeds the Xavier-uniform weights; without it they differ at every call. */
  seed?: number;
  /** Of every batch normalization layer, whichever is used. Defaults 0.9 and 1e-5. */
  momentum?: number;
  epsilon?: number;
  /** How many logits come out; from 2. Default 10. */
  classes?: number;
  /** Of the images, in pixels; from 16. Default 28. */
  height?: number;
  width?: number;
}

const OPTIONS = Object.keys({
  ...{ norm: 0, seed: 0, momentum: 0, epsilon: 0, classes: 0, height: 0, width: 0 },
} satisfies Record<keyof LenetConfig, 0>);

/** The smallest side of which two convolutions of 5×5 and two poolings by 2 leave a pixel. */
const SMALLEST_SIDE = 16;

/**
 * A sequential model from images [batch, height, width, 1] in [0, 1] to logits [batch, classes]; about 44 thousand
 * parameters with the defaults. Throws a BnTrainError for another norm, an option that it does not know, and a number
 * outside its range.
 */
export function lenet(config: LenetConfig): tf.Sequential {
  assertKnown('build LeNet', config, OPTIONS);
  assertSeed('build LeNet', config.seed);
  const { norm, seed, momentum = 0.9, epsilon = 1e-5, classes = 10, height = 28, width = 28 } = config;
  const normalized = layersOf('build LeNet', norm, { momentum, epsilon });
  assertTakes({ classes, height, width });
  let layers = 0;
  // Every layer its own stream, and no stream shared by two seeds: the model has fewer than ten layers with weights.
  const xavier = () => tf.initializers.glorotUniform(seed === undefined ? {} : { seed: seed * 10 + layers++ });
  const sigmoid = () => tf.layers.activation({ activation: 'sigmoid' });
  const conv = (filters: number, inputShape?: tf.Shape) => [
    tf.layers.conv2d({ filters, kernelSize: 5, kernelInitializer: xavier(), inputShape }),
    ...normalized(filters, 4),
    sigmoid(),
  ];
  const dense = (units: number) => tf.layers.dense({ units, kernelInitializer: xavier() });
  const hidden = (units: number) => [dense(units), ...normalized(units, 2), sigmoid()];
  const pool = () => tf.layers.averagePooling2d({ poolSize: 2, strides: 2 });
  return tf.sequential({
    layers: [
      ...conv(6, [height, width, 1]),
      pool(),
      ...conv(16),
      pool(),
      tf.layers.flatten(),
      ...hidden(120),
      ...hidden(84),
      dense(classes),
    ],
  });
}

/** Throws a BnTrainError for a seed that is none. */
export function assertSeed(doing: string, seed: number | undefined): void {
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0))
    throw cannot(doing, { expected: 'seed to be a whole number from 0', got: shown(seed) });
}

/** What makes a norm's layers; throws a BnTrainError for another norm, and for settings outside their range. */
export function layersOf(
  doing: string,
  norm: Norm | NormFactory,
  settings: { momentum: number; epsilon: number },
): NormFactory {
  assertHyperparameters(settings);
  if (typeof norm === 'function') return norm;
  if (!NORMS.includes(norm))
    throw cannot(doing, { expected: `one of the norms ${NORMS.join(', ')}`, got: shown(norm) });
  if (norm === 'scratch') return () => [new BatchNorm(settings)];
  return () => (norm === 'builtin' ? [tf.layers.batchNormalization(settings)] : []);
}

/** Throws a BnTrainError for images, or a number of classes, that LeNet is not made for. */
export function assertTakes({
  classes,
  height,
  width,
}: Required<Pick<LenetConfig, 'classes' | 'height' | 'width'>>): void {
  assertWhole('classes', classes, 2);
  assertWhole('height', height, SMALLEST_SIDE);
  assertWhole('width', width, SMALLEST_SIDE);
}

function assertWhole(name: string, value: number, least: number): void {
  if (!(Number.isSafeInteger(value) && value >= least))
    throw cannot('build LeNet', {
      expected: `${name} to be a whole number from ${least}`,
      got: shown(value),
      hint: `LeNet takes images from ${SMALLEST_SIDE}×${SMALLEST_SIDE}, in 2 classes or more`,
    });
}

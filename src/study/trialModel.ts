/** The models of trials, built from parts, and the parts of them that are watched. */
import type * as tf from '@tensorflow/tfjs';
import { GroupNorm } from '../nn/groupLayer.js';
import { lenet, type NormFactory } from '../nn/lenet.js';
import { BatchNorm } from '../nn/layer.js';
import { mlp } from '../nn/mlp.js';
import { type Draws, MovingNoise } from '../nn/noise.js';
import { weightOf } from '../nn/population.js';
import type { TrialModel } from './trial.js';

export interface Sizes {
  height: number;
  width: number;
  classes: number;
}

/** With as many groups as 6 and 16 channels share; dense layers are normalized as one. */
const grouped: NormFactory = (_, rank) => [new GroupNorm({ groups: rank === 4 ? 2 : 1 })];

/** Of a seed the shared layers are the same, whatever the norm. `draws` is what noise comes from. */
export function trialModel(model: TrialModel, seed: number, sizes: Sizes, draws: Draws): tf.Sequential {
  const { height, width, classes } = sizes;
  if (model.kind === 'mlp') {
    const { kind: _, norm, ...shape } = model;
    const name = norm === 'batch' ? 'scratch' : norm;
    return mlp({ ...shape, norm: name, seed, classes, inputShape: [height, width, 1] });
  }
  const noisy: NormFactory = () => [new BatchNorm(), new MovingNoise(draws)];
  const norm = { none: 'none', batch: 'scratch', builtin: 'builtin', noisy, group: grouped } as const;
  return lenet({ norm: norm[model.norm], seed, ...sizes });
}

/** The layers with a kernel, from the input on; the last one gives the logits. */
export function kernelLayers(model: tf.Sequential): tf.layers.Layer[] {
  return model.layers.filter((layer) => weightOf(layer, 'kernel') !== undefined);
}

export function kernelOf(layer: tf.layers.Layer): tf.Variable {
  return weightOf(layer, 'kernel')?.read() as tf.Variable;
}

/** The kernels that stand in front of a normalization, or would. */
export function hiddenKernels(model: tf.Sequential): tf.Variable[] {
  return kernelLayers(model).slice(0, -1).map(kernelOf);
}

export function isActivation(layer: tf.layers.Layer): boolean {
  return layer.getClassName() === 'Activation';
}

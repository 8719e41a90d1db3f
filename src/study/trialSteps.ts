/** The steps of a trial, as functions of tensors: training with what is watched on the way, evaluation, and gradients. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../graph/record/record.js';
import { isBatchNorm } from '../nn/population.js';
import { applyByBatch } from '../train/byBatch.js';
import { type DeviceDataset, trainingStep } from '../train/step.js';
import { hiddenKernels, isActivation, kernelLayers, kernelOf } from './trialModel.js';
import type { Trial } from './trial.js';

/**
 * (rows, learning rate) → [loss, number correct, mean and variance of each BN layer's input if momenta are watched, of each
 * activation's input if instability is, squares of the hidden kernels and of their gradients if norms are]. The hidden
 * kernels' learning rate is multiplied by the square of their scale.
 */
export function watchedStep(
  model: tf.Sequential,
  data: DeviceDataset,
  { watch, weightScale = 1 }: Pick<Trial, 'watch' | 'weightScale'>,
): StepFunction {
  const probed = [
    ...(watch.includes('momenta') ? model.layers.filter(isBatchNorm) : []),
    ...(watch.includes('instability') ? model.layers.filter(isActivation) : []),
  ];
  const kernels = hiddenKernels(model);
  const moments = new Map<tf.layers.Layer, tf.Tensor[]>();
  return trainingStep(model, data, {
    forward: (x) =>
      model.layers.reduce<tf.Tensor>((input, layer) => {
        if (probed.includes(layer)) moments.set(layer, momentsOf(input));
        return layer.apply(input, { training: true }) as tf.Tensor;
      }, x) as tf.Tensor2D,
    outputs: (gradients) => [
      ...probed.flatMap((layer) => moments.get(layer) ?? []),
      ...(watch.includes('norms')
        ? [squares(kernels), squares(kernels.map(({ name }) => gradients[name] as tf.Tensor))]
        : []),
    ],
    rateFactor: (variable) => (kernels.includes(variable) ? weightScale ** 2 : 1),
  });
}

/** Of each channel, the last axis. */
function momentsOf(x: tf.Tensor): tf.Tensor[] {
  const { mean, variance } = tf.moments(x, [...x.shape.keys()].slice(0, -1));
  return [tf.keep(mean), tf.keep(variance)];
}

/** Summed up row by row, as float32 would lose what one step changes if all went into one sum. */
function squares(tensors: tf.Tensor[]): tf.Tensor1D {
  return tf.tidy(() => tf.concat(tensors.map((tensor) => tensor.square().sum(-1).flatten())));
}

/** The smallest normal number of float32. */
const SMALLEST = 2 ** -126;

/** Frobenius. Scaled, as the squares of gradients deep in a stack may be smaller than float32 has. */
function norm(tensor: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const most = tensor.abs().max().maximum(SMALLEST);
    return tensor.div(most).square().sum().sqrt().mul<tf.Scalar>(most);
  });
}

/** (rows) → [mean loss, 1 for each row that is classified correctly and else 0]; by the batch's own statistics or in inference. */
export function scoreStep(model: tf.Sequential, data: DeviceDataset, { byBatch }: { byBatch: boolean }): StepFunction {
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  return (rows) => {
    const { x, labels } = data.take(rows as tf.Tensor1D);
    const logits = byBatch ? applyByBatch(model, x) : (model.apply(x) as tf.Tensor);
    return [
      tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes, 1, 0, 'float32'), logits),
      logits.argMax(-1).toFloat().equal(labels.toFloat()).toFloat(),
    ];
  };
}

/**
 * (rows) → for each layer with a kernel: the kernel's norm, and the norms of the loss's gradients with respect to it and to
 * the layer's output after its activation [batch, …]. Every BN layer normalizes by the batch.
 */
export function gradientStep(model: tf.Sequential, data: DeviceDataset): StepFunction {
  const layers = kernelLayers(model);
  const kernels = layers.map(kernelOf);
  const ends = [...model.layers.filter(isActivation), ...layers.slice(-1)];
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  return (rows) => {
    const { x, labels } = data.take(rows as tf.Tensor1D);
    const expected = tf.oneHot(labels, classes, 1, 0, 'float32');
    // The gradient with respect to what is added to an output is the output's own.
    const added = ends.map((layer) => tf.zeros([rows.size, ...((layer.outputShape as tf.Shape).slice(1) as number[])]));
    const after = (layer: tf.layers.Layer, y: tf.Tensor) => {
      const more = added[ends.indexOf(layer)];
      return more ? y.add(more) : y;
    };
    const loss = () => tf.losses.softmaxCrossEntropy(expected, applyByBatch(model, x, { after }));
    const gradients = tf.grads(loss)([...kernels, ...added]);
    return layers.flatMap((_, i) => [
      norm(kernels[i] as tf.Tensor),
      norm(gradients[i] as tf.Tensor),
      norm(gradients[i + layers.length] as tf.Tensor),
    ]);
  };
}

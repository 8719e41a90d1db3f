/** The steps of a trial, as functions of tensors: training with what is watched on the way, evaluation, and gradients. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../graph/record/record.js';
import { applyByBatch, isBatchNorm } from '../nn/population.js';
import { type DeviceDataset, type Observed, trainingStep } from '../train/step.js';
import { hiddenKernels, isActivation, kernelLayers, kernelOf } from './trialModel.js';
import type { Watch } from './trial.js';

/**
 * (rows, learning rate) → [loss, number correct, mean and variance of each BN layer's input if momenta are watched, of each
 * activation's input if instability is, norm of the hidden kernels and of their gradients if those are].
 */
export function watchedStep(model: tf.Sequential, data: DeviceDataset, watch: readonly Watch[]): StepFunction {
  const probed = [
    ...(watch.includes('momenta') ? model.layers.filter(isBatchNorm) : []),
    ...(watch.includes('instability') ? model.layers.filter(isActivation) : []),
  ];
  const kernels = watch.includes('norms') ? hiddenKernels(model) : [];
  if (probed.length + kernels.length === 0) return trainingStep(model, data);
  const moments = new Map<tf.layers.Layer, tf.Tensor[]>();
  const observed: Observed = {
    forward: (x) =>
      model.layers.reduce<tf.Tensor>((input, layer) => {
        if (probed.includes(layer)) moments.set(layer, momentsOf(input));
        return layer.apply(input, { training: true }) as tf.Tensor;
      }, x) as tf.Tensor2D,
    outputs: (gradients) => [
      ...probed.flatMap((layer) => moments.get(layer) ?? []),
      ...(kernels.length > 0
        ? [norm(...kernels), norm(...kernels.map(({ name }) => gradients[name] as tf.Tensor))]
        : []),
    ],
  };
  return trainingStep(model, data, observed);
}

/** Of each channel, the last axis. */
function momentsOf(x: tf.Tensor): tf.Tensor[] {
  const { mean, variance } = tf.moments(x, [...x.shape.keys()].slice(0, -1));
  return [tf.keep(mean), tf.keep(variance)];
}

/** The smallest normal number of float32. */
const SMALLEST = 2 ** -126;

/** Frobenius, of all together. Scaled, as the squares of gradients deep in a stack may be smaller than float32 has. */
function norm(...tensors: tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => {
    const most = tf
      .stack(tensors.map((tensor) => tensor.abs().max()))
      .max()
      .maximum(SMALLEST);
    const squares = tensors.map((tensor) => tensor.div(most).square().sum());
    return tf.addN(squares).sqrt().mul<tf.Scalar>(most);
  });
}

/** (rows) → [mean loss, 1 for each row that is classified correctly and else 0]; by the batch's own statistics or in inference. */
export function scoreStep(model: tf.Sequential, data: DeviceDataset, { byBatch }: { byBatch: boolean }): StepFunction {
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  return (rows) => {
    const { x, labels } = data.take(rows as tf.Tensor1D);
    const logits = byBatch ? applyByBatch(model, x).output : (model.apply(x) as tf.Tensor);
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
    const loss = () => tf.losses.softmaxCrossEntropy(expected, applyByBatch(model, x, after).output);
    const gradients = tf.grads(loss)([...kernels, ...added]);
    return layers.flatMap((_, i) => [
      norm(kernels[i] as tf.Tensor),
      norm(gradients[i] as tf.Tensor),
      norm(gradients[i + layers.length] as tf.Tensor),
    ]);
  };
}

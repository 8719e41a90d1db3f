/** The steps of training and evaluation, as functions of tensors, and the ways to run them: op by op, or compiled. */
import * as tf from '@tensorflow/tfjs';
import { cannot, EXIT } from '../common/errors.js';
import { option, toType } from '../common/invocation.js';
import type { Dataset } from '../data/idx.js';
import { nativeBackend } from '../graph/binding.js';
import { ByteRows } from '../graph/byteRows.js';
import type { StepFunction } from '../graph/record/record.js';
import { batchMoments } from '../nn/population.js';

/** Ways to run steps, the fastest first: `fused` is a graph with generated code in it. */
export const MODES = ['fused', 'graph', 'eager'] as const;
export type Mode = (typeof MODES)[number];

/** Graphs need the native backend, generated code its CPU, and XLA makes code of its own. */
export function defaultMode({ xla = false, fuse = true }: { xla?: boolean; fuse?: boolean } = {}): Mode {
  const native = nativeBackend();
  if (!native) return 'eager';
  return fuse && !xla && !native.isUsingGpuDevice ? 'fused' : 'graph';
}

/** Steps a call on a GPU. */
export const MANY = 64;

/**
 * On a GPU the host launches ops ahead of it, but waits for it at the end of each call; 64 steps of a millisecond or less
 * are a wait that is not felt, and progress four times an epoch. On the CPU a call costs under 1 % of a step, and one
 * step at a time shows progress and takes Ctrl-C at once.
 */
export function defaultStepsPerCall(mode: Mode): number {
  return mode !== 'eager' && nativeBackend()?.isUsingGpuDevice === true ? MANY : 1;
}

/** Throws a BnTrainError unless a model takes the images of a set and has a class for each of its labels. */
export function assertFits(model: tf.Sequential, set: 'train' | 'test', data: Dataset): void {
  const { count, height, width, images, labels } = data;
  const misfit = (expected: string, got: string, hint: string) => cannot(`use the ${set} set`, { expected, got, hint });
  const kinds = [images, labels].map((values: unknown) => Object.prototype.toString.call(values).slice(8, -1));
  if (kinds.some((kind) => kind !== 'Uint8Array'))
    throw misfit(
      'images and labels as Uint8Array: pixels from 0 to 255, labels from 0',
      kinds.join(' and '),
      'Uint8Array.from(values) makes one; pixels in [0, 1] are to be multiplied by 255',
    );
  if (count < 1) throw misfit('at least one example', `${count}`, 'give it some');
  const taken = model.inputs[0]?.shape.slice(1) ?? [];
  const given = [height, width, 1];
  if (taken.length !== 3 || taken.some((size, i) => size !== null && size !== given[i]))
    throw misfit(
      `images [${taken.join(', ')}], as the model takes them`,
      `[${given.join(', ')}]`,
      `lenet({ norm, height: ${height}, width: ${width} }) takes these`,
    );
  const bytes = count * height * width;
  if (images.length !== bytes || labels.length !== count)
    throw misfit(
      `${count} labels and ${bytes} bytes of images`,
      `${labels.length} and ${images.length}`,
      'count, height and width tell how many there are',
    );
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  const largest = labels.reduce((most, label) => Math.max(most, label), 0);
  if (largest >= classes)
    throw misfit(
      `labels from 0 to ${classes - 1}, as the model has ${classes} outputs`,
      `a label ${largest}`,
      `lenet({ norm, classes: ${largest + 1} }) has an output for each`,
    );
}

/** Throws a BnTrainError where a batch would have no variance; the last one of an epoch counts too, once `examples` are known. */
export function assertBatch(normalized: boolean, batchSize: number, examples = 0): void {
  const last = examples % batchSize || batchSize;
  if (normalized && Math.min(last, batchSize) < 2)
    throw cannot('train with batch normalization', {
      expected: 'at least 2 examples in every batch, as one has no variance',
      got: batchSize < 2 ? 'a batch size of 1' : `a last batch of 1 (${examples} examples in batches of ${batchSize})`,
      hint: `use another ${option('batchSize')}, or train without: ${toType('none')}`,
      exitCode: EXIT.usage,
    });
}

/** A data set on the backend: bytes, uploaded once; `take` scales its rows to [0, 1]. */
export class DeviceDataset {
  readonly count: number;
  private readonly images: ByteRows;
  private readonly labels: ByteRows;

  constructor({ count, height, width, images, labels }: Dataset) {
    this.count = count;
    this.images = new ByteRows(images, [count, height, width, 1]);
    try {
      this.labels = new ByteRows(labels, [count]);
    } catch (error) {
      this.images.dispose();
      throw error;
    }
  }

  /** For a compiled step that takes from here. */
  get variables(): tf.Variable[] {
    return [this.images.variable, this.labels.variable];
  }

  /** Images [rows, height, width, 1] in [0, 1] and labels [rows], int32, of the given rows. */
  take(rows: tf.Tensor1D): { x: tf.Tensor4D; labels: tf.Tensor1D } {
    return tf.tidy(() => ({
      x: this.images.gather(rows).div(255),
      labels: this.labels.gather(rows).toInt() as tf.Tensor1D,
    }));
  }

  dispose(): void {
    this.images.dispose();
    this.labels.dispose();
  }
}

/**
 * How many of the logits [batch, classes] have their largest value at the label [batch]; a float32 scalar. A GPU has no
 * kernels that compare or add up int32: the host would, and every step wait for it.
 */
function countCorrect(logits: tf.Tensor, labels: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => logits.argMax(-1).toFloat().equal(labels.toFloat()).toFloat().sum());
}

/** How a step differs from plain training. */
export interface Variation {
  /** Logits in training: in the place of the model's own, for what is seen on the way. */
  forward: (x: tf.Tensor4D) => tf.Tensor2D;
  /** What it gives besides loss and number correct, by the gradients, which have the variables' names; before the update. */
  outputs: (gradients: tf.NamedTensorMap) => tf.Tensor[];
  /** By how much a variable's learning rate is multiplied. */
  rateFactor: (variable: tf.Variable) => number;
}

/**
 * Plain SGD on softmax cross-entropy and the model's regularization losses: (rows [batch] int32, learning rate []) →
 * [loss [], number correct [], ...outputs of the variation], all before the update. The loss is the batch's mean cross-entropy
 * alone, in nats.
 */
export function trainingStep(model: tf.Sequential, data: DeviceDataset, variation?: Variation): StepFunction {
  // Without this list tfjs would train every variable there is, frozen layers and other models included.
  const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const classes = model.outputs[0]?.shape.at(-1) ?? 0;
  return (rows, learningRate) => {
    const { x, labels } = data.take(rows as tf.Tensor1D);
    const plainRate = learningRate as tf.Scalar;
    const expected = tf.oneHot(labels, classes, 1, 0, 'float32');
    let outputs: tf.Tensor[] = [];
    const { grads } = tf.variableGrads(() => {
      const logits = variation?.forward(x) ?? (model.apply(x, { training: true }) as tf.Tensor2D);
      const loss: tf.Scalar = tf.losses.softmaxCrossEntropy(expected, logits);
      outputs = [tf.keep(loss), tf.keep(countCorrect(logits, labels))];
      return model.calculateLosses().reduce((sum, penalty) => sum.add(penalty), loss);
    }, trainable);
    outputs.push(...(variation?.outputs(grads) ?? []));
    for (const variable of trainable) {
      const gradient = grads[variable.name] as tf.Tensor;
      const factor = variation?.rateFactor(variable) ?? 1;
      const rate = factor === 1 ? plainRate : plainRate.mul(factor);
      variable.assign(variable.sub(gradient.mul(rate)));
    }
    return outputs;
  };
}

/** (rows [batch] int32) → [number that the model in inference classifies correctly []]. */
export function evaluationStep(model: tf.Sequential, data: DeviceDataset): StepFunction {
  return (rows) => {
    const { x, labels } = data.take(rows as tf.Tensor1D);
    return [countCorrect(model.apply(x) as tf.Tensor, labels)];
  };
}

/** (rows [batch] int32) → mean and variance of each BN layer's input, every layer normalizing by the batch. */
export function momentsStep(model: tf.Sequential, data: DeviceDataset): StepFunction {
  return (rows) => batchMoments(model, data.take(rows as tf.Tensor1D).x).vectors;
}

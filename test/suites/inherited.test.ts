/** Faults of TensorFlow.js itself that docs/backends.md lists and nothing here mends: each fails once tfjs mends it. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { openBackend } from '../../src/runtime/open.js';

type Op = (x: tf.Tensor) => tf.Tensor;

const uniform = (shape: number[], seed = 1) => tf.randomUniform(shape, 0.2, 0.8, 'float32', seed);
const image = () => uniform([2, 4, 6, 3]);
const batches = (x: tf.Tensor) => x.reshape([2, 12, 6]);

/** A sum of an op's output, each number with a weight of its own. */
const weighed = (op: Op) => (x: tf.Tensor) => {
  const y = op(x);
  return y.mul(uniform(y.shape, 2)).sum();
};

beforeEach(() => openBackend('native'));

describe('has a gradient that throws', () => {
  const shapes = 'does not match the shape of the input';
  it.each<[string, Op, string]>([
    ['matMul of a batch and one matrix', (x) => batches(x).matMul(x.sum([0, 1, 3]).expandDims(0).tile([6, 1])), shapes],
    ['maximum, broadcasting', (x) => tf.maximum(x, x.mean(0)), shapes],
    ['minimum, broadcasting', (x) => tf.minimum(x, x.mean(0)), shapes],
    ['squaredDifference, broadcasting', (x) => x.squaredDifference(x.mean(1, true)), shapes],
    [
      'logSigmoid of what was computed before',
      (x) => x.mul(2).logSigmoid(),
      "Cannot read properties of undefined (reading 'backend')",
    ],
    [
      'batchNorm without a scale',
      (x) => tf.batchNorm(x, x.mean([0, 1, 2]), tf.ones([3])),
      "Cannot read properties of undefined (reading 'dataId')",
    ],
  ])('%s', (_, op, message) => {
    expect(() => tf.tidy(() => tf.grad(weighed(op))(image()))).toThrow(message);
  });

  it('resizeBilinear on the JS backend, of an image that is not square', async () => {
    await openBackend('js');
    const op: Op = (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 9]);
    expect(() => tf.tidy(() => tf.grad(weighed(op))(image()))).toThrow(shapes);
  });
});

it('resizeBilinear by the centers of pixels has the gradient of that by corners', () => {
  /** How far its gradient along one direction is from a difference: it is linear, so that but for rounding both are one. */
  const error = (op: Op) =>
    tf.tidy(() => {
      const [x, direction] = [image(), tf.randomNormal([2, 4, 6, 3], 0, 1, 'float32', 3)];
      const slope = tf.grad(weighed(op))(x).mul(direction).sum();
      return Math.abs(slope.sub(weighed(op)(direction)).dataSync<'float32'>()[0] as number);
    });
  const resize = (alignCorners: boolean): Op => {
    const size: [number, number] = [2, 3];
    return (x) => tf.image.resizeBilinear(x as tf.Tensor4D, size, alignCorners, !alignCorners);
  };
  expect(error(resize(true))).toBeLessThan(1e-4);
  expect(error(resize(false))).toBeGreaterThan(0.01);
});

it('resizing, a layer that cannot be in a model', () => {
  const inputs = tf.input({ shape: [6, 6, 2] });
  const outputs = tf.layers.resizing({ height: 3, width: 3 }).apply(inputs) as tf.SymbolicTensor;
  // The batch's axis is missing.
  expect(outputs.shape).toEqual([3, 3, 6]);
  const model = tf.model({ inputs, outputs });
  expect(() => model.predict(tf.ones([1, 6, 6, 2]))).toThrow('x must be rank 3 or 4');
});

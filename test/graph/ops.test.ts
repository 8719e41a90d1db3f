/** Many tfjs ops, each with its gradient, compiled against the same op by op. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { compileStep } from '../support/compiled.js';

type Op = (x: tf.Tensor) => tf.Tensor;
const shape = [2, 4, 6, 3];
/** Away from the kinks and poles of the functions below. */
const positive = () => tf.randomUniform(shape, 0.2, 0.8, 'float32', 5);
const filter = () => tf.truncatedNormal<tf.Rank.R4>([3, 3, 3, 2], 0, 1, 'float32', 6);
const image = (x: tf.Tensor) => x as tf.Tensor4D;
const matrix = (x: tf.Tensor) => x.reshape<tf.Tensor2D>([16, 9]);

const differentiable: Record<string, Op> = {
  abs: tf.abs,
  acos: tf.acos,
  acosh: (x) => x.add(1).acosh(),
  asin: tf.asin,
  asinh: tf.asinh,
  atan: tf.atan,
  atan2: (x) => tf.atan2(x, x.square()),
  atanh: tf.atanh,
  clip: (x) => x.clipByValue(0.3, 0.6),
  cos: tf.cos,
  cosh: tf.cosh,
  cumsum: (x) => x.cumsum(3),
  div: (x) => x.div(x.square().add(1)),
  elu: (x) => x.sub(0.5).elu(),
  erf: tf.erf,
  exp: tf.exp,
  expm1: tf.expm1,
  leakyRelu: (x) => x.sub(0.5).leakyRelu(0.2),
  log: tf.log,
  log1p: tf.log1p,
  logSigmoid: tf.logSigmoid,
  logSoftmax: (x) => x.logSoftmax(),
  logSumExp: (x) => x.logSumExp(1),
  matMul: (x) => matrix(x).matMul(matrix(x), true, false),
  batchMatMul: (x) => x.matMul(x, false, true),
  maximum: (x) => x.maximum(x.square().mul(2)),
  mean: (x) => x.mean([1, 3], true),
  max: (x) => x.max(2),
  min: (x) => x.min(2),
  minimum: (x) => x.minimum(0.5),
  moments: (x) => tf.moments(x, [0, 1, 2]).variance,
  neg: tf.neg,
  pow: (x) => x.pow(2.5),
  prelu: (x) => x.sub(0.5).prelu(tf.scalar(0.1)),
  prod: (x) => x.prod(3),
  reciprocal: tf.reciprocal,
  relu: (x) => x.sub(0.5).relu(),
  relu6: (x) => x.mul(9).relu6(),
  rsqrt: tf.rsqrt,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sin: tf.sin,
  sinh: tf.sinh,
  softmax: (x) => x.softmax(),
  softplus: tf.softplus,
  sqrt: tf.sqrt,
  squaredDifference: (x) => x.squaredDifference(x.square()),
  sub: (x) => x.sub(x.sum([0, 1, 2])),
  sum: (x) => x.sum([0, 1, 2]),
  tan: tf.tan,
  tanh: tf.tanh,
  broadcastTo: (x) => x.sum(0, true).broadcastTo(shape),
  concat: (x) => tf.concat([x, x.square()], 1),
  expandDims: (x) => x.expandDims(1).square(),
  gather: (x) => x.gather([3, 0, 0], 1),
  mirrorPad: (x) =>
    tf.mirrorPad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ],
      'reflect',
    ),
  pad: (x) =>
    x.pad([
      [0, 0],
      [1, 2],
      [0, 0],
      [0, 0],
    ]),
  reverse: (x) => x.reverse(2),
  slice: (x) => x.slice([0, 1], [2, 2]),
  split: (x) => (tf.split(x, 2, 1)[1] as tf.Tensor).square(),
  stack: (x) => tf.stack([x, x.neg()], 2),
  tile: (x) => x.tile([1, 2, 1, 1]),
  transpose: (x) => x.transpose([3, 1, 0, 2]),
  unstack: (x) => tf.unstack(x, 1)[2] as tf.Tensor,
  averagePool: (x) => tf.avgPool(image(x), 2, 2, 'valid'),
  averagePoolOverlapping: (x) => tf.avgPool(image(x), 3, 1, 'same'),
  maxPool: (x) => tf.maxPool(image(x), 2, 2, 'same'),
  conv2d: (x) => tf.conv2d(image(x), filter(), 1, 'valid'),
  conv2dSame: (x) => tf.conv2d(image(x), filter(), 1, 'same'),
  conv2dStrided: (x) => tf.conv2d(image(x), filter(), 2, 'same'),
  conv2dTranspose: (x) => tf.conv2dTranspose(image(x), filter().transpose([0, 1, 3, 2]), [2, 4, 6, 2], 1, 'same'),
  depthwiseConv2d: (x) => tf.depthwiseConv2d(image(x), filter(), 1, 'same'),
  localResponseNormalization: (x) => tf.localResponseNormalization(image(x), 1, 1, 0.5, 0.5),
  batchNorm: (x) => tf.batchNorm(x, x.mean([0, 1, 2]), x.square().mean([0, 1, 2]), x.sum([0, 1, 2]), x.sum([0, 1, 2])),
  resizeBilinear: (x) => tf.image.resizeBilinear(image(x), [5, 9]),
  resizeNearestNeighbor: (x) => tf.image.resizeNearestNeighbor(image(x), [8, 12]),
  sigmoidCrossEntropy: (x) => tf.losses.sigmoidCrossEntropy(tf.ones(shape), x),
};

const others: Record<string, Op> = {
  all: (x) => x.greater(0.1).all(1),
  any: (x) => x.greater(0.7).any(1),
  argMax: (x) => x.argMax(2),
  argMin: (x) => x.argMin(2),
  cast: (x) => x.mul(10).toInt(),
  ceil: (x) => x.mul(10).ceil(),
  comparisons: (x) => x.less(0.5).logicalAnd(x.lessEqual(0.4)).logicalOr(x.equal(x).logicalNot()),
  cumprod: (x) => tf.cumprod(x, 1),
  fill: (x) => x.add(tf.fill([3], 2)),
  floor: (x) => x.mul(10).floor(),
  floorDiv: (x) => x.mul(100).toInt().floorDiv(7),
  gatherND: (x) =>
    tf.gatherND(x, [
      [0, 1],
      [1, 3],
    ]),
  isNaN: (x) => x.sub(0.5).log().isNaN(),
  linspace: (x) => x.add(tf.linspace(0, 1, 3)),
  mod: (x) => x.mul(100).mod(7),
  notEqual: (x) => x.notEqual(0.5),
  oneHot: (x) => tf.oneHot(x.mul(4).toInt().reshape([144]), 4),
  range: (x) => x.add(tf.range(0, 3)),
  round: (x) => x.mul(10).round(),
  sign: (x) => x.sub(0.5).sign(),
  stridedSlice: (x) => x.stridedSlice([0, 0], [2, 4], [1, 2]),
  topk: (x) => tf.topk(x, 2).values,
  where: (x) => tf.where(x.greater(0.5), x, x.square()),
  zerosLike: (x) => x.add(tf.zerosLike(x)).add(tf.onesLike(x)),
  resizeInt: (x) => x.mul(9).toInt().sum([0, 1, 2]),
  unsortedSegmentSum: (x) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0], 'int32'), 2),
};

async function compiled(step: Op): Promise<[got: Float32Array, expected: Float32Array]> {
  const x = positive();
  const expected = tf.tidy(() => step(x).dataSync<'float32'>());
  const graph = await compileStep((input) => [step(input)], { inputs: [x], variables: [] });
  const [output] = graph.run(x) as [tf.Tensor];
  const got = output.dataSync<'float32'>();
  tf.dispose([output, x]);
  graph.dispose();
  return [got, expected];
}

// One op and its gradient, the same kernels both ways: only sums in another order and fused ops round differently.
const expectSame = ([got, expected]: [Float32Array, Float32Array]) => {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs((got[i] ?? NaN) - value)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)));
};

describe('compiled and op by op give the same', () => {
  it.each(Object.entries(differentiable))('%s and its gradient', async (_, op) => {
    expectSame(await compiled(op));
    expectSame(await compiled(tf.grad((x) => op(x).square().sum())));
  });

  it.each(Object.entries(others))('%s', async (_, op) => expectSame(await compiled(op)));
});

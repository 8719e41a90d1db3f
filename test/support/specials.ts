/** Values that arithmetic has rules of their own for, and every op that is fused over them. */
import * as tf from '@tensorflow/tfjs';

export const SPECIAL = [
  NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1e-40,
  -1e-40,
  1e-45,
  -1e-45,
  2 ** -126,
  3.4e38,
  -3.4e38,
  1,
  -1,
  0.5,
  -2.5,
  89,
  -89,
  -104,
  17,
];

const all = (tensors: tf.Tensor[]) => tensors.map((tensor) => tf.cast(tensor, 'float32'));

/** Of a column of special values, and of all pairs of them. */
export function specials(x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor[] {
  const square = [SPECIAL.length, SPECIAL.length];
  return all([
    ...[tf.abs, tf.neg, tf.ceil, tf.floor, tf.exp, tf.expm1, tf.log, tf.log1p, tf.sqrt, tf.rsqrt, tf.square].map((op) =>
      op(x),
    ),
    ...[tf.sigmoid, tf.tanh, tf.relu, tf.relu6, tf.elu, tf.selu, tf.softplus, tf.sign, tf.reciprocal, tf.erf].map(
      (op) => op(x),
    ),
    ...[tf.step, tf.leakyRelu, tf.isNaN, tf.softmax].map((op) => op(x)),
    ...[tf.add, tf.sub, tf.mul, tf.div, tf.divNoNan, tf.maximum, tf.minimum, tf.squaredDifference].map((op) =>
      op(a, b),
    ),
    ...[tf.greater, tf.greaterEqual, tf.less, tf.lessEqual, tf.equal, tf.notEqual].map((op) => op(a, b)),
    ...[tf.cast(a, 'bool'), tf.cast(a, 'int32'), tf.where(tf.greater(a, 1), a, b)],
    ...[tf.sum, tf.mean, tf.max, tf.min].flatMap((op) => [0, 1].map((axis) => op(b.reshape(square), axis))),
    // Each of two with itself and the next one, in windows of one channel and of two.
    ...[1, 2].map((channels) => {
      const pairs = tf.stack([a, b, b, b], 1).reshape([a.size / channels, 2, 2, channels]);
      return tf.maxPool(pairs as tf.Tensor4D, 2, 2, 'valid');
    }),
  ]);
}

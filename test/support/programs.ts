/** Random programs of tfjs ops on a batch: what can be fused, met with what cannot, forward and backward. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';

export interface Program {
  shapes: number[][];
  run: (...inputs: tf.Tensor[]) => tf.Tensor[];
}

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (x: tf.Tensor, y: tf.Tensor) => tf.Tensor;

const bounded: Unary = (x) => tf.clipByValue(x, -3, 3);
// Steep, undefined or huge somewhere: kept from there, so that rounding stays rounding. Most can be differentiated.
const UNARY: readonly Unary[] = [
  ...[tf.neg, tf.abs, tf.relu, tf.relu6, tf.sigmoid, tf.tanh, tf.erf, tf.elu, tf.selu, tf.softplus, tf.leakyRelu],
  ...[tf.exp, tf.square, tf.expm1].map((op) => (x: tf.Tensor) => op<tf.Tensor>(bounded(x))),
  ...[tf.sqrt, tf.rsqrt, tf.log, tf.reciprocal].map((op) => (x: tf.Tensor) => op<tf.Tensor>(tf.abs(x).add(0.5))),
  (x) => tf.log1p(tf.abs(x)),
  (x) => (x.rank > 1 ? tf.softmax(x) : tf.neg(x)),
  (x) => (x.rank > 1 ? x.reshape([x.shape[0], -1]) : tf.neg(x)),
  (x) => (x.rank > 1 ? x.tile(x.shape.map((_, axis) => (axis === x.rank - 1 ? 2 : 1))) : tf.neg(x)),
  (x) => (x.rank > 0 ? tf.concat([x, x.neg()]) : tf.neg(x)),
  (x) => {
    const half = x.rank > 0 ? Math.floor(x.shape[0] / 2) : 0;
    return half > 0 ? x.slice([half, ...x.shape.slice(1).map(() => 0)], [half, ...x.shape.slice(1)]) : tf.neg(x);
  },
  // These are TensorFlow's, with regions on either side.
  (x) => (x.rank === 2 ? tf.tanh(tf.matMul(x, x, true)) : tf.sin(x)),
  (x) => (x.rank === 4 ? tf.reverse(x, 1) : tf.cos(x)),
  ...[tf.avgPool, tf.maxPool].map((pool) => (x: tf.Tensor) => {
    const isWhole = x.rank === 4 && x.shape.slice(1, 3).every((size) => size % 2 === 0);
    return isWhole ? pool(x as tf.Tensor4D, 2, 2, 'valid') : tf.square(bounded(x));
  }),
];
const SMOOTH: readonly Binary[] = [
  ...[tf.add, tf.sub, tf.maximum, tf.minimum, tf.squaredDifference].map(
    (op) => (x: tf.Tensor, y: tf.Tensor) => op<tf.Tensor>(bounded(x), bounded(y)),
  ),
  (x, y) => bounded(x).mul(bounded(y)),
  (x, y) => x.div(tf.abs(y).add(0.5)),
  (x, y) => tf.pow(tf.abs(bounded(x)).add(0.5), bounded(y)),
];
const CHOICES: readonly Binary[] = [
  (x, y) => tf.where(tf.greater(x, y), tf.add(x, tf.zerosLike(y)), tf.add(y, tf.zerosLike(x))),
  (x, y) => tf.logicalOr(tf.less(x, y), tf.logicalNot(tf.lessEqual(y, -0.5))).toFloat(),
  (x, y) => tf.logicalAnd(tf.notEqual(x, y), tf.greaterEqual(x, 0)).toInt().toFloat().mul(x),
];
const REDUCTIONS = [tf.sum, tf.mean, tf.max, tf.min];

const nat = fc.nat({ max: 999 });
const instruction = fc.record({
  kind: nat,
  op: nat,
  first: nat,
  second: nat,
  axes: fc.nat({ max: 15 }),
  keep: fc.boolean(),
});
type Instruction = typeof instruction extends fc.Arbitrary<infer T> ? T : never;

const pick = <T>(list: readonly T[], i: number): T => list[i % list.length] as T;
/** The newest value more often than another, so that chains get long. */
const operand = (values: readonly tf.Tensor[], i: number) =>
  i % 5 < 3 ? (values.at(-1) as tf.Tensor) : pick(values, i);

function fit({ shape: a }: tf.Tensor, { shape: b }: tf.Tensor): boolean {
  return [1, 2, 3, 4].every((i) => [1, undefined, b.at(-i)].includes(a.at(-i)) || [1, undefined].includes(b.at(-i)));
}

function follow({ kind, op, first, second, axes, keep }: Instruction, values: tf.Tensor[], smooth: boolean): tf.Tensor {
  const [x, y] = [operand(values, first), pick(values, second)];
  if (kind % 9 < 3) return pick(UNARY, op)(x);
  if (kind % 9 < 7) return fit(x, y) ? pick(smooth ? SMOOTH : [...SMOOTH, ...CHOICES], op)(x, y) : tf.tanh(x);
  const over = x.shape.map((_, axis) => axis).filter((axis) => (axes >> axis) & 1);
  return over.length > 0 && x.size > 0 ? pick(REDUCTIONS, op)(x, over, keep).mul(0.3) : tf.sigmoid(x);
}

const LARGEST = 300_000;

/** Odd sizes and even ones, 0 and 1, rows longer than vectors and not; half of the programs are differentiated. */
export const program: fc.Arbitrary<Program> = fc
  .record({
    rows: fc.constantFrom(0, 1, 2, 3, 7, 33, 64, 257),
    row: fc.constantFrom<number[]>(
      [1],
      [4],
      [10],
      [17],
      [3, 5],
      [4, 4, 3],
      [2, 6, 1],
      [8, 8, 2],
      [1, 3],
      [6, 2, 5],
      [1030],
    ),
    list: fc.array(instruction, { minLength: 3, maxLength: 14 }),
    backward: fc.boolean(),
  })
  .map(({ rows, row, list, backward }) => {
    const last = row.at(-1) ?? 1;
    const ones = row.map(() => 1);
    const all = [rows, ...row];
    const smooth = backward && rows > 0;
    const forward = (inputs: tf.Tensor[]) => {
      const values = [...inputs];
      for (const each of list) {
        const value = follow(each, values, smooth);
        if (value.size <= LARGEST) values.push(value);
      }
      return values.slice(inputs.length);
    };
    const loss = (inputs: tf.Tensor[]) => {
      const made = forward(inputs);
      return tf.addN([inputs[0], made[0], made.at(-1)].map((x) => (x ? tf.mean(tf.square(bounded(x))) : tf.scalar(0))));
    };
    return {
      shapes: [all, all, row, [], [rows, ...ones], [last], [1, ...ones.slice(1), last]],
      run: (...inputs) => {
        if (!smooth) return [tf.neg(inputs[0] as tf.Tensor), ...forward(inputs)];
        const gradient = tf.grad((x) => loss([x, ...inputs.slice(1)]));
        return [gradient(inputs[0] as tf.Tensor), ...forward(inputs).slice(-2)];
      },
    };
  });

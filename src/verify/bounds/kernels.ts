/** How far float32 may be off in each kernel that the steps run. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../../common/errors.js';
import { type Call, type Numbers, rerun, type Value } from '../steps/kernelCalls.js';
import { rounded } from './bounded.js';

/** A bound for each number of a kernel's output. */
type Rule = (call: Call) => ArrayLike<number>;

const outputOf = ({ outputs: [output] }: Call): Numbers => output?.numbers ?? new Float32Array();
const sizeOf = (value: Value | undefined): number => tf.util.sizeFromShape(value?.shape ?? []);

/** Numbers are only moved, compared, or converted to a type that holds them. */
const exact: Rule = (call) => new Float64Array(outputOf(call).length);

/** So many roundings relative to what the kernel makes of its inputs' sizes. */
const ofSizes =
  (roundings: (call: Call) => number, sizes: (call: Call) => Numbers = (call) => rerun(call, Math.abs)): Rule =>
  (call) => {
    const count = roundings(call);
    return Float64Array.from(sizes(call), (size) => rounded(size, 0, count).error);
  };

/** So many roundings relative to the result. */
const ofResult = (roundings: number) => ofSizes(() => roundings, outputOf);

/** Sums of products in whichever order: a rounding for each term, and the kernel itself counts its terms in ones. */
const sum = ofSizes((call) => Math.max(...rerun(call, () => 1)));

/** By division or by a product with 1/n, and once more rounded on the way. */
const DIVISION = 3;

const pooled = ofSizes(({ attributes }) => {
  const { filterSize } = attributes as { filterSize: number | [number, number] };
  const [height, width] = [filterSize, filterSize].flat() as [number, number];
  return height * width + DIVISION;
});

const fused: Rule = (call) => {
  const { activation, transposeA, transposeB } = call.attributes as Record<string, unknown>;
  if (activation === 'linear' && !transposeA && !transposeB) return sum(call);
  const got = JSON.stringify(call.attributes);
  throw cannot(`bound ${call.kernel}`, { expected: 'no activation or transposition in it', got });
};

/**
 * Eigen's logistic function errs by 4.5 units in the last place at most (its UnaryFunctors.h, by trying all floats), the
 * most of the libraries behind the backends; a unit in the last place is two roundings.
 */
const elementary = ofResult(9);

/** y = (x − mean)·scale/√(variance + ε) + offset, in this order or multiplied out; sizes are those of the latter. */
const normalized = ofSizes(
  () => 10,
  (call) => rerun(call, (value, input) => (input === 'mean' ? -Math.abs(value) : Math.abs(value))),
);

/** Every kernel of the steps stands here: one that does not has no bound, and fails the check. */
const RULES: Record<string, Rule> = {
  GatherV2: exact,
  Cast: exact,
  OneHot: exact,
  Identity: exact,
  Reshape: exact,
  Slice: exact,
  Tile: exact,
  Relu: exact,
  ArgMax: exact,
  Equal: exact,
  Max: exact,
  Neg: exact,
  Add: ofResult(1),
  Sub: ofResult(1),
  Multiply: ofResult(1),
  Square: ofResult(1),
  RealDiv: ofResult(DIVISION),
  // Two units in the last place, as src/verify/bounds/bounded.ts has it.
  Rsqrt: ofResult(4),
  Exp: elementary,
  Log: elementary,
  Sigmoid: elementary,
  Sum: sum,
  BatchMatMul: sum,
  _FusedMatMul: fused,
  FusedConv2D: fused,
  Conv2DBackpropInput: sum,
  Conv2DBackpropFilter: sum,
  Mean: ofSizes(({ inputs, outputs }) => sizeOf(inputs['x']) / sizeOf(outputs[0]) + DIVISION),
  AvgPool: pooled,
  AvgPoolGrad: pooled,
  FusedBatchNorm: normalized,
};

/** For each number of the kernel's output, how far float32 may be off, given these very inputs. */
export function roundingOf(call: Call): ArrayLike<number> {
  const rule = RULES[call.kernel];
  if (!rule) throw cannot('compare a step', { expected: 'kernels whose rounding is known', got: call.kernel });
  return rule(call);
}

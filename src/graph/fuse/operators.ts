/** TensorFlow's element-wise ops as C++: what each makes of one element of its operands. */
import { attribute, DTYPE, type Node, type Value } from '../graph.js';

const { float32, int32, uint8, bool } = DTYPE;

/** C++'s names for types. */
export const C_TYPES: ReadonlyMap<number, string> = new Map([
  [float32, 'float'],
  [int32, 'int32_t'],
  [uint8, 'uint8_t'],
  [bool, 'bool'],
]);

/** Of float32; $0, $1 … stand for operands. */
const FLOAT: Readonly<Record<string, string>> = {
  Abs: '__builtin_fabsf($0)',
  Add: '$0 + $1',
  AddV2: '$0 + $1',
  Ceil: '__builtin_ceilf($0)',
  DivNoNan: '$1 == 0 ? 0 : $0 / $1',
  Elu: '$0 < 0 ? expm1_($0) : $0',
  EluGrad: '$1 < 0 ? $0 * ($1 + 1) : $0',
  Erf: 'erf_($0)',
  Exp: 'exp_($0)',
  Expm1: 'expm1_($0)',
  Floor: '__builtin_floorf($0)',
  Inv: '1 / $0',
  IsNan: '$0 != $0',
  Log: 'log_($0)',
  Log1p: 'log1p_($0)',
  Maximum: 'max_($0, $1)',
  Minimum: 'min_($0, $1)',
  Mul: '$0 * $1',
  Neg: '-$0',
  Pow: '__builtin_powf($0, $1)',
  RealDiv: '$0 / $1',
  Reciprocal: '1 / $0',
  Relu: 'max_($0, 0)',
  Relu6: 'min_(max_($0, 0), 6)',
  Rsqrt: '1 / __builtin_sqrtf($0)',
  Selu: '1.0507009873554805f * ($0 < 0 ? 1.6732632423543772f * expm1_($0) : $0)',
  Sigmoid: 'sigmoid_($0)',
  SigmoidGrad: '$1 * $0 * (1 - $0)',
  Sign: 'sign_($0)',
  Softplus: 'softplus_($0)',
  Sqrt: '__builtin_sqrtf($0)',
  Square: '$0 * $0',
  SquaredDifference: '($0 - $1) * ($0 - $1)',
  Sub: '$0 - $1',
  Tanh: 'tanh_($0)',
};

/** Of ops that read for their elements some of their inputs only: which. */
export const READ: Readonly<Record<string, [first: number, end: number]>> = {
  Tile: [0, 1],
  BroadcastTo: [0, 1],
  Fill: [1, 2],
  ZerosLike: [0, 0],
  OnesLike: [0, 0],
};

const COMPARISONS: Readonly<Record<string, string>> = {
  Equal: '$0 == $1',
  Greater: '$0 > $1',
  GreaterEqual: '$0 >= $1',
  Less: '$0 < $1',
  LessEqual: '$0 <= $1',
  NotEqual: '$0 != $1',
};

const LOGIC: Readonly<Record<string, string>> = {
  LogicalAnd: '$0 & $1',
  LogicalNot: '!$0',
  LogicalOr: '$0 | $1',
};

const SELECTS = ['Select', 'SelectV2'];
const COPIES = ['Tile', 'BroadcastTo', 'Fill'];
const FILLS: Readonly<Record<string, string>> = { ZerosLike: '0', OnesLike: '1' };

/** So quick that computing one again takes no longer than reading it. */
const COSTLY = /_\(|powf|sqrtf|\//;

/** What makes an element of the op's result; undefined for an op, or types of operands, that it is not known for. */
export function expressionOf(node: Node, operands: readonly Value[]): string | undefined {
  const { op } = node;
  const output = node.outputs[0] as Value;
  const given = operands.map(({ dtype }) => dtype);
  const all = (...dtypes: number[]) => given.every((dtype) => dtypes.includes(dtype) && dtype === given[0]);
  const to = C_TYPES.get(output.dtype);
  if (to === undefined || !given.every((dtype) => C_TYPES.has(dtype))) return undefined;
  if (op === 'Cast' && given[0] === float32 && output.dtype === int32) return 'int_($0)';
  if (op === 'Cast' && given[0] === int32 && output.dtype === float32) return 'whole_($0)';
  if (op === 'Cast') return output.dtype === bool ? '$0 != 0' : `static_cast<${to}>($0)`;
  if (COPIES.includes(op)) return '$0';
  if (op in FILLS) return FILLS[op];
  // The older one picks whole rows by a vector.
  if (op === 'Select' && operands[0]?.shape.length !== output.shape.length) return undefined;
  if (SELECTS.includes(op) && given[0] === bool) return '$0 ? $1 : $2';
  if (op in LOGIC) return all(bool) ? LOGIC[op] : undefined;
  if (op in COMPARISONS) return all(float32, int32) ? COMPARISONS[op] : undefined;
  if (!all(float32)) return undefined;
  if (op === 'AddN') return operands.map((_, i) => `$${i}`).join(' + ');
  if (op === 'LeakyRelu') return `$0 < 0 ? ${literal(attribute(node, 'alpha') as number)} * $0 : $0`;
  return FLOAT[op];
}

export const isCheap = (expression: string): boolean => !COSTLY.test(expression.replaceAll(/(max|min|whole)_\(/g, '('));

/** A number as float32, to the last bit. */
export function literal(value: number): string {
  return `${Math.fround(value).toExponential(9)}f`;
}

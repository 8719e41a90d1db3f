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

type Expressions = Readonly<Record<string, string>>;

/** What `math.h` has by the op's name. */
const FUNCTIONS = ['Erf', 'Exp', 'Expm1', 'Log', 'Log1p', 'Sigmoid', 'Sign', 'Softplus', 'Tanh'];

/** $0, $1 … stand for operands. */
const FLOAT: Expressions = {
  ...Object.fromEntries(FUNCTIONS.map((op) => [op, `${op.toLowerCase()}_($0)`])),
  Abs: '__builtin_fabsf($0)',
  Add: '$0 + $1',
  AddV2: '$0 + $1',
  Ceil: '__builtin_ceilf($0)',
  DivNoNan: '$1 == 0 ? 0 : $0 / $1',
  Elu: '$0 < 0 ? expm1_($0) : $0',
  EluGrad: '$1 < 0 ? $0 * ($1 + 1) : $0',
  Floor: '__builtin_floorf($0)',
  IsNan: '$0 != $0',
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
  SigmoidGrad: '$1 * $0 * (1 - $0)',
  Sqrt: '__builtin_sqrtf($0)',
  Square: '$0 * $0',
  SquaredDifference: '($0 - $1) * ($0 - $1)',
  Sub: '$0 - $1',
};

/** Which inputs ops read for their elements, where not all. */
export const READ: Readonly<Record<string, readonly number[]>> = {
  Tile: [0],
  BroadcastTo: [0],
  Fill: [1],
  ZerosLike: [],
  OnesLike: [],
};

const NUMBER: Expressions = {
  Equal: '$0 == $1',
  Greater: '$0 > $1',
  GreaterEqual: '$0 >= $1',
  Less: '$0 < $1',
  LessEqual: '$0 <= $1',
  NotEqual: '$0 != $1',
};
const BOOL: Expressions = { LogicalAnd: '$0 & $1', LogicalNot: '!$0', LogicalOr: '$0 | $1' };
const ANY: Expressions = { Tile: '$0', BroadcastTo: '$0', Fill: '$0', ZerosLike: '0', OnesLike: '1' };

/** By what all operands may be, of one type. */
const BY_TYPES = [
  { dtypes: [float32], expressions: FLOAT },
  { dtypes: [float32, int32], expressions: NUMBER },
  { dtypes: [bool], expressions: BOOL },
  { dtypes: [...C_TYPES.keys()], expressions: ANY },
];

/** So quick that computing one again takes no longer than reading it. */
const COSTLY = /_\(|powf|sqrtf|\//;

/** What makes an element of the op's result; undefined for an op, or types of operands, that it is not known for. */
export function expressionOf(node: Node, operands: readonly Value[]): string | undefined {
  const { op } = node;
  const output = node.outputs[0] as Value;
  const given = operands.map(({ dtype }) => dtype);
  const to = C_TYPES.get(output.dtype);
  if (to === undefined || !given.every((dtype) => C_TYPES.has(dtype))) return undefined;
  if (op === 'Cast' && given[0] === float32 && output.dtype === int32) return 'int_($0)';
  if (op === 'Cast' && given[0] === int32 && output.dtype === float32) return 'whole_($0)';
  if (op === 'Cast') return `static_cast<${to}>($0)`;
  // The older one picks whole rows by a vector.
  if (op === 'Select' && operands[0]?.shape.length !== output.shape.length) return undefined;
  if (['Select', 'SelectV2'].includes(op) && given[0] === bool) return '$0 ? $1 : $2';
  const all = (dtypes: readonly number[]) => dtypes.some((dtype) => given.every((own) => own === dtype));
  if (op === 'AddN' && all([float32])) return operands.map((_, i) => `$${i}`).join(' + ');
  // The slope as float32, to the last bit.
  if (op === 'LeakyRelu' && all([float32]))
    return `$0 < 0 ? ${Math.fround(attribute(node, 'alpha') as number).toExponential(9)}f * $0 : $0`;
  return BY_TYPES.find(({ dtypes, expressions }) => op in expressions && all(dtypes))?.expressions[op];
}

export const isCheap = (expression: string): boolean => !COSTLY.test(expression.replaceAll(/(max|min|whole)_\(/g, '('));

/** What a step is given when it is run, tensors or plain numbers, held against the shapes and types that it was compiled for. */
import * as tf from '@tensorflow/tfjs';
import { cannot, kindOf } from '../common/errors.js';
import { DTYPE, sizeOf } from './graph.js';
import { type NativeBackend, nativeTensor } from './binding.js';
import type { InputSpec } from './record/record.js';

type Typed = tf.TypedArray | Float64Array | Int8Array | Int16Array | Uint16Array | Uint32Array | Uint8ClampedArray;

/** Numbers or booleans, in as many arrays as there are axes; a typed array may stand for any shape of its size. */
export type Plain = number | boolean | Typed | readonly Plain[];

export type Input = tf.Tensor | Plain;

/** tfjs knows no more. */
const MOST_AXES = 6;

/** What plain values of a type are, and how the binding takes them. */
const PLAIN = {
  float32: {
    is: (value: unknown) => typeof value === 'number',
    from: (values: ArrayLike<number>) => new Float32Array(values),
  },
  int32: {
    is: (value: unknown) => typeof value === 'number' && value === (value | 0),
    from: (values: ArrayLike<number>) => new Int32Array(values),
  },
  bool: {
    is: (value: unknown) => typeof value === 'boolean',
    from: (values: ArrayLike<number>) => new Uint8Array(values),
  },
};

export const isTensor = (value: unknown): value is tf.Tensor => value instanceof tf.Tensor;
const isPlainType = (dtype: tf.DataType): dtype is keyof typeof PLAIN => dtype in PLAIN;
const isTyped = (value: unknown): value is Typed => ArrayBuffer.isView(value) && !(value instanceof DataView);
const isFloat = (value: Typed) => value instanceof Float32Array || value instanceof Float64Array;
const isList = (value: unknown): value is ArrayLike<unknown> => Array.isArray(value) || isTyped(value);

/** "float32 [256, 784], int32 []". */
export function describe(signature: readonly InputSpec[]): string {
  return signature.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ');
}

/** The same of whatever was given: "float32 [256], null". */
export function describeGiven(inputs: readonly unknown[]): string {
  return inputs.map((input) => (specOf(input) ? describe([specOf(input) as InputSpec]) : kindOf(input))).join(', ');
}

/** The shape and type that an input has by itself, as tf.tensor would have it; undefined for what is none. */
export function specOf(input: unknown): InputSpec | undefined {
  if (isTensor(input)) return input;
  const shape: number[] = [];
  let [inner, dtype]: [unknown, tf.DataType] = [input, 'float32'];
  while (isList(inner) && shape.length <= MOST_AXES) {
    shape.push(inner.length);
    if (isTyped(inner) && !isFloat(inner)) dtype = 'int32';
    inner = inner[0];
  }
  if (typeof inner === 'boolean') dtype = 'bool';
  return shapeAs(input, { shape, dtype }) && { shape, dtype };
}

/**
 * The whole shape of an input that may stand for `spec`, or undefined; with `many` for that of so many steps, with an axis
 * for them in front.
 */
function shapeAs(input: unknown, { shape, dtype }: InputSpec, many = false): readonly number[] | undefined {
  if (isTensor(input)) {
    const whole: readonly number[] = input.shape;
    const own = many ? whole.slice(1) : whole;
    const same = own.length === shape.length && own.every((size, i) => size === shape[i]);
    return same && dtype === input.dtype ? whole : undefined;
  }
  if (!isPlainType(dtype)) return undefined;
  const { is } = PLAIN[dtype];
  const steps = isTyped(input) ? input.length / sizeOf(shape) : Array.isArray(input) ? input.length : NaN;
  if (many && !Number.isInteger(steps)) return undefined;
  const whole = many ? [steps, ...shape] : shape;
  const size = isTyped(input) ? [sizeOf(whole)] : whole;
  return isNested(input, size, is) ? whole : undefined;
}

function isNested(value: unknown, [size, ...rest]: readonly number[], is: (element: unknown) => boolean): boolean {
  if (size === undefined) return is(value);
  if (!isList(value) || value.length !== size) return false;
  // A typed array's elements, of which there may be very many, are all of one type.
  if (rest.length === 0 && isTyped(value) && is === PLAIN.float32.is) return size === 0 || is(value[0]);
  for (let i = 0; i < size; i++) if (!isNested(value[i], rest, is)) return false;
  return true;
}

/** A signature that inputs were held against, and their whole shapes. */
export interface Match<T> {
  step: T;
  shapes: readonly (readonly number[])[];
}

/** Of recorded steps the one that takes these inputs: where there are several, the one that takes them as they are. */
export function match<T extends { readonly signature: readonly InputSpec[] }>(
  steps: readonly T[],
  inputs: readonly unknown[],
  many: boolean,
): Match<T> | undefined {
  const matches = steps.flatMap((step): Match<T>[] => {
    if (step.signature.length !== inputs.length) return [];
    const shapes = step.signature.map((spec, i) => shapeAs(inputs[i], spec, many));
    return shapes.every((shape) => shape !== undefined) ? [{ step, shapes }] : [];
  });
  if (matches.length <= 1) return matches[0];
  const own = describeGiven(inputs);
  return matches.find(({ step, shapes }) => {
    const whole = step.signature.map(({ dtype }, i) => ({ dtype, shape: shapes[i] ?? [] }));
    return describe(whole) === own;
  });
}

/** Throws a BnTrainError for a tensor that has no values any more, or none in this copy of tfjs. */
export function assertLive(doing: string, what: string, tensor: tf.Tensor): void {
  if (!tensor.isDisposed && tf.engine().state.tensorInfo.has(tensor.dataId)) return;
  const [got, hint] = tensor.isDisposed
    ? ['which was disposed of', 'tf.keep and tf.tidy decide what lives on']
    : [
        'which belongs to another copy of TensorFlow.js',
        'npm ls @tensorflow/tfjs shows the copies, npm dedupe leaves one',
      ];
  throw cannot(doing, { expected: `${what} to live`, got: `${what}, ${got}`, hint });
}

/** A native tensor of a plain input. */
export function plainTensor(
  backend: NativeBackend,
  input: Plain,
  dtype: tf.DataType | undefined,
  shape: readonly number[],
): tf.Tensor {
  const type = dtype as keyof typeof PLAIN;
  const values = PLAIN[type].from(isTyped(input) ? input : flattened(input));
  const id = backend.binding.createTensor([...shape], DTYPE[type], values);
  return nativeTensor(backend, { id, shape, dtype: DTYPE[type] });
}

function flattened(input: unknown): number[] {
  return isTyped(input) ? [...input] : Array.isArray(input) ? input.flatMap(flattened) : [Number(input)];
}

/** The ops that rewrites emit, on float32 values. */
import { type Attribute, DTYPE, sizeOf } from '../graph.js';
import type { Editor } from './editor.js';

const { float32, int32 } = DTYPE;

export const typed = (name: string, value: number): Attribute => ({ name, kind: 'type', value });
export const flag = (name: string, value: boolean): Attribute => ({ name, kind: 'bool', value });
export const whole = (name: string, value: number | readonly number[]): Attribute => ({ name, kind: 'int', value });

export function ints(editor: Editor, values: readonly number[], shape: readonly number[] = [values.length]): number {
  return editor.constant({ shape, dtype: int32, values: Int32Array.from(values) });
}

export function floats(editor: Editor, values: readonly number[], shape: readonly number[]): number {
  return editor.constant({ shape, dtype: float32, values: Float32Array.from(values) });
}

/** `x` in another shape; of two reshapes in a row only the last is left. */
export function reshape(editor: Editor, x: number, shape: readonly number[]): number {
  const producer = editor.producer(x);
  const source = producer?.op === 'Reshape' ? (producer.inputs[0] ?? x) : x;
  const { dtype, shape: old } = editor.value(source);
  if (old.join() === shape.join()) return source;
  const types = [typed('T', dtype), typed('Tshape', int32)];
  return editor.op('Reshape', types, [source, ints(editor, shape)], { shape, dtype });
}

/** Elementwise; the result has the shape of `a` unless another one is given. */
export function elementwise(editor: Editor, op: string, a: number, b: number, shape = editor.shape(a)): number {
  return editor.op(op, [typed('T', float32)], [a, b], { shape, dtype: float32 });
}

/** Over axis 0. */
export function reduce(editor: Editor, op: 'Sum' | 'Mean', x: number): number {
  const attributes = [flag('keep_dims', false), typed('T', float32), typed('Tidx', int32)];
  const shape = editor.shape(x).slice(1);
  return editor.op(op, attributes, [x, ints(editor, [0])], { shape, dtype: float32 });
}

/** Slices of `x` along `axis`, at constant positions, in the order of `indices`. */
export function gather(editor: Editor, x: number, indices: readonly number[], axis: number): number {
  const types = [typed('Tparams', float32), typed('Tindices', int32), typed('Taxis', int32)];
  const inputs = [x, ints(editor, indices), ints(editor, [axis], [])];
  const shape = editor.shape(x).with(axis, indices.length);
  return editor.op('GatherV2', [whole('batch_dims', 0), ...types], inputs, { shape, dtype: float32 });
}

/**
 * Rows of `x` [rows, width] at constant positions, where undefined stands for a row of zeros: a matrix with known zeros,
 * such as a convolution's filter laid out along its image, is made of these.
 */
export function gatherOrZero(editor: Editor, x: number, indices: readonly (number | undefined)[]): number {
  const [rows = 0, width = 0] = editor.shape(x);
  const zero = floats(editor, new Array<number>(width).fill(0), [1, width]);
  const attributes = [whole('N', 2), typed('T', float32), typed('Tidx', int32)];
  const shape = [rows + 1, width];
  const extended = editor.op('ConcatV2', attributes, [x, zero, ints(editor, [0], [])], { shape, dtype: float32 });
  return gather(
    editor,
    extended,
    indices.map((index) => index ?? rows),
    0,
  );
}

/** `x` [width] repeated `times`: [times · width]. */
export function tile(editor: Editor, x: number, times: number): number {
  const shape = [sizeOf(editor.shape(x)) * times];
  const types = [typed('T', float32), typed('Tmultiples', int32)];
  return editor.op('Tile', types, [x, ints(editor, [times])], { shape, dtype: float32 });
}

/** Axes swapped: result axis i is axis `order[i]` of `x`. */
export function transpose(editor: Editor, x: number, order: readonly number[]): number {
  const shape = order.map((axis) => editor.shape(x)[axis] ?? 0);
  const types = [typed('T', float32), typed('Tperm', int32)];
  return editor.op('Transpose', types, [x, ints(editor, order)], { shape, dtype: float32 });
}

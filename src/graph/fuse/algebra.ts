/** Rules for graphs that are fused: what is the same for all rows is computed once, and not for each of them. */
import { DTYPE, sizeOf, types } from '../graph.js';
import type { Editor } from '../rewrite/editor.js';
import type { Rule } from '../rewrite/rule.js';
import { isUniform } from './geometry.js';

const { float32, int32 } = DTYPE;

/** How many products of products are looked through. */
const DEPTH = 4;

type Shape = readonly number[];

/** With axes of size 1 before, as broadcasting has it. */
const padded = (shape: Shape, rank: number): Shape => [...new Array<number>(rank - shape.length).fill(1), ...shape];

function broadcast(shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map(({ length }) => length));
  return shapes.reduce((a, b) => padded(b, rank).map((size, i) => (size === 1 ? a[i] : size) ?? 1), padded([], rank));
}

/** What is repeated where a value repeats a smaller one, as the ones do that gradients begin with. */
function core(id: number, editor: Editor): number {
  const { values, dtype } = editor.constants.get(id) ?? {};
  if (values && dtype === float32 && isUniform(values)) return editor.floats([values[0] ?? 0], []);
  const { op, inputs: [from = id] = [] } = editor.producers.get(id) ?? {};
  const [small, large] = [editor.shape(from), editor.shape(id)];
  const isRepeated =
    op === 'BroadcastTo' || (op === 'Tile' && small.every((size, i) => size === 1 || size === large[i]));
  return isRepeated ? from : id;
}

/** Values are repeated after they are computed. */
export const lateBroadcast: Rule = {
  name: 'lateBroadcast',
  on: 'cpu',
  ops: ['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'Neg'],
  apply({ op, inputs, outputs: [{ shape }] }, editor) {
    const cores = inputs.map((id) => core(id, editor));
    if (sizeOf(shape) < 2 || cores.every((id, i) => id === inputs[i])) return undefined;
    const small = broadcast(cores.map((id) => editor.shape(id)));
    const result = editor.op(op, types({ T: float32 }), cores, small);
    return small.join() === shape.join() ? result : repeated(result, shape, editor);
  },
};

/** As broadcasting repeats a value. */
export function repeated(x: number, shape: Shape, editor: Editor): number {
  return editor.op('BroadcastTo', types({ T: float32, Tidx: int32 }), [x, editor.ints(shape)], shape);
}

/** The factors of a product that are the same along the axes of a sum, and the product of the others. */
function split(id: number, editor: Editor, isSame: (id: number) => boolean, depth = DEPTH): [number[], number[]] {
  if (isSame(id)) return [[id], []];
  const { op, inputs = [] } = editor.producers.get(id) ?? {};
  if (op !== 'Mul' || depth === 0) return [[], [id]];
  const parts = inputs.map((input) => split(input, editor, isSame, depth - 1));
  const outside = parts.flatMap(([same]) => same);
  return outside.length > 0 ? [outside, parts.flatMap(([, other]) => other)] : [[], [id]];
}

/** Σ c·x = c·Σ x: sums of the same products become one, and none waits for a c that another pass makes. */
export const factors: Rule = {
  name: 'factors',
  on: 'cpu',
  ops: ['Sum', 'Mean'],
  apply({ op, attributes, inputs: [x = 0, axes = 0], outputs: [{ shape }] }, editor) {
    const large = editor.shape(x);
    const over = editor.constants.get(axes)?.values;
    if (!over?.length) return undefined;
    const reduced = new Set(Array.from(over, (axis) => (axis + large.length) % large.length));
    const along = (id: number) => padded(editor.shape(id), large.length);
    const isSame = (id: number) => along(id).every((size, axis) => size === 1 || !reduced.has(axis));
    const [outside, inside] = split(x, editor, isSame);
    if (outside.length === 0 || broadcast(inside.map(along)).join() !== large.join()) return undefined;
    const multiply = (a: number, b: number) =>
      editor.elementwise('Mul', a, b, broadcast([editor.shape(a), editor.shape(b)]));
    const sum = editor.op(op, [...attributes], [inside.sort((a, b) => a - b).reduce(multiply), axes], shape);
    const isKept = shape.length === large.length;
    const left = (id: number) => along(id).filter((_, axis) => isKept || !reduced.has(axis));
    const kept = outside.map((id) => editor.reshape(id, left(id)));
    return editor.reshape([sum, ...kept].reduce(multiply), shape);
  },
};

/** A sum of sums, the first of them over the leading axis, is one over all of it; so is a mean of means. */
export const sumOfSums: Rule = {
  name: 'sumOfSums',
  on: 'cpu',
  ops: ['Sum', 'Mean'],
  apply({ op, inputs: [x = 0, axes = 0], outputs: [{ shape }] }, editor) {
    const over = editor.constants.get(axes)?.values;
    const inner = editor.producers.get(seenThrough(x, editor));
    const [from = 0, leading = 0] = inner?.inputs ?? [];
    if (!over?.length || inner?.op !== op || editor.constants.get(leading)?.values.join() !== '0') return undefined;
    const large = [editor.shape(from)[0] ?? 0, ...editor.shape(x)];
    const all = [0, ...Array.from(over, (axis) => (axis < 0 ? large.length : 1) + axis)];
    const left = large.filter((_, axis) => !all.includes(axis));
    return editor.reshape(editor.reduce(op, editor.reshape(from, large), all, left), shape);
  },
};

/** What a value is another shape of, or the very same. */
function seenThrough(id: number, editor: Editor): number {
  const { op = '', inputs: [from = id] = [] } = editor.producers.get(id) ?? {};
  const isSame = op === 'Reshape' || (op === 'Cast' && editor.value(from).dtype === float32);
  return isSame ? seenThrough(from, editor) : id;
}

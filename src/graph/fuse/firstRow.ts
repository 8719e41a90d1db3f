/** A rule for graphs that are fused: what is computed of a batch's first row only need not wait for all the other rows. */
import { DTYPE, type Node, sizeOf, types } from '../graph.js';
import type { Editor } from '../rewrite/editor.js';
import type { Rule } from '../rewrite/rule.js';
import { REDUCTIONS, REPEATING } from './batch.js';
import { kernelOf } from './convolution.js';
import { expressionOf } from './operators.js';

const { int32 } = DTYPE;

/** How much of what leads to a row is computed twice. */
const MOST = 12;

/** The slice of a row is taken of what the values are made of, and not of them. */
export const firstRow: Rule = {
  name: 'firstRow',
  on: 'cpu',
  ops: ['Slice'],
  apply({ inputs: [x = 0, start = 0], outputs: [{ shape }] }, editor) {
    const [rows = 0, ...row] = editor.shape(x);
    const isFirst = editor.constants.get(start)?.values.every((position) => position === 0) === true;
    if (!isFirst || rows <= MOST || shape.join() !== [1, ...row].join() || !madeByRow(x, editor)) return undefined;
    return rowOf(x, editor, { ops: 0, convolutions: 0 });
  },
};

/** What makes a value row by row, of inputs that have these rows, too, or are the same for all. */
function madeByRow(id: number, editor: Editor): Node | undefined {
  const node = editor.producers.get(id);
  if (!node) return undefined;
  const [rows, ...row] = editor.shape(id);
  const first = editor.shape(node.inputs[0] as number);
  const shapeOf = (input: number) => editor.shape(input);
  if (node.op === 'Reshape') return first[0] === rows && sizeOf(row) > 0 ? node : undefined;
  if (node.op === 'Conv2D') return kernelOf(node, shapeOf) ? node : undefined;
  if (REDUCTIONS.includes(node.op) || REPEATING.includes(node.op)) return undefined;
  const values = node.inputs.map((input) => editor.value(input));
  const isSame = ({ shape }: { shape: readonly number[] }) => shape.length <= row.length || shape[0] === rows;
  return expressionOf(node, values) !== undefined && values.every(isSame) ? node : undefined;
}

/** The first row, [1, …]; undefined where that takes too much, or waits for other rows all the same. */
function rowOf(id: number, editor: Editor, taken: { ops: number; convolutions: number }): number | undefined {
  const { shape, dtype } = editor.value(id);
  const node = madeByRow(id, editor);
  const one = shape.with(0, 1);
  if (!node) {
    const { op = '' } = editor.producers.get(id) ?? {};
    if (REDUCTIONS.includes(op) || REPEATING.includes(op)) return undefined;
    const [start, size] = [shape.map(() => 0), one].map((values) => editor.ints(values)) as [number, number];
    return editor.op('Slice', types({ T: dtype, Index: int32 }), [id, start, size], one, dtype);
  }
  taken.convolutions += node.op === 'Conv2D' ? 1 : 0;
  if (++taken.ops > MOST || taken.convolutions > 1) return undefined;
  const isMoving = (input: number, i: number) =>
    node.op === 'Conv2D' ? i === 0 : editor.shape(input).length === shape.length && editor.shape(input)[0] === shape[0];
  if (node.op === 'Reshape') {
    const row = rowOf(node.inputs[0] as number, editor, taken);
    return row === undefined ? undefined : editor.reshape(row, one);
  }
  const inputs = node.inputs.map((input, i) => (isMoving(input, i) ? rowOf(input, editor, taken) : input));
  if (inputs.includes(undefined)) return undefined;
  return editor.op(node.op, [...node.attributes], inputs as number[], one, dtype);
}

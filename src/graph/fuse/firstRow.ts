/** A rule for graphs that are fused: what is asked of the first row of a batch need not wait for all the others. */
import { DTYPE, types } from '../graph.js';
import type { Editor } from '../rewrite/editor.js';
import type { Rule } from '../rewrite/rule.js';
import { REPEATING } from './batch.js';
import { isConvolution, isGradient, kernelOf } from './convolution.js';
import { expressionOf } from './operators.js';
import { REDUCTIONS } from './fusedStep.js';

/** As much is computed once more for it; a batch of fewer rows is not worth that. */
const MOST_OPS = 12;

/** The slice is taken of what the rows are made of. */
export const firstRow: Rule = {
  name: 'firstRow',
  on: 'cpu',
  ops: ['Slice'],
  apply({ inputs: [x = 0, start = 0], outputs: [{ shape }] }, editor) {
    const rows = editor.shape(x)[0] ?? 0;
    const isFirst = editor.constants.get(start)?.values.every((position) => position === 0) === true;
    if (!isFirst || rows <= MOST_OPS || shape.join() !== editor.shape(x).with(0, 1).join()) return undefined;
    const row = rowOf(x, editor, { ops: MOST_OPS, convolutions: 1 });
    // Where nothing is to be had, it is the slice that there was.
    return row !== undefined && editor.producers.get(row)?.inputs[0] === x ? undefined : row;
  },
};

/** The first row, [1, …]; undefined where that takes too much, or other rows all the same. */
function rowOf(id: number, editor: Editor, left: { ops: number; convolutions: number }): number | undefined {
  const { shape, dtype } = editor.value(id);
  const one = shape.with(0, 1);
  const node = editor.producers.get(id);
  const op = node?.op ?? '';
  if ([...REDUCTIONS, ...REPEATING].includes(op)) return undefined;
  const isDirect =
    node !== undefined &&
    isConvolution(op) &&
    !isGradient(op) &&
    kernelOf(node, (input) => editor.shape(input)) !== undefined;
  const isElements =
    node !== undefined &&
    expressionOf(
      node,
      node.inputs.map((input) => editor.value(input)),
    ) !== undefined;
  if (!node || !(isDirect || isElements || op === 'Reshape')) {
    const [start, size] = [shape.map(() => 0), one].map((values) => editor.ints(values)) as [number, number];
    return editor.op('Slice', types({ T: dtype, Index: DTYPE.int32 }), [id, start, size], one, dtype);
  }
  left.ops -= 1;
  left.convolutions -= isDirect ? 1 : 0;
  if (left.ops < 0 || left.convolutions < 0) return undefined;
  const inputs = node.inputs.map((input, i) => {
    const own = editor.shape(input);
    const hasRows = isDirect || op === 'Reshape' ? i === 0 : own.length === shape.length;
    return hasRows && own[0] === shape[0] ? rowOf(input, editor, left) : input;
  });
  if (inputs.includes(undefined)) return undefined;
  const [first = 0] = inputs as number[];
  // Of which every row is a row.
  if (op === 'Reshape') return first === node.inputs[0] ? undefined : editor.reshape(first, one);
  return editor.op(op, [...node.attributes], inputs as number[], one, dtype);
}

/** A batch of one matrix product is a matrix product, which TensorFlow fuses with the bias that follows. */
import { attribute, sizeOf } from '../graph.js';
import type { Rule } from './rule.js';

export const matMul: Rule = {
  name: 'matMul',
  on: 'everything',
  ops: ['BatchMatMulV2'],
  apply(node, editor) {
    const [a = 0, b = 0] = node.inputs;
    if (![a, b].every((id) => sizeOf(editor.shape(id).slice(0, -2)) === 1)) return undefined;
    const [left = 0, right = 0] = [a, b].map((id) => editor.reshape(id, editor.shape(id).slice(-2)));
    const transposed = { a: attribute(node, 'adj_x') === true, b: attribute(node, 'adj_y') === true };
    return editor.reshape(editor.matMul(left, right, transposed), node.outputs[0].shape);
  },
};

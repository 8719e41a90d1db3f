/** A batch of one matrix product is a matrix product, which TensorFlow fuses with the bias that follows. */
import { attribute, DTYPE } from '../graph.js';
import { flag, reshape, typed } from './ops.js';
import type { Rule } from './rule.js';

export const matMul: Rule = {
  name: 'matMul',
  on: 'everything',
  apply(node, editor) {
    const [output] = node.outputs;
    const [a = 0, b = 0] = node.inputs;
    if (node.op !== 'BatchMatMulV2' || output?.dtype !== DTYPE.float32) return undefined;
    if (
      ![a, b].every((id) =>
        editor
          .shape(id)
          .slice(0, -2)
          .every((size) => size === 1),
      )
    )
      return undefined;
    const attributes = [
      typed('T', DTYPE.float32),
      flag('transpose_a', attribute(node, 'adj_x') === true),
      flag('transpose_b', attribute(node, 'adj_y') === true),
    ];
    const inputs = [a, b].map((id) => reshape(editor, id, editor.shape(id).slice(-2)));
    const product = editor.op('MatMul', attributes, inputs, { shape: output.shape.slice(-2), dtype: DTYPE.float32 });
    return reshape(editor, product, output.shape);
  },
};

/** The gradient dy · (y · (1 − y)) with y = sigmoid(x): three passes over the data become one op. */
import type { Node } from '../graph.js';
import type { Editor } from './editor.js';
import type { Rule } from './rule.js';

export const sigmoidGrad: Rule = {
  name: 'sigmoidGrad',
  on: 'everything',
  ops: ['Mul'],
  apply({ inputs, outputs }, editor) {
    const [a = 0, b = 0] = inputs;
    for (const [dy, slope] of [
      [a, b],
      [b, a],
    ] as const) {
      const y = sigmoidOfSlope(slope, editor);
      const shapes = [y ?? dy, dy].map((id) => editor.shape(id).join());
      if (y !== undefined && shapes.every((shape) => shape === outputs[0].shape.join()))
        return editor.elementwise('SigmoidGrad', y, dy);
    }
    return undefined;
  },
};

/** y where `id` is y · (1 − y) and y is a sigmoid. */
function sigmoidOfSlope(id: number, editor: Editor): number | undefined {
  const product = editor.producers.get(id);
  if (product?.op !== 'Mul') return undefined;
  const [a = 0, b = 0] = product.inputs;
  if (isOneMinus(editor.producers.get(b), a, editor)) return isSigmoid(a, editor) ? a : undefined;
  return isOneMinus(editor.producers.get(a), b, editor) && isSigmoid(b, editor) ? b : undefined;
}

function isOneMinus(node: Node | undefined, y: number, editor: Editor): boolean {
  const one = editor.constants.get(node?.inputs[0] ?? 0);
  return node?.op === 'Sub' && node.inputs[1] === y && one?.values.length === 1 && one.values[0] === 1;
}

function isSigmoid(id: number, editor: Editor): boolean {
  return editor.producers.get(id)?.op === 'Sigmoid';
}

/** The gradient of a leaky ReLU goes by the sign of its result, so that nobody else reads what TensorFlow fuses it with. */
import { attribute, DTYPE, type Node, types } from '../graph.js';
import type { Editor } from './editor.js';
import type { Rule } from './rule.js';

/**
 * TensorFlow makes one op of a convolution, its bias and a leaky ReLU; where another op reads the sum it gives up on the
 * whole graph, with an error in its log.
 */
export const leakyReluGrad: Rule = {
  name: 'leakyReluGrad',
  on: 'everything',
  ops: ['Select', 'SelectV2'],
  apply({ op, attributes, inputs: [condition = 0, ...values], outputs: [{ shape }] }, editor) {
    const greater = editor.producers.get(condition);
    const [x = 0, zero = 0] = greater?.inputs ?? [];
    if (greater?.op !== 'Greater' || editor.constants.get(zero)?.values.join() !== '0') return undefined;
    const y = leakyReluOf(x, editor);
    if (y === undefined) return undefined;
    const isAbove = editor.op('Greater', types({ T: DTYPE.float32 }), [y, zero], editor.shape(x), DTYPE.bool);
    return editor.op(op, [...attributes], [isAbove, ...values], shape);
  },
};

/** Of the same sign, as nothing is multiplied by a number below 0. */
function leakyReluOf(x: number, editor: Editor): number | undefined {
  const isLeaky = (node: Node | undefined): node is Node =>
    node?.op === 'LeakyRelu' && (attribute(node, 'alpha') as number) > 0;
  const y = editor.current(editor.readersOf(x).find(isLeaky)?.outputs[0]?.id ?? 0);
  return isLeaky(editor.producers.get(y)) ? y : undefined;
}

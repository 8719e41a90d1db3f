/** A sum or mean per channel over all other axes: first over the batch, along long rows, then over positions. */
import { sizeOf } from '../graph.js';
import type { Rule } from './rule.js';

/**
 * TensorFlow's own reduction runs along the last axis, too short for the vector units where channels are few, and adds up
 * many more numbers one after the other, which costs accuracy.
 */
export const reduceRows: Rule = {
  name: 'reduceRows',
  on: 'cpu',
  ops: ['Sum', 'Mean'],
  apply({ op, inputs, outputs }, editor) {
    const [x = 0, axes = 0] = inputs;
    const shape = editor.shape(x);
    const over = [...(editor.constants.get(axes)?.values ?? [])].sort((a, b) => a - b);
    if (shape.length < 3 || over.join() !== [...shape.keys()].slice(0, -1).join()) return undefined;
    const [batch = 0, channels = 0] = [shape[0], shape.at(-1)];
    const positions = sizeOf(shape) / batch / channels;
    if (!(sizeOf(shape) > 0)) return undefined;
    const perPosition = editor.reduce(op, editor.reshape(x, [batch, positions * channels]));
    const perChannel = editor.reduce(op, editor.reshape(perPosition, [positions, channels]));
    return editor.reshape(perChannel, outputs[0].shape);
  },
};

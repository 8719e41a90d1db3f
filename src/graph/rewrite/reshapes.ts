/** Reshapes that change nothing or follow each other, and casts of a type to itself, of which tfjs makes thousands. */
import { DTYPE } from '../graph.js';
import type { Rule } from './rule.js';

export const reshapes: Rule = {
  name: 'reshapes',
  on: 'everything',
  ops: ['Reshape', 'Cast'],
  apply({ op, inputs: [x = 0], outputs: [{ shape }] }, editor) {
    if (op === 'Cast') return editor.value(x).dtype === DTYPE.float32 ? x : undefined;
    const isShort = editor.producers.get(x)?.op !== 'Reshape' && editor.shape(x).join() !== shape.join();
    return isShort ? undefined : editor.reshape(x, shape);
  },
};

/** One value per channel, met with all of [n, h, w, c]: repeated to a row first, so that both are long rows. */
import { sizeOf } from '../graph.js';
import type { Rule } from './rule.js';

/** From here on the last axis is long enough by itself. */
const MANY_CHANNELS = 64;

export const wideBroadcast: Rule = {
  name: 'wideBroadcast',
  on: 'cpu',
  // TensorFlow's broadcast runs along the last axis alone, and a few channels do not fill the vector units.
  ops: ['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'SquaredDifference'],
  apply({ op, inputs, outputs }, editor) {
    const [output] = outputs;
    const [a = 0, b = 0] = inputs;
    if (output.shape.length < 3) return undefined;
    const [batch = 0, channels = 0] = [output.shape[0], output.shape.at(-1)];
    if (!(sizeOf(output.shape) > 0)) return undefined;
    const isFull = (id: number) => editor.shape(id).join() === output.shape.join();
    const isPerChannel = (id: number) => sizeOf(editor.shape(id)) === channels && editor.shape(id).at(-1) === channels;
    const vector = isFull(a) ? b : a;
    const full = isFull(a) ? a : b;
    if (channels >= MANY_CHANNELS || !isFull(full) || !isPerChannel(vector) || isFull(vector)) return undefined;
    // TensorFlow itself fuses a bias into the convolution before it.
    if (op === 'Add' && editor.producers.get(full)?.op === 'Conv2D') return undefined;
    const rest = sizeOf(output.shape) / batch;
    const row = editor.tile(editor.reshape(vector, [channels]), rest / channels);
    const flat = editor.reshape(full, [batch, rest]);
    const [left, right] = isFull(a) ? [flat, row] : [row, flat];
    return editor.reshape(editor.elementwise(op, left, right, [batch, rest]), output.shape);
  },
};

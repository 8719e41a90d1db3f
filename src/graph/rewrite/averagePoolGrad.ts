/** The gradient of average pooling over windows that do not overlap: every value goes, divided, to its whole window. */
import { attribute } from '../graph.js';
import type { Rule } from './rule.js';

export const averagePoolGrad: Rule = {
  name: 'averagePoolGrad',
  on: 'cpu',
  ops: ['AvgPoolGrad'],
  apply(node, editor) {
    const [output] = node.outputs;
    if (attribute(node, 'data_format') !== 'NHWC') return undefined;
    const [, rows = 0, columns = 0] = attribute(node, 'ksize') as readonly number[];
    const dy = node.inputs[1] ?? 0;
    const [batch = 0, outHeight = 0, outWidth = 0, channels = 0] = editor.shape(dy);
    const [, height = 0, width = 0] = output.shape;
    const strides = attribute(node, 'strides') as readonly number[];
    const whole = height === outHeight * rows && width === outWidth * columns;
    if (!whole || strides[1] !== rows || strides[2] !== columns) return undefined;
    const share = editor.elementwise('Mul', dy, editor.floats([1 / (rows * columns)], []));
    const window = Array.from(
      { length: height * width },
      (_, i) => Math.floor(i / width / rows) * outWidth + Math.floor((i % width) / columns),
    );
    const spread = editor.gather(editor.reshape(share, [batch, outHeight * outWidth, channels]), window, 1);
    return editor.reshape(spread, output.shape);
  },
};

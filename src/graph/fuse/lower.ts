/** Rules for graphs that are fused: ops that have loops of their own become steps that share one. */
import { attribute, DTYPE, types } from '../graph.js';
import { convInputGrad } from '../rewrite/convInputGrad.js';
import type { Editor } from '../rewrite/editor.js';
import { matMul } from '../rewrite/matMul.js';
import type { Rule } from '../rewrite/rule.js';

const { float32, int32 } = DTYPE;

/** Of a pooling over whole windows that do not overlap: the image, [n, rows, in window, columns, in window, channels]. */
function windows(node: Parameters<Rule['apply']>[0], image: readonly number[], pooled: readonly number[]) {
  const [, height = 0, width = 0] = attribute(node, 'ksize') as readonly number[];
  const strides = attribute(node, 'strides') as readonly number[];
  const [batch = 0, rows = 0, columns = 0, channels = 0] = pooled;
  const isWhole = image[1] === rows * height && image[2] === columns * width;
  if (attribute(node, 'data_format') !== 'NHWC' || !isWhole || strides[1] !== height || strides[2] !== width)
    return undefined;
  const small = [batch, rows, 1, columns, 1, channels];
  return { large: [batch, rows, height, columns, width, channels], small, size: height * width };
}

/** Over both axes of the windows. */
function pool(op: string, x: number, large: readonly number[], pooled: readonly number[], editor: Editor): number {
  const attributes = [
    { name: 'keep_dims', kind: 'bool', value: false } as const,
    ...types({ T: float32, Tidx: int32 }),
  ];
  return editor.op(op, attributes, [editor.reshape(x, large), editor.ints([2, 4])], pooled);
}

const averagePool: Rule = {
  name: 'averagePool',
  on: 'cpu',
  ops: ['AvgPool', 'MaxPool'],
  apply(node, editor) {
    const [x = 0] = node.inputs;
    const pooled = node.outputs[0].shape;
    const found = windows(node, editor.shape(x), pooled);
    return found && pool(node.op === 'AvgPool' ? 'Mean' : 'Max', x, found.large, pooled, editor);
  },
};

const averagePoolGrad: Rule = {
  name: 'averagePoolGrad',
  on: 'cpu',
  ops: ['AvgPoolGrad'],
  apply(node, editor) {
    const [, dy = 0] = node.inputs;
    const image = node.outputs[0].shape;
    const found = windows(node, image, editor.shape(dy));
    if (!found) return undefined;
    const share = editor.elementwise('Mul', editor.reshape(dy, found.small), editor.floats([1 / found.size], []));
    const attributes = types({ T: float32, Tidx: int32 });
    const spread = editor.op('BroadcastTo', attributes, [share, editor.ints(found.large)], found.large);
    return editor.reshape(spread, image);
  },
};

export const FUSED_RULES: readonly Rule[] = [matMul, convInputGrad, averagePool, averagePoolGrad];

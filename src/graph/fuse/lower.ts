/** Rules for graphs that are fused: ops that have loops of their own become steps that share one. */
import { attribute, DTYPE, types } from '../graph.js';
import { convInputGrad } from '../rewrite/convInputGrad.js';
import type { Editor } from '../rewrite/editor.js';
import { GENERAL_RULES } from '../rewrite/index.js';
import type { Rule } from '../rewrite/rule.js';
import { factors, lateBroadcast, sumOfSums } from './algebra.js';
import { kernelOf } from './convolution.js';
import { firstRow } from './firstRow.js';
import { ROUTE } from './fusedStep.js';
import { WINDOW } from './text.js';

const { float32, int32 } = DTYPE;
const KEEP = { name: 'keep_dims', kind: 'bool', value: true } as const;

/** Of a pooling over whole windows that do not overlap: the image, [n, rows, in window, columns, in window, channels]. */
function windows(node: Parameters<Rule['apply']>[0], image: readonly number[], pooled: readonly number[]) {
  const [, height = 0, width = 0] = attribute(node, 'ksize') as readonly number[];
  const strides = attribute(node, 'strides') as readonly number[];
  const [batch = 0, rows = 0, columns = 0, channels = 0] = pooled;
  const isWhole = image[1] === rows * height && image[2] === columns * width;
  if (
    attribute(node, 'data_format') !== 'NHWC' ||
    !isWhole ||
    height * width < 2 ||
    strides[1] !== height ||
    strides[2] !== width
  )
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

const pooling: Rule = {
  name: 'pooling',
  on: 'cpu',
  ops: ['AvgPool', 'MaxPool'],
  apply(node, editor) {
    const [x = 0] = node.inputs;
    const pooled = node.outputs[0].shape;
    const found = windows(node, editor.shape(x), pooled);
    return found && pool(node.op === 'AvgPool' ? 'Mean' : WINDOW, x, found.large, pooled, editor);
  },
};

const maxPoolGrad: Rule = {
  name: 'maxPoolGrad',
  on: 'cpu',
  ops: ['MaxPoolGrad'],
  apply(node, editor) {
    const [x = 0, y = 0, dy = 0] = node.inputs;
    const found = windows(node, editor.shape(x), editor.shape(dy));
    if (!found) return undefined;
    const inputs = [editor.reshape(x, found.large), editor.reshape(y, found.small), editor.reshape(dy, found.small)];
    return editor.reshape(editor.op(ROUTE, [], inputs, found.large), editor.shape(x));
  },
};

/** By given statistics; TensorFlow gives them back, too. */
const normalization: Rule = {
  name: 'normalization',
  on: 'cpu',
  ops: ['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'],
  apply(node, editor) {
    const [x = 0, gamma = 0, beta = 0, mean = 0, variance = 0] = node.inputs;
    if (attribute(node, 'is_training') !== false || attribute(node, 'data_format') !== 'NHWC') return undefined;
    const epsilon = editor.floats([attribute(node, 'epsilon') as number], []);
    const deviation = editor.op(
      'Rsqrt',
      types({ T: float32 }),
      [editor.elementwise('Add', variance, epsilon)],
      editor.shape(variance),
    );
    const slope = editor.elementwise('Mul', gamma, deviation);
    return editor.elementwise('Add', editor.elementwise('Mul', editor.elementwise('Sub', x, mean), slope), beta);
  },
};

/** Of the last axis. */
const softmax: Rule = {
  name: 'softmax',
  on: 'cpu',
  ops: ['Softmax', 'LogSoftmax'],
  apply(node, editor) {
    const [x = 0] = node.inputs;
    const shape = editor.shape(x);
    const over = (op: string, of: number) => {
      const sizes = [...shape.slice(0, -1), 1];
      return editor.op(op, [KEEP, ...types({ T: float32, Tidx: int32 })], [of, editor.ints([shape.length - 1])], sizes);
    };
    const unary = (op: string, of: number) => editor.op(op, types({ T: float32 }), [of], editor.shape(of));
    const centred = editor.elementwise('Sub', x, over('Max', x));
    const exponentials = unary('Exp', centred);
    const sum = over('Sum', exponentials);
    return node.op === 'Softmax'
      ? editor.elementwise('RealDiv', exponentials, sum)
      : editor.elementwise('Sub', centred, unary('Log', sum));
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

/** Where there is no kernel for it. */
const plainInputGrad: Rule = {
  ...convInputGrad,
  apply: (node, editor) => (kernelOf(node, (id) => editor.shape(id)) ? undefined : convInputGrad.apply(node, editor)),
};

export const FUSED_RULES: readonly Rule[] = [
  ...GENERAL_RULES,
  plainInputGrad,
  pooling,
  averagePoolGrad,
  maxPoolGrad,
  normalization,
  softmax,
  firstRow,
  lateBroadcast,
  sumOfSums,
  factors,
];

/** Rules for graphs that are fused: ops that have loops of their own become steps that share one. */
import { attribute, DTYPE, type Node, types } from '../graph.js';
import { convInputGrad } from '../rewrite/convInputGrad.js';
import type { Editor } from '../rewrite/editor.js';
import { GENERAL_RULES } from '../rewrite/index.js';
import type { Rule } from '../rewrite/rule.js';
import { factors, lateBroadcast, repeated, sumOfSums } from './algebra.js';
import { kernelOf } from './convolution.js';
import { firstRow } from './firstRow.js';
import { ROUTE, WINDOW } from './fusedStep.js';

type Shape = readonly number[];

/** Of a pooling over whole windows that do not overlap: the image, [n, rows, in window, columns, in window, channels]. */
function windows(node: Node, image: Shape, [batch = 0, rows = 0, columns = 0, channels = 0]: Shape) {
  const [, height = 0, width = 0] = attribute(node, 'ksize') as Shape;
  const [, down, across] = attribute(node, 'strides') as Shape;
  const isWhole = image[1] === rows * height && image[2] === columns * width && down === height && across === width;
  if (attribute(node, 'data_format') !== 'NHWC' || !isWhole || height * width < 2) return undefined;
  const small = [batch, rows, 1, columns, 1, channels];
  return { large: [batch, rows, height, columns, width, channels], small, size: height * width };
}

const pooling: Rule = {
  name: 'pooling',
  on: 'cpu',
  ops: ['AvgPool', 'MaxPool'],
  apply(node, editor) {
    const [x = 0] = node.inputs;
    const pooled = node.outputs[0].shape;
    const found = windows(node, editor.shape(x), pooled);
    const op = node.op === 'AvgPool' ? 'Mean' : WINDOW;
    return found && editor.reduce(op, editor.reshape(x, found.large), [2, 4], pooled);
  },
};

const poolingGrad: Rule = {
  name: 'poolingGrad',
  on: 'cpu',
  ops: ['AvgPoolGrad', 'MaxPoolGrad'],
  apply(node, editor) {
    const [x = 0, y = 0] = node.inputs;
    const dy = node.inputs.at(-1) as number;
    const image = node.outputs[0].shape;
    const found = windows(node, image, editor.shape(dy));
    if (!found) return undefined;
    const { large, small, size } = found;
    const given = editor.reshape(dy, small);
    const ofMaximum = () => editor.op(ROUTE, [], [editor.reshape(x, large), editor.reshape(y, small), given], large);
    const ofMean = () => repeated(editor.elementwise('Mul', given, editor.floats([1 / size], [])), large, editor);
    return editor.reshape(node.op === 'MaxPoolGrad' ? ofMaximum() : ofMean(), image);
  },
};

const unary = (editor: Editor, op: string, x: number) =>
  editor.op(op, types({ T: DTYPE.float32 }), [x], editor.shape(x));

/** By given statistics; TensorFlow gives them back, too. */
const normalization: Rule = {
  name: 'normalization',
  on: 'cpu',
  ops: ['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'],
  apply(node, editor) {
    const [x = 0, gamma = 0, beta = 0, mean = 0, variance = 0] = node.inputs;
    if (attribute(node, 'is_training') !== false || attribute(node, 'data_format') !== 'NHWC') return undefined;
    const epsilon = editor.floats([attribute(node, 'epsilon') as number], []);
    const deviation = unary(editor, 'Rsqrt', editor.elementwise('Add', variance, epsilon));
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
    const last = editor.shape(x).length - 1;
    const over = (op: string, of: number) => editor.reduce(op, of, [last], [...editor.shape(x).slice(0, -1), 1]);
    const centred = editor.elementwise('Sub', x, over('Max', x));
    const exponentials = unary(editor, 'Exp', centred);
    const sum = over('Sum', exponentials);
    return node.op === 'Softmax'
      ? editor.elementwise('RealDiv', exponentials, sum)
      : editor.elementwise('Sub', centred, unary(editor, 'Log', sum));
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
  poolingGrad,
  normalization,
  softmax,
  firstRow,
  lateBroadcast,
  sumOfSums,
  factors,
];

/** Every op of tfjs as a step on a few inputs, for the sweep over types. */
import * as tf from '@tensorflow/tfjs';

/** Of the type that is swept over, but for `i`, whole numbers 0 and 1, and `f`, float32. */
export interface Inputs {
  /** [2, 4, 6, 3], as `y` and `f`. */
  x: tf.Tensor4D;
  y: tf.Tensor4D;
  /** [3]. */
  i: tf.Tensor1D;
  f: tf.Tensor4D;
}

export type Case = (inputs: Inputs) => tf.Tensor | tf.Tensor[];

export const shape = [2, 4, 6, 3] as const;

const square = (x: tf.Tensor) => x.slice([0], [1]).reshape<tf.Tensor2D>([8, 9]).slice([0, 0], [8, 8]);
const matrix = (x: tf.Tensor) => x.reshape<tf.Tensor2D>([16, 9]);
const vector = (x: tf.Tensor) => x.reshape<tf.Tensor1D>([144]);
const plus = (i: tf.Tensor, n: number) => i.add(tf.scalar(n, 'int32'));
const video = (x: tf.Tensor) => x.reshape<tf.Tensor5D>([2, 4, 6, 3, 1]);
/** As weights, of the type of `x`. */
const taps = (x: tf.Tensor, sizes: number[]) =>
  vector(x)
    .slice([0], [sizes.reduce((a, b) => a * b, 1)])
    .reshape(sizes);

type Unary = (x: tf.Tensor4D) => tf.Tensor;
type Binary = (a: tf.Tensor4D, b: tf.Tensor4D) => tf.Tensor;

const UNARY: Record<string, Unary> = {
  abs: tf.abs,
  acos: tf.acos,
  acosh: (x) => tf.acosh(x.add(tf.onesLike(x))),
  asin: tf.asin,
  asinh: tf.asinh,
  atan: tf.atan,
  atanh: tf.atanh,
  ceil: tf.ceil,
  clone: tf.clone,
  cos: tf.cos,
  cosh: tf.cosh,
  elu: tf.elu,
  erf: tf.erf,
  exp: tf.exp,
  expm1: tf.expm1,
  fft: (x) => tf.fft(x),
  floor: tf.floor,
  ifft: (x) => tf.ifft(x),
  imag: tf.imag,
  irfft: (x) => tf.irfft(x),
  isFinite: tf.isFinite,
  isInf: tf.isInf,
  isNaN: tf.isNaN,
  log: tf.log,
  log1p: tf.log1p,
  logSigmoid: tf.logSigmoid,
  logicalNot: tf.logicalNot,
  neg: tf.neg,
  onesLike: tf.onesLike,
  real: tf.real,
  reciprocal: tf.reciprocal,
  relu: tf.relu,
  relu6: tf.relu6,
  rfft: (x) => tf.rfft(x),
  round: tf.round,
  rsqrt: tf.rsqrt,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sign: tf.sign,
  sin: tf.sin,
  sinh: tf.sinh,
  softplus: tf.softplus,
  sqrt: tf.sqrt,
  square: tf.square,
  tan: tf.tan,
  tanh: tf.tanh,
  zerosLike: tf.zerosLike,
};

const BINARY: Record<string, Binary> = {
  add: tf.add,
  atan2: tf.atan2,
  bitwiseAnd: tf.bitwiseAnd,
  complex: (a, b) => tf.complex(a, b),
  div: tf.div,
  divNoNan: tf.divNoNan,
  equal: tf.equal,
  floorDiv: tf.floorDiv,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  logicalAnd: tf.logicalAnd,
  logicalOr: tf.logicalOr,
  logicalXor: tf.logicalXor,
  maximum: tf.maximum,
  minimum: tf.minimum,
  mod: tf.mod,
  mul: tf.mul,
  notEqual: tf.notEqual,
  pow: tf.pow,
  prelu: tf.prelu,
  squaredDifference: tf.squaredDifference,
  sub: tf.sub,
};

const REDUCTIONS: Record<string, (x: tf.Tensor, axis?: number | number[]) => tf.Tensor> = {
  all: tf.all,
  any: tf.any,
  euclideanNorm: tf.euclideanNorm,
  logSumExp: tf.logSumExp,
  max: tf.max,
  mean: tf.mean,
  min: tf.min,
  prod: tf.prod,
  sum: tf.sum,
  'moments mean': (x, axis) => tf.moments(x, axis).mean,
  'moments variance': (x, axis) => tf.moments(x, axis).variance,
  norm: (x, axis) => tf.norm(x, 'euclidean', axis),
};

const LOSSES: Record<string, (labels: tf.Tensor, predictions: tf.Tensor, weights?: tf.Tensor) => tf.Tensor> = {
  absoluteDifference: tf.losses.absoluteDifference,
  computeWeightedLoss: (labels, predictions) => tf.losses.computeWeightedLoss(labels, predictions),
  cosineDistance: (labels, predictions, weights) => tf.losses.cosineDistance(labels, predictions, 3, weights),
  hingeLoss: tf.losses.hingeLoss,
  huberLoss: tf.losses.huberLoss,
  logLoss: tf.losses.logLoss,
  meanSquaredError: tf.losses.meanSquaredError,
  sigmoidCrossEntropy: tf.losses.sigmoidCrossEntropy,
  softmaxCrossEntropy: (labels, predictions) => tf.losses.softmaxCrossEntropy(labels, predictions),
};

const byClass: Case = ({ x, f }) => tf.metrics.sparseCategoricalAccuracy(matrix(f).argMax(-1).expandDims(1), matrix(x));

type Metric = (labels: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;
const METRICS = tf.metrics as unknown as Record<string, Metric>;

const PADDING = [
  [0, 0],
  [1, 1],
  [1, 2],
  [0, 0],
] as [number, number][];

const ARRANGING: Record<string, Case> = {
  batchToSpaceND: ({ x }) => tf.batchToSpaceND(x, [2], [[0, 0]]),
  broadcastTo: ({ x }) => x.slice([0], [1]).broadcastTo([...shape]),
  concat: ({ x, y }) => tf.concat([x, y], 1),
  concat1d: ({ x, y }) => tf.concat1d([vector(x), vector(y)]),
  concat2d: ({ x, y }) => tf.concat2d([matrix(x), matrix(y)], 1),
  concat3d: ({ x, y }) => tf.concat3d([x.reshape([8, 6, 3]), y.reshape([8, 6, 3])], 1),
  concat4d: ({ x, y }) => tf.concat4d([x, y], 3),
  depthToSpace: ({ x }) => tf.depthToSpace(x.reshape<tf.Tensor4D>([2, 3, 6, 4]), 2),
  diag: ({ x }) => tf.diag(vector(x).slice([0], [4])),
  ensureShape: ({ x }) => tf.ensureShape(x, [...shape]),
  expandDims: ({ x }) => x.expandDims(1),
  mirrorPad: ({ x }) => tf.mirrorPad(x, PADDING, 'reflect'),
  pad: ({ x }) => tf.pad(x, PADDING),
  'pad with ones': ({ x }) => tf.pad(x, PADDING, 1),
  pad1d: ({ x }) => tf.pad1d(vector(x), [1, 2]),
  pad2d: ({ x }) =>
    tf.pad2d(matrix(x), [
      [1, 2],
      [0, 1],
    ]),
  pad3d: ({ x }) =>
    tf.pad3d(x.reshape([8, 6, 3]), [
      [1, 2],
      [0, 1],
      [0, 0],
    ]),
  pad4d: ({ x }) => tf.pad4d(x, PADDING as [[number, number], [number, number], [number, number], [number, number]]),
  reshape: ({ x }) => tf.reshape(x, [4, 36]),
  reverse: ({ x }) => x.reverse([1, 3]),
  reverse1d: ({ x }) => tf.reverse1d(vector(x)),
  reverse2d: ({ x }) => tf.reverse2d(matrix(x), 0),
  reverse3d: ({ x }) => tf.reverse3d(x.reshape([8, 6, 3]), 0),
  reverse4d: ({ x }) => tf.reverse4d(x, 2),
  slice: ({ x }) => x.slice([0, 1], [2, 2]),
  slice1d: ({ x }) => tf.slice1d(vector(x), 3, 8),
  slice2d: ({ x }) => tf.slice2d(matrix(x), [3, 2], [5, 5]),
  slice3d: ({ x }) => tf.slice3d(x.reshape([8, 6, 3]), [3, 2, 0], [5, 2, 2]),
  slice4d: ({ x }) => tf.slice4d(x, [0, 2, 0, 1], [2, 2, 6, 2]),
  spaceToBatchND: ({ x }) =>
    tf.spaceToBatchND(
      x,
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  split: ({ x }) => tf.split(x, 2, 1),
  'split unevenly': ({ x }) => tf.split(x, [1, 3], 1),
  squeeze: ({ x }) => x.slice([1], [1]).squeeze([0]),
  stack: ({ x, y }) => tf.stack([x, y], 2),
  stridedSlice: ({ x }) => x.stridedSlice([0, 0], [2, 4], [1, 2]),
  tile: ({ x }) => x.tile([1, 2, 1, 1]),
  transpose: ({ x }) => x.transpose([3, 1, 0, 2]),
  unstack: ({ x }) => tf.unstack(x, 1),
  meshgrid: ({ x }) => tf.meshgrid(vector(x).slice([0], [3]), vector(x).slice([3], [4])),
};

const LOOKING_UP: Record<string, Case> = {
  argMax: ({ x }) => x.argMax(2),
  argMin: ({ x }) => x.argMin(2),
  bincount: ({ x, f }) => tf.bincount(vector(x as tf.Tensor), vector(f), 9),
  denseBincount: ({ x, f }) => tf.denseBincount(vector(x), vector(f), 9),
  'denseBincount of rows': ({ x }) => tf.denseBincount(matrix(x), tf.ones([16, 9]), 9),
  gather: ({ x, i }) => x.gather(i),
  'gather along another axis': ({ x, i }) => x.gather(i, 2),
  'gather by constants': ({ x }) => x.gather([3, 0, 0], 1),
  'gather by rows': ({ x }) => tf.gather(tf.range(0, 30, 1, 'float32'), x.toInt()),
  'gather in batches': ({ x, i }) => tf.gather(x, tf.stack([i, i]), 1, 1),
  gatherND: ({ x, i }) => tf.gatherND(x, tf.stack([i, plus(i, 2)], 1)),
  oneHot: ({ x }) => tf.oneHot(vector(x), 6),
  'oneHot of floats': ({ i }) => tf.oneHot(i, 4, 2, 0, 'float32'),
  'oneHot of booleans': ({ i }) => tf.oneHot(i, 4, 1, 0, 'bool'),
  scatterND: ({ x, i }) => tf.scatterND(plus(i, 2).expandDims(1), vector(x).slice([0], [3]), [8]),
  searchSorted: ({ x, y }) => tf.searchSorted(matrix(x), matrix(y)),
  lowerBound: ({ x, y }) => tf.lowerBound(matrix(x), matrix(y)),
  upperBound: ({ x, y }) => tf.upperBound(matrix(x), matrix(y)),
  sparseToDense: ({ x, i }) =>
    tf.sparseToDense(
      i.add(tf.tensor1d([1, 3, 5], 'int32')),
      vector(x).slice([0], [3]),
      [9],
      vector(x).slice([0], [1]).squeeze(),
    ),
  tensorScatterUpdate: ({ x, i }) =>
    tf.tensorScatterUpdate(vector(x), plus(i, 2).expandDims<tf.Tensor2D>(1), vector(x).slice([0], [3])),
  topk: ({ x }) => Object.values(tf.topk(x, 2)),
  unsortedSegmentSum: ({ x, i }) => tf.unsortedSegmentSum(x.transpose([3, 0, 1, 2]), i, 2),
  'unsortedSegmentSum by constants': ({ x }) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0], 'int32'), 2),
  where: ({ x, y, f }) => tf.where(f.greater(0.5), x, y),
  'math.confusionMatrix': ({ x, y }) => tf.math.confusionMatrix(vector(x), vector(y), 6),
};

const ALONG: Record<string, Case> = {
  cumprod: ({ x }) => tf.cumprod(x, 3),
  'cumprod backwards': ({ x }) => tf.cumprod(x, 1, true, true),
  cumsum: ({ x }) => tf.cumsum(x, 3),
  'cumsum along another axis': ({ x }) => tf.cumsum(x, 1),
  'cumsum of a square': ({ x }) => tf.cumsum(square(x), 0),
  'cumsum backwards': ({ x }) => tf.cumsum(x, 1, true, true),
  logSoftmax: ({ x }) => x.logSoftmax(),
  softmax: ({ x }) => x.softmax(),
};

const LINEAR: Record<string, Case> = {
  'floorDiv of larger ones': ({ x, y }) => x.add(x).add(x).floorDiv(y),
  addN: ({ x, y }) => tf.addN([x, y, x]),
  dot: ({ x, y }) => tf.dot(vector(x), vector(y)),
  'dot of matrices': ({ x, y }) => tf.dot(matrix(x), matrix(y).transpose()),
  einsum: ({ x, y }) => tf.einsum('bhwc,bhwd->cd', x, y),
  matMul: ({ x, y }) => tf.matMul(x, y, false, true),
  'matMul transposed': ({ x, y }) => tf.matMul(matrix(x), matrix(y), true),
  outerProduct: ({ x, y }) => tf.outerProduct(vector(x), vector(y)),
  'fused.matMul': ({ x, y }) =>
    tf.fused.matMul({
      a: matrix(x),
      b: matrix(y),
      transposeB: true,
      bias: vector(x).slice([0], [16]),
      activation: 'relu',
    }),
  'linalg.bandPart': ({ x }) => tf.linalg.bandPart(matrix(x), 1, 2),
  'linalg.gramSchmidt': ({ x }) => tf.linalg.gramSchmidt(matrix(x).slice([0, 0], [4, 9])),
  'linalg.qr': ({ x }) => tf.linalg.qr(square(x)),
};

const IMAGES: Record<string, Case> = {
  avgPool: ({ x }) => tf.avgPool(x, 2, 2, 'valid'),
  'avgPool same': ({ x }) => tf.avgPool(x, 3, 1, 'same'),
  avgPool3d: ({ x }) => tf.avgPool3d(video(x), 2, 2, 'same'),
  conv1d: ({ x, y }) => tf.conv1d(x.reshape<tf.Tensor3D>([8, 6, 3]), taps(y, [3, 3, 2]) as tf.Tensor3D, 1, 'same'),
  conv2d: ({ x, y }) => tf.conv2d(x, taps(y, [3, 3, 3, 2]) as tf.Tensor4D, 1, 'valid'),
  'conv2d strided': ({ x, y }) => tf.conv2d(x, taps(y, [3, 3, 3, 2]) as tf.Tensor4D, 2, 'same'),
  'conv2d dilated': ({ x, y }) => tf.conv2d(x, taps(y, [2, 2, 3, 2]) as tf.Tensor4D, 1, 'valid', 'NHWC', 2),
  conv2dTranspose: ({ x, y }) => tf.conv2dTranspose(x, taps(y, [3, 3, 2, 3]) as tf.Tensor4D, [2, 8, 12, 2], 2, 'same'),
  conv3d: ({ x, y }) => tf.conv3d(video(x), taps(y, [2, 2, 2, 1, 2]) as tf.Tensor5D, 1, 'valid'),
  conv3dTranspose: ({ x, y }) =>
    tf.conv3dTranspose(video(x), taps(y, [2, 2, 2, 2, 1]) as tf.Tensor5D, [2, 4, 6, 3, 2], 1, 'same'),
  depthwiseConv2d: ({ x, y }) => tf.depthwiseConv2d(x, taps(y, [3, 3, 3, 2]) as tf.Tensor4D, 1, 'same'),
  dilation2d: ({ x, y }) => tf.dilation2d(x, taps(y, [2, 2, 3]) as tf.Tensor3D, 1, 'same'),
  localResponseNormalization: ({ x }) => tf.localResponseNormalization(x, 1, 1, 0.5, 0.5),
  maxPool: ({ x }) => tf.maxPool(x, 2, 2, 'same'),
  maxPool3d: ({ x }) => tf.maxPool3d(video(x), 2, 2, 'same'),
  maxPoolWithArgmax: ({ x }) => Object.values(tf.maxPoolWithArgmax(x, 2, 2, 'same')),
  pool: ({ x }) => tf.pool(x, 2, 'avg', 'valid', 1, 2),
  'pool dilated': ({ x }) => tf.pool(x, 2, 'max', 'same', 2, 1),
  separableConv2d: ({ x, y }) =>
    tf.separableConv2d(x, taps(y, [3, 3, 3, 2]) as tf.Tensor4D, taps(y, [1, 1, 6, 4]) as tf.Tensor4D, 1, 'same'),
  'fused.conv2d': ({ x, y }) =>
    tf.fused.conv2d({
      x,
      filter: taps(y, [3, 3, 3, 2]) as tf.Tensor4D,
      strides: 1,
      pad: 'same',
      bias: taps(y, [2]),
      activation: 'relu',
    }),
  'fused.depthwiseConv2d': ({ x, y }) =>
    tf.fused.depthwiseConv2d({
      x,
      filter: taps(y, [3, 3, 3, 1]) as tf.Tensor4D,
      strides: 1,
      pad: 'same',
      bias: taps(y, [3]),
      activation: 'relu6',
    }),
  'conv2d by its filter': ({ x, y }) => tf.conv2d(y, taps(x, [3, 3, 3, 2]) as tf.Tensor4D, 1, 'same'),
  'conv3d by its filter': ({ x, y }) => tf.conv3d(video(y), taps(x, [2, 2, 2, 1, 2]) as tf.Tensor5D, 1, 'valid'),
  'depthwiseConv2d by its filter': ({ x, y }) => tf.depthwiseConv2d(y, taps(x, [3, 3, 3, 2]) as tf.Tensor4D, 1, 'same'),
  'dilation2d by its filter': ({ x, y }) => tf.dilation2d(y, taps(x, [2, 2, 3]) as tf.Tensor3D, 1, 'same'),
  'image.cropAndResize': ({ x, i }) =>
    tf.image.cropAndResize(x, tf.tensor2d([0, 0, 0.5, 0.5, 0.2, 0.1, 1, 1, 0, 0, 1, 1], [3, 4]), i, [3, 3]),
  'image.flipLeftRight': ({ x }) => tf.image.flipLeftRight(x),
  'image.grayscaleToRGB': ({ x }) => tf.image.grayscaleToRGB(x.slice([0, 0, 0, 0], [2, 4, 6, 1])),
  'image.resizeBilinear': ({ x }) => tf.image.resizeBilinear(x, [5, 9]),
  'image.resizeNearestNeighbor': ({ x }) => tf.image.resizeNearestNeighbor(x, [8, 12]),
  'image.rgbToGrayscale': ({ x }) => tf.image.rgbToGrayscale(x),
  'image.rotateWithOffset': ({ x }) => tf.image.rotateWithOffset(x, 0.5),
  'image.threshold': ({ x }) =>
    tf.image.threshold(x.slice([0, 0, 0, 0], [1, 4, 6, 3]).squeeze<tf.Tensor3D>([0]), 'binary'),
  'image.transform': ({ x }) => tf.image.transform(x, tf.tensor2d([1, 0.1, 0, 0, 1, 0, 0, 0], [1, 8])),
  'image.nonMaxSuppression': ({ x, f }) =>
    tf.image.nonMaxSuppression(x.reshape<tf.Tensor2D>([36, 4]), vector(f).slice([0], [36]), 3),
  'image.nonMaxSuppressionWithScore': ({ x, f }) =>
    Object.values(tf.image.nonMaxSuppressionWithScore(x.reshape<tf.Tensor2D>([36, 4]), vector(f).slice([0], [36]), 3)),
  'image.nonMaxSuppressionPadded': ({ x, f }) =>
    Object.values(tf.image.nonMaxSuppressionPadded(x.reshape<tf.Tensor2D>([36, 4]), vector(f).slice([0], [36]), 3)),
};

const NORMALIZING: Record<string, Case> = {
  batchNorm: ({ x, f }) => {
    const [mean, scale] = [f.mean<tf.Tensor1D>([0, 1, 2]), taps(f, [3]) as tf.Tensor1D];
    return tf.batchNorm(x, mean, scale, mean, scale);
  },
  'batchNorm of every place': ({ x, f }) => tf.batchNorm(x, f, f, f, f),
  batchNorm2d: ({ x, f }) => tf.batchNorm2d(matrix(x), taps(f, [9]) as tf.Tensor1D, taps(f, [9]) as tf.Tensor1D),
  batchNorm3d: ({ x, f }) =>
    tf.batchNorm3d(x.reshape([8, 6, 3]), taps(f, [3]) as tf.Tensor1D, taps(f, [3]) as tf.Tensor1D),
  batchNorm4d: ({ x, f }) => tf.batchNorm4d(x, taps(f, [3]) as tf.Tensor1D, taps(f, [3]) as tf.Tensor1D),
  movingAverage: ({ x, y }) => tf.movingAverage(x, y, 0.9, undefined, false),
};

const SIGNALS: Record<string, Case> = {
  'signal.frame': ({ x }) => tf.signal.frame(vector(x), 12, 6),
  'signal.stft': ({ x }) => tf.signal.stft(vector(x), 12, 6),
};

const RECURRENT: Record<string, Case> = {
  basicLSTMCell: ({ x, f }) =>
    tf.basicLSTMCell(
      tf.scalar(1),
      taps(f, [5, 8]) as tf.Tensor2D,
      taps(f, [8]) as tf.Tensor1D,
      taps(x, [4, 3]) as tf.Tensor2D,
      taps(f, [4, 2]) as tf.Tensor2D,
      taps(f, [4, 2]) as tf.Tensor2D,
    ),
  multiRNNCell: ({ x, f }) => {
    const cell = (data: tf.Tensor2D, c: tf.Tensor2D, h: tf.Tensor2D) =>
      tf.basicLSTMCell(tf.scalar(1), taps(f, [5, 8]) as tf.Tensor2D, taps(f, [8]) as tf.Tensor1D, data, c, h);
    const state = () => taps(f, [4, 2]) as tf.Tensor2D;
    return tf.multiRNNCell([cell], taps(x, [4, 3]) as tf.Tensor2D, [state()], [state()]).flat();
  },
};

const CONVERTING: Record<string, Case> = {
  ...Object.fromEntries(
    (['float32', 'int32', 'bool', 'complex64'] as const).map((dtype) => [
      `cast to ${dtype}`,
      ({ x }: Inputs) => x.cast(dtype),
    ]),
  ),
  clipByValue: ({ x }) => x.clipByValue(0.302, 0.602),
  'clipByValue whole': ({ x }) => x.clipByValue(2, 3),
  leakyRelu: ({ x }) => x.leakyRelu(0.2),
  step: ({ x }) => x.step(0.5),
  broadcastArgs: ({ i }) => tf.broadcastArgs(i, tf.tensor1d([1], 'int32')),
};

/** Of nothing but constants, and added to `x` where it is numbers. */
const MAKING: Record<string, Case> = {
  eye: ({ f }) => matrix(f).add(tf.eye(9, 9).slice([0], [1])),
  fill: ({ f }) => f.add(tf.fill([3], 2)),
  linspace: ({ f }) => f.add(tf.linspace(0, 1, 3)),
  ones: ({ f }) => f.add(tf.ones([3])),
  range: ({ f }) => f.add(tf.range(0, 3)),
  zeros: ({ f }) => f.add(tf.zeros([3])),
  scalar: ({ f }) => f.add(tf.scalar(2)),
  'signal.hammingWindow': ({ f }) => f.add(tf.signal.hammingWindow(3)),
  'signal.hannWindow': ({ f }) => f.add(tf.signal.hannWindow(3)),
};

/** What it draws is left out of the result, as each run draws afresh. */
const RANDOM: Record<string, Case> = {
  multinomial: ({ x }) => tf.multinomial(matrix(x), 5, 3).mul(0),
};

const SPARSE: Record<string, Case> = {
  unique: ({ x }) => Object.values(tf.unique(vector(x))),
  'sparse.sparseFillEmptyRows': ({ x, i }) =>
    Object.values(
      tf.sparse.sparseFillEmptyRows(
        tf.stack<tf.Tensor>([i, i], 1) as tf.Tensor2D,
        taps(x, [3]) as tf.Tensor1D,
        [3, 3],
        taps(x, [1]).squeeze<tf.Scalar>(),
      ),
    ),
  'sparse.sparseReshape': ({ i }) =>
    Object.values(tf.sparse.sparseReshape(tf.stack<tf.Tensor>([i, i], 1) as tf.Tensor2D, [3, 4], [2, -1])),
  'sparse.sparseSegmentMean': ({ x, i }) => tf.sparse.sparseSegmentMean(x, i, tf.tensor1d([0, 0, 1], 'int32')),
  'sparse.sparseSegmentSum': ({ x, i }) => tf.sparse.sparseSegmentSum(x, i, tf.tensor1d([0, 0, 1], 'int32')),
  raggedGather: ({ x, i }) => tf.raggedGather([tf.tensor1d([0, 2, 3], 'int32')], vector(x), i, 1).outputDenseValues,
  raggedRange: ({ x }) =>
    Object.values(
      tf.raggedRange(taps(x, [3]) as tf.Tensor1D, taps(x, [3]).add<tf.Tensor1D>(2), taps(x, [3]) as tf.Tensor1D),
    ),
  raggedTensorToTensor: ({ x }) =>
    tf.raggedTensorToTensor(
      [2, 3],
      taps(x, [3]),
      taps(x, [1]).squeeze(),
      [tf.tensor1d([0, 2, 3], 'int32')],
      ['ROW_SPLITS'],
    ),
};

const each = <T>(prefix: string, table: Record<string, T>, make: (op: T) => Case) =>
  Object.entries(table).map(([name, op]) => [`${prefix}${name}`, make(op)] as const);

/** Their names begin with the op's own. */
export const CASES: ReadonlyMap<string, Case> = new Map<string, Case>([
  ...each(
    '',
    UNARY,
    (op) =>
      ({ x }) =>
        op(x),
  ),
  ...each(
    '',
    BINARY,
    (op) =>
      ({ x, y }) =>
        op(x, y),
  ),
  ...each(
    '',
    BINARY,
    (op) =>
      ({ x, f }) =>
        op(x, f),
  ).map(([name, op]) => [`${name} with float32`, op] as const),
  ...each(
    '',
    REDUCTIONS,
    (op) =>
      ({ x }) =>
        op(x),
  ),
  ...each(
    '',
    REDUCTIONS,
    (op) =>
      ({ x }) =>
        op(x, [1, 3]),
  ).map(([name, op]) => [`${name} over axes`, op] as const),
  ...Object.entries(ARRANGING),
  ...Object.entries(LOOKING_UP),
  ...Object.entries(ALONG),
  ...Object.entries(LINEAR),
  ...Object.entries(IMAGES),
  ...Object.entries(NORMALIZING),
  ...Object.entries(SIGNALS),
  ...Object.entries(RECURRENT),
  ...Object.entries(CONVERTING),
  ...Object.entries(MAKING),
  ...Object.entries(RANDOM),
  ...Object.entries(SPARSE),
  ...each(
    'losses.',
    LOSSES,
    (op) =>
      ({ x, y }) =>
        op(y, x),
  ),
  ...each(
    'losses.',
    LOSSES,
    (op) =>
      ({ x, y, f }) =>
        op(y, x, f),
  ).map(([name, op]) => [`${name} weighted`, op] as const),
  ...each(
    'metrics.',
    METRICS,
    (op) =>
      ({ x, y }) =>
        op(matrix(y), matrix(x)),
  ),
  ['metrics.sparseCategoricalAccuracy', byClass],
]);

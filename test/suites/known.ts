/** What of TensorFlow.js's own core suite fails on each backend, and why: a spec that is not listed here fails the test. */

export interface Known {
  why: string;
  /** Matches what a spec said, after its name and a colon. */
  says: RegExp;
  /** Fewer means that something was mended. */
  specs: number;
  /** Not on every machine. */
  sometimes?: true;
}

/** Every spec of an op for which a backend has no kernel, and throws. */
const missing = (kernels: Record<string, number>): Known[] =>
  Object.entries(kernels).map(([kernel, specs]) => ({
    why: `the backend has no kernel ${kernel}`,
    says: new RegExp(`Kernel '${kernel}' not registered`),
    specs,
  }));

/** All of them are in the ignore list of the native package itself. */
const native: Known[] = [
  ...missing({
    BitwiseAnd: 1,
    DenseBincount: 8,
    MaxPoolWithArgmax: 12,
    RaggedGather: 12,
    RaggedRange: 15,
    RaggedTensorToTensor: 14,
    SearchSorted: 7,
    SparseFillEmptyRows: 10,
    SparseReshape: 16,
    SparseSegmentMean: 17,
    SparseSegmentSum: 16,
    StringNGrams: 33,
    StringSplit: 7,
    StringToHashBucketFast: 4,
    Transform: 7,
  }),
  {
    why: 'pooling and transposed convolutions take the padding same or valid alone',
    says: /supports only 'valid' and 'same' padding/,
    specs: 31,
  },
  {
    why: 'fused convolutions have the channels last',
    says: /FusedConv2D does not support dataFormat:'NCHW'/,
    specs: 22,
  },
  { why: 'no order of strings', says: /string comparison: .*Value for attr 'T' of string/, specs: 4 },
  { why: 'the op takes no int32', says: /^(leakyrelu|step).*int32.*Value for attr 'T' of int32/, specs: 2 },
  { why: 'the op takes no bool', says: /^diag .*bool: .*Value for attr 'T' of bool/, specs: 1 },
  { why: 'where nothing is left of an image TensorFlow throws', says: /avgPool3d.*size would be negative/, specs: 1 },
  {
    why: 'indices without a last axis of 1 are refused',
    says: /^scatterND.*must match dimensions .* of updates/,
    specs: 5,
  },
  {
    why: 'the sign of NaN is NaN, where others say 0',
    says: /^sign .*actual\[\d\] = NaN, expected\[\d\] = 0/,
    specs: 3,
  },
  { why: 'two NaN are two unique values', says: /^unique 1d tensor with NaN/, specs: 1 },
  { why: 'einsum can do more than others, or says so in other words', says: /^einsum .*to throw an Error/, specs: 2 },
  { why: 'draws differ after the same seed', says: /^multinomial creates the same data given the same seed/, specs: 1 },
  {
    why: 'the tangent of a large number rounds in another way',
    says: /^tan numbers exceed float32 precision/,
    specs: 1,
  },
  {
    why: 'an output shape that does not fit would end the process',
    says: /^conv2dTranspose input=8x8x8.*Cannot transpose the convolution/,
    specs: 1,
  },
];

const wasm: Known[] = [
  ...missing({
    Complex: 115,
    UnsortedSegmentSum: 35,
    Einsum: 34,
    RaggedRange: 15,
    RaggedTensorToTensor: 14,
    RaggedGather: 12,
    DepthwiseConv2dNativeBackpropInput: 6,
    DepthwiseConv2dNativeBackpropFilter: 3,
    StaticRegexReplace: 3,
  }),
  { why: 'convolutions have the channels last', says: /dataFormat:'(NCHW|channelsFirst)'/, specs: 30 },
  { why: 'a fused bias has one axis', says: /only supports rank-1 bias/, specs: 11 },
  { why: 'products of matrices are of float32', says: /BatchMatMul for non non-float32 tensors/, specs: 9 },
  { why: 'no tensors of strings', says: /Unknown dtype string|string.*: RuntimeError: Aborted/, specs: 12 },
  { why: 'strings are compared by their addresses, in silence', says: /string comparison: .*Arrays differ/, specs: 6 },
  { why: 'numeric padding reads beyond memory', says: /^pool .*p=1 fractional outputs.*Arrays differ/, specs: 2 },
  {
    why: "tfjs's count of leaks takes what a gradient keeps for one",
    says: /internal memory leak \(\d data ids\)/,
    specs: 6,
  },
  { why: 'bincount of an image gives another shape', says: /^threshold .*could not be broadcast/, specs: 2 },
  {
    why: 'a gradient reads what was disposed of',
    says: /^logSigmoid gradient with clones.*reading 'backend'/,
    specs: 1,
  },
  { why: 'a spec of one backend alone', says: /^gradient registry .*\$\.id = \d+ to equal/, specs: 2 },
];

export const KNOWN = { native, wasm, js: [] as Known[] };

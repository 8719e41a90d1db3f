/** Which attributes of TensorFlow's ops name the types of their inputs, for the ops that tfjs's native backend asks for. */

/**
 * By the inputs' attributes in order, where - stands for an input of one type and nothing more is said from a list of
 * inputs on. As in TensorFlow's op registry, which a test holds it against.
 */
export const INPUT_TYPES: Readonly<Record<string, string>> = {
  '': `
    AddN ConcatV2 DecodeBmp DecodeGif DecodeJpeg DecodePng Einsum LogicalAnd LogicalNot LogicalOr Pack
    StaticRegexReplace`,
  SrcT: 'Cast',
  T: `
    Abs Acos Acosh Asin Asinh Atan Atanh AvgPool AvgPool3D Bitcast Ceil ComplexAbs Cos Cosh CropAndResize
    DepthToSpace Diag Elu Erf Exp Expm1 Floor Identity Imag IsFinite IsInf IsNan LRN LeakyRelu Log Log1p
    MaxPool MaxPool3D Multinomial Neg OnesLike Real Reciprocal Relu Relu6 ResizeBilinear ResizeNearestNeighbor
    ResizeNearestNeighborGrad Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square Tan Tanh
    Unpack Where ZerosLike`,
  Tcomplex: 'FFT IFFT',
  '- T': 'AvgPool3DGrad AvgPoolGrad ResizeBilinearGrad',
  '- Tidx': 'All Any',
  'T T': `
    Add Atan2 BatchMatMulV2 BroadcastArgs Complex Conv2D Conv3D DepthwiseConv2dNative Dilation2D Div DivNoNan
    EluGrad Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual Maximum Minimum Mul NotEqual Pow
    RealDiv SquaredDifference Sub`,
  'T Taxis': 'UniqueV2',
  'T Tdim': 'ExpandDims',
  'T Tidx': 'ArgMax ArgMin Cumprod Cumsum Max Mean Min Prod ReverseV2 Sum',
  'T Tk': 'TopKV2',
  'T Tlen': 'SplitV',
  'T Tmultiples': 'Tile',
  'T Tpaddings': 'MirrorPad',
  'T Tperm': 'Transpose',
  'T Tshape': 'Reshape',
  'Tparams Tindices': 'GatherNd',
  'index_type T': 'Fill',
  '- - T': 'Bincount',
  '- T T': 'Conv2DBackpropInput DepthwiseConv2dNativeBackpropInput Select',
  'T - T': 'Conv2DBackpropFilter Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter',
  'T Index Index': 'Slice',
  'T T T': 'Dilation2DBackpropFilter Dilation2DBackpropInput LRNGrad MaxPoolGrad',
  'T T Tidx': 'LinSpace',
  'T Tblock_shape Tcrops': 'BatchToSpaceND',
  'T Tblock_shape Tpaddings': 'SpaceToBatchND',
  'T Tindices T': 'TensorScatterUpdate',
  'T Tindices Tnumsegments': 'UnsortedSegmentSum',
  'T Tpaddings T': 'PadV2',
  'TInput TInput T': 'MaxPool3DGrad',
  'Tidx Tidx Tidx': 'Range',
  'Tindices T Tindices': 'ScatterNd',
  'Tparams Tindices Taxis': 'GatherV2',
  'Tshape T T': 'Conv3DBackpropInputV2',
  'T Index Index Index': 'StridedSlice',
  'TI - T T': 'OneHot',
  'Tindices Tindices T T': 'SparseToDense',
  'T T - T_threshold T_threshold': 'NonMaxSuppressionV3 NonMaxSuppressionV4',
  'T T T T T': 'FusedBatchNorm',
  'T T - T T T': 'NonMaxSuppressionV5',
};

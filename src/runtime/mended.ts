/** Stock kernels that give wrong results, and what is computed instead; docs/backends.md tells what each gets wrong. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { maxPool3dGrad } from './volumePool.js';

type Given = Parameters<tf.KernelFunc>[0];
type Inputs = Record<'x' | 'b' | 'alpha' | 'filter' | 'dy' | 'input', tf.Tensor>;
type Attributes = tf.CastAttrs &
  tf.GatherV2Attrs &
  Dilated &
  tf.AvgPoolGradAttrs &
  tf.Conv2DBackpropInputAttrs &
  tf.Conv2DBackpropFilterAttrs &
  tf.SliceAttrs;

/** tfjs lets a caller pass null for no dilation. */
type Dilated = Omit<tf.Conv2DAttrs, 'dilations'> & { dilations: tf.Conv2DAttrs['dilations'] | null };
type Shape3D = tf.Tensor3D['shape'];
type Shape4D = tf.Tensor4D['shape'];
type Shape5D = tf.Tensor5D['shape'];

type Rule = (given: Given, stock: tf.KernelFunc, kernelName: string) => ReturnType<tf.KernelFunc>;

/** tfjs hands tensors to kernels, whatever the type says; which ones, and which attributes, depends on the kernel. */
const inputsOf = ({ inputs }: Given) => inputs as unknown as Inputs;
const attributesOf = ({ attrs }: Given) => attrs as unknown as Attributes;
const tensor = (output: ReturnType<tf.KernelFunc>) => tf.engine().makeTensorFromTensorInfo(output as tf.TensorInfo);

/** The JS backend's kernel, on copies of the inputs. */
const byJs =
  (wrong: (attributes: Attributes) => boolean = () => true): Rule =>
  (given, stock, kernelName) => {
    if (!wrong(attributesOf(given))) return stock(given);
    const [js, own] = [tf.findBackend('cpu'), given.backend as tf.KernelBackend];
    const copy = (from: tf.KernelBackend, to: tf.KernelBackend, { dataId, shape, dtype }: tf.TensorInfo) => ({
      // The JS backend may hold whole numbers as floats, which WASM would take for their bits.
      dataId: to.write(tf.util.toTypedArray(from.readSync(dataId), dtype), shape, dtype),
      shape,
      dtype,
    });
    const entries = Object.entries(given.inputs).map(([name, input]) => [name, copy(own, js, input as tf.TensorInfo)]);
    const inputs = Object.fromEntries(entries) as Record<string, tf.TensorInfo>;
    const output = tf.getKernel(kernelName, 'cpu').kernelFunc({ ...given, inputs, backend: js });
    const outputs = [output].flat();
    const results = outputs.map((each) => copy(js, own, each));
    for (const { dataId } of [...Object.values(inputs), ...outputs]) js.disposeData(dataId);
    return Array.isArray(output) ? results : (results[0] as tf.TensorInfo);
  };

/** NaN where this input is, and elsewhere what the stock kernel says. */
const keepingNaN =
  (input: 'x' | 'b'): Rule =>
  (given, stock) =>
    tf.tidy(() => {
      const value = inputsOf(given)[input];
      return tf.where(value.notEqual(value), value, tensor(stock(given)));
    });

function convolved(x: number[], filter: number[], attributes: Attributes, depthwise = false) {
  const { strides, pad, dilations, dimRoundingMode, dataFormat } = attributes;
  const format = tf.backend_util.convertConv2DDataFormat(dataFormat);
  const how = [strides, dilations ?? 1, pad, dimRoundingMode, depthwise, format] as const;
  return tf.backend_util.computeConv2DInfo(x as Shape4D, filter as Shape4D, ...how);
}

function convolved3d(x: number[], filter: number[], { strides, pad, dilations }: Attributes) {
  const how = [strides, dilations ?? 1, pad] as unknown as [Shape3D, Shape3D, 'same' | 'valid'];
  return tf.backend_util.computeConv3DInfo(x as Shape5D, filter as Shape5D, ...how);
}

/** A convolution's padding, done beforehand. */
const padded =
  (depthwise = false): Rule =>
  (given, stock) => {
    if (attributesOf(given).pad !== 'same') return stock(given);
    const { x, filter } = inputsOf(given) as { x: tf.Tensor4D; filter: tf.Tensor4D };
    const { padInfo } = convolved(x.shape, filter.shape, attributesOf(given), depthwise);
    return tf.tidy(() => {
      const inputs = { ...given.inputs, x: surrounded(x, padInfo) };
      return tensor(stock({ ...given, inputs, attrs: { ...given.attrs, pad: 'valid' } }));
    });
  };

/** The gradient of an average over as many numbers as the window has in the image, where the stock kernel counts all. */
const ofCounted: Rule = (given, stock) => {
  const { filterSize, strides, pad } = attributesOf(given);
  if (pad !== 'same') return stock(given);
  const { dy, input } = inputsOf(given) as { dy: tf.Tensor4D; input: tf.Tensor4D };
  const { padInfo } = tf.backend_util.computePool2DInfo(input.shape, filterSize, strides, 1, pad);
  return tf.tidy(() => {
    const share = surrounded(tf.onesLike(input), padInfo).avgPool(filterSize, strides, 'valid');
    return tensor(stock({ ...given, inputs: { ...given.inputs, dy: dy.div(share) } }));
  });
};

const byPlanes: Rule = ({ inputs, attrs }) => maxPool3dGrad(inputs as never, attrs as never);

/** Throws for a gradient of another shape than the convolution's own output, for which TensorFlow ends the process. */
const fitting =
  (outputOf: (attributes: Attributes, filter: tf.TensorInfo) => { outShape: number[] }): Rule =>
  (given, stock) => {
    const { dy, filter } = inputsOf(given);
    const { outShape } = outputOf(attributesOf(given), filter);
    if (tf.util.arraysEqual(outShape, dy.shape)) return stock(given);
    throw cannot('transpose the convolution', {
      expected: `an input of shape [${outShape.join(', ')}] for the output shape [${attributesOf(given).inputShape.join(', ')}]`,
      got: `[${dy.shape.join(', ')}]`,
      hint: 'give an output shape that the convolution, with these strides and this padding, takes to the shape of the input',
    });
  };

/** The gradient of a 1 × 1 filter by what its strides meet alone: of an image with more than that, oneDNN reads or writes beyond its memory. */
const ofMet: Rule = (given, stock) => {
  const { x } = inputsOf(given);
  const { filterShape, strides, pad, dataFormat } = attributesOf(given);
  const steps = [strides].flat();
  const isPointwise =
    filterShape[0] === 1 && filterShape[1] === 1 && (typeof pad === 'string' || pad === 0) && dataFormat === 'NHWC';
  if (!isPointwise || steps.every((step) => step === 1)) return stock(given);
  return tf.tidy(() => {
    const [down = 1, across = down] = steps;
    const met = tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, down, across, 1]);
    const attrs = { ...given.attrs, strides: 1 };
    return stock({ ...given, inputs: { ...given.inputs, x: met }, attrs }) as unknown as tf.Tensor;
  });
};

/** An output without elements, to which oneDNN gives its input's shape, and memory that nobody filled. */
const unlessEmpty =
  (outputOf: (x: number[], filter: number[], attributes: Attributes) => { outShape: number[] }): Rule =>
  (given, stock) => {
    const { x, filter } = inputsOf(given);
    const { outShape } = outputOf(x.shape, filter.shape, attributesOf(given));
    return filter.size === 0 || tf.util.sizeFromShape(outShape) > 0 ? stock(given) : tf.zeros(outShape);
  };

const convolution = unlessEmpty(convolved);
const depthwise = unlessEmpty((...given) => convolved(...given, true));

/** An image with zeros around it. */
export function surrounded(x: tf.Tensor4D, { top, bottom, left, right }: tf.backend_util.PadInfo): tf.Tensor4D {
  return x.pad([
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

const RULES: Record<'cpu' | 'wasm' | 'tensorflow', Record<string, Rule>> = {
  cpu: { AvgPoolGrad: ofCounted, MaxPool3DGrad: byPlanes },
  wasm: {
    OneHot: byJs(({ dtype }) => dtype !== 'int32'),
    Cast: (given, stock) => (attributesOf(given).dtype === 'bool' ? tf.notEqual(inputsOf(given).x, 0) : stock(given)),
    ClipByValue: (given, ...rest) => (inputsOf(given).x.dtype === 'int32' ? byJs() : keepingNaN('x'))(given, ...rest),
    Relu6: keepingNaN('x'),
    Maximum: keepingNaN('b'),
    Minimum: keepingNaN('b'),
    Prelu: (given) => {
      const { x, alpha } = inputsOf(given);
      return tf.tidy(() => tf.where(x.less(0), x.mul(alpha), x.toFloat()));
    },
    Slice: (given, stock) => {
      const { begin, size } = attributesOf(given);
      const { parseSliceParams, assertParamsValid } = tf.slice_util;
      const { x } = inputsOf(given);
      assertParamsValid(x, ...(parseSliceParams(x, begin, size) as [number[], number[]]));
      return stock(given);
    },
    GatherV2: byJs(({ batchDims }) => batchDims !== 0),
    Conv2D: padded(),
    FusedConv2D: padded(),
    DepthwiseConv2dNative: padded(true),
    FusedDepthwiseConv2D: padded(true),
    AvgPoolGrad: ofCounted,
    MaxPoolGrad: byJs(),
    MaxPoolWithArgmax: byJs(),
    MaxPool3D: byJs(),
    MaxPool3DGrad: byPlanes,
    Conv3DBackpropInputV2: byJs(),
    Conv3DBackpropFilterV2: byJs(),
  },
  tensorflow: {
    Conv2DBackpropInput: fitting((attributes, { shape }) => convolved(attributes.inputShape, shape, attributes)),
    Conv2DBackpropFilter: ofMet,
    Conv3DBackpropInputV2: fitting((attributes, { shape }) => convolved3d(attributes.inputShape, shape, attributes)),
    Conv2D: convolution,
    FusedConv2D: convolution,
    DepthwiseConv2dNative: depthwise,
    FusedDepthwiseConv2D: depthwise,
    Conv3D: unlessEmpty(convolved3d),
    MaxPoolGrad: (given, stock) => (inputsOf(given).dy.size > 0 ? stock(given) : tf.zerosLike(inputsOf(given).input)),
    MaxPool3DGrad: byPlanes,
    // On this backend what a kernel gives is a tensor already.
    Exp: (given, stock) =>
      tf.tidy(() => stock({ ...given, inputs: { x: inputsOf(given).x.toFloat() } }) as unknown as tf.Tensor),
    Round: (given, stock) => (inputsOf(given).x.dtype === 'int32' ? inputsOf(given).x.clone() : stock(given)),
  },
};

const mended = new Set<string>();

/** Mends a backend's kernels, once; they must have been registered. */
export function mendKernels(backend: keyof typeof RULES): void {
  if (mended.has(backend)) return;
  mended.add(backend);
  for (const [kernelName, rule] of Object.entries(RULES[backend])) {
    const kernel = tf.getKernel(kernelName, backend);
    const stock = kernel.kernelFunc;
    kernel.kernelFunc = (given) => rule(given, stock, kernelName);
  }
}

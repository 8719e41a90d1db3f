/** The WASM backend, with the one kernel that training a convolution needs and it lacks. */
import { createRequire } from 'node:module';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { formatBytes } from '../common/format.js';
import { option, toType } from '../common/invocation.js';
import { readyJs } from './js.js';
import { mendKernels, surrounded } from './mended.js';

const require = createRequire(import.meta.url);
const FILTER_GRADIENT = 'Conv2DBackpropFilter';

/** Makes tfjs's WASM backend the one in use; its files come with the npm package. */
export async function open(): Promise<void> {
  readyJs();
  const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths: (folder: string) => void };
  const folder = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  wasm.setWasmPaths(path.join(folder, 'dist') + path.sep);
  if (!tf.getKernelsForBackend('wasm').some(({ kernelName }) => kernelName === FILTER_GRADIENT))
    tf.registerKernel({ kernelName: FILTER_GRADIENT, backendName: 'wasm', kernelFunc: filterGradient });
  mendKernels('wasm');
  if (!(await tf.setBackend('wasm')))
    throw cannot('open the WASM backend', { expected: 'its files to load', got: 'a failure', hint: 'npm ci' });
  guardMemory((tf.backend() as unknown as { wasm: Module }).wasm);
}

interface Module {
  _malloc: (bytes: number) => number;
  HEAPU8: Uint8Array;
}

const guarded = new WeakSet<Module>();

/** What there is no memory for the stock backend writes to address 0, over its own; near 4 GB it is given what lies beyond. */
function guardMemory(wasm: Module): void {
  if (guarded.has(wasm)) return;
  guarded.add(wasm);
  // Its first call replaces this function by another.
  tf.scalar(0).dispose();
  const allocate = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = allocate(bytes);
    // Addresses from 2 GB on come as negative numbers.
    if (bytes === 0 || (address !== 0 && (address >>> 0) + bytes <= wasm.HEAPU8.length)) return address;
    throw cannot('compute on the WASM backend', {
      expected: `memory for ${formatBytes(bytes)} more`,
      got: 'none left',
      hint: `use a smaller ${option('batchSize')}, or another backend`,
    });
  };
}

/**
 * The gradient with respect to a filter is itself a convolution: of the image, batch and channels swapped, with the
 * gradient of the output as the filter, spread apart by the strides. x is [n, h, w, in], dy [n, oh, ow, out], the
 * result [fh, fw, in, out].
 *
 * The padding is done here, not by the convolution: the stock forward kernel is wrong for strides above 1 with 'same'.
 */
function filterGradient({ inputs, attrs }: Parameters<tf.KernelFunc>[0]): tf.TensorInfo {
  const { x, dy } = inputs as { x: tf.Tensor4D; dy: tf.Tensor4D };
  const attributes = attrs as unknown as tf.Conv2DBackpropFilterAttrs;
  const { strides, pad, dimRoundingMode, dataFormat, filterShape } = attributes;
  const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad, dimRoundingMode);
  if (dataFormat !== 'NHWC')
    throw cannot('train this convolution on the WASM backend', {
      expected: 'the data format NHWC',
      got: dataFormat,
      hint: toType('setup'),
    });
  return tf.tidy(() => {
    const image = surrounded(x, info.padInfo).transpose<tf.Tensor4D>([3, 1, 2, 0]);
    const filter = dy.transpose<tf.Tensor4D>([1, 2, 0, 3]);
    const dilations: [number, number] = [info.strideHeight, info.strideWidth];
    // [in, fh, fw, out]; rows and columns of the image that no filter position reached give surplus ones at the end.
    const gradient = tf.conv2d(image, filter, 1, 'valid', 'NHWC', dilations);
    return gradient.slice([0, 0, 0, 0], [-1, filterShape[0], filterShape[1], -1]).transpose([1, 2, 0, 3]);
  });
}

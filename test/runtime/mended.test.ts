/** Kernels that stock backends get wrong: right once the backend is opened, and the stock ones still wrong. */
import '@tensorflow/tfjs-backend-wasm';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../src/runtime/open.js';
import { withKernel } from '../support/kernels.js';

const stockOf = (backend: string) =>
  new Map(tf.getKernelsForBackend(backend).map(({ kernelName, kernelFunc }) => [kernelName, kernelFunc]));
/** Mended as soon as it is loaded with its package. */
const { maxPool3DGradConfig } = createRequire(import.meta.url)(
  '@tensorflow/tfjs-node-gpu/dist/kernels/MaxPool3DGrad.js',
) as { maxPool3DGradConfig: tf.KernelConfig };
const stock = {
  wasm: stockOf('wasm'),
  cpu: stockOf('cpu'),
  tensorflow: new Map([['MaxPool3DGrad', maxPool3DGradConfig.kernelFunc]]),
};

const normal = (shape: number[], seed: number, mean = 0) => tf.randomNormal(shape, mean, 1, 'float32', seed);
const image = (mean = 0) => normal([2, 7, 8, 2], 1, mean) as tf.Tensor4D;
const volume = (mean = 0) => normal([1, 5, 4, 5, 2], 2, mean) as tf.Tensor5D;
const integers = (values: number[]) => tf.tensor1d(values, 'int32');

interface Case {
  op: string;
  kernel: string;
  run: () => tf.Tensor;
  /** The stock kernel writes beyond its output, which is not to be shown here. */
  corrupts?: true;
}

const onWasm: Case[] = [
  { op: 'oneHot to float32', kernel: 'OneHot', run: () => tf.oneHot(integers([0, 2, 5]), 3, 0.9, 0.1, 'float32') },
  {
    op: 'oneHot to bool',
    kernel: 'OneHot',
    run: () => tf.oneHot(integers([0, 2, 5]), 3, 1, 0, 'bool'),
    corrupts: true,
  },
  { op: 'toBool of float32', kernel: 'Cast', run: () => tf.tensor1d([0, 0.5, -1, 2, 256, NaN]).toBool() },
  { op: 'toBool of int32', kernel: 'Cast', run: () => integers([0, 1, -1, 2, 256]).toBool() },
  { op: 'clipByValue of NaN', kernel: 'ClipByValue', run: () => tf.tensor1d([NaN, -5, 0.5, 7]).clipByValue(-1, 1) },
  { op: 'relu6 of NaN', kernel: 'Relu6', run: () => tf.tensor1d([NaN, -5, 0.5, 7]).relu6() },
  { op: 'maximum with NaN', kernel: 'Maximum', run: () => tf.maximum([NaN, 1, 2], [[1, NaN, 3]]) },
  { op: 'minimum with NaN', kernel: 'Minimum', run: () => tf.minimum([NaN, 1, 2], [[1, NaN, 3]]) },
  { op: 'prelu', kernel: 'Prelu', run: () => tf.prelu(normal([2, 3, 4], 1), normal([1, 3, 1], 2)) },
  {
    op: 'gather in batches',
    kernel: 'GatherV2',
    run: () =>
      tf.gather(
        normal([2, 5, 3], 1),
        tf.tensor2d(
          [
            [0, 4, 1],
            [2, 2, 3],
          ],
          [2, 3],
          'int32',
        ),
        1,
        1,
      ),
  },
  {
    op: 'strided conv2d',
    kernel: 'Conv2D',
    run: () => tf.conv2d(image(), normal([4, 1, 2, 3], 2) as tf.Tensor4D, 3, 'same'),
  },
  {
    op: 'strided conv2d, fused',
    kernel: 'FusedConv2D',
    run: () =>
      tf.fused.conv2d({
        x: image(),
        filter: normal([4, 1, 2, 3], 2) as tf.Tensor4D,
        strides: 3,
        pad: 'same',
        bias: tf.ones([3]),
        activation: 'relu',
      }),
  },
  {
    op: 'strided depthwise conv2d',
    kernel: 'DepthwiseConv2dNative',
    run: () => tf.depthwiseConv2d(image(), normal([4, 1, 2, 2], 2) as tf.Tensor4D, 3, 'same'),
  },
  {
    op: 'strided depthwise conv2d, fused',
    kernel: 'FusedDepthwiseConv2D',
    run: () =>
      tf.fused.depthwiseConv2d({
        x: image(),
        filter: normal([4, 1, 2, 2], 2) as tf.Tensor4D,
        strides: 3,
        pad: 'same',
        activation: 'relu',
      }),
  },
  {
    op: 'gradient of maxPool',
    kernel: 'MaxPoolGrad',
    run: () => tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 2, 1, 'valid'))(image(-5)),
  },
  { op: 'maxPool3d', kernel: 'MaxPool3D', run: () => tf.maxPool3d(volume(-5), 2, 1, 'same') },
  {
    op: 'gradient of maxPool3d',
    kernel: 'MaxPool3DGrad',
    run: () => tf.grad((x) => tf.maxPool3d(x as tf.Tensor5D, 2, 1, 'same'))(volume()),
  },
  {
    op: 'gradient of conv3d by its input',
    kernel: 'Conv3DBackpropInputV2',
    run: () =>
      tf.grad((x) => tf.conv3d(x as tf.Tensor5D, normal([2, 2, 2, 2, 2], 3) as tf.Tensor5D, 2, 'same'))(volume()),
  },
  {
    op: 'gradient of conv3d by its filter',
    kernel: 'Conv3DBackpropFilterV2',
    run: () => tf.grad((filter) => tf.conv3d(volume(), filter as tf.Tensor5D, 2, 'same'))(normal([2, 2, 2, 2, 2], 3)),
  },
];

const averaging: Case = {
  op: 'gradient of avgPool',
  kernel: 'AvgPoolGrad',
  run: () => tf.grad((x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same').square())(image()),
};

interface Window {
  filter: [number, number, number];
  stride: [number, number, number];
  pad: 'valid' | 'same' | number;
}

/** Window by window, what comes from above goes to the first of the highest. */
function gradientByHand(
  x: tf.Tensor5D,
  { filter, stride, pad }: Window,
  above: (shape: number[]) => ArrayLike<number>,
) {
  const { padInfo, outShape } = tf.backend_util.computePool3DInfo(x.shape, filter, stride, 1, pad);
  const before = [padInfo.front, padInfo.top, padInfo.left];
  const [values, dy, gradient] = [x.dataSync(), above(outShape), Array<number>(x.size).fill(0)];
  const positions = (shape: number[]): number[][] =>
    shape.reduce<number[][]>(
      (all, size) => all.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
      [[]],
    );
  for (const [i, [image = 0, ...at]] of positions(outShape).entries()) {
    const channel = at.pop() ?? 0;
    const inside = positions(filter)
      .map((offset) => offset.map((o, axis) => (at[axis] ?? 0) * (stride[axis] ?? 0) + o - (before[axis] ?? 0)))
      .filter((place) => place.every((p, axis) => p >= 0 && p < (x.shape[axis + 1] ?? 0)))
      .map((place) => [image, ...place, channel].reduce((flat, p, axis) => flat * (x.shape[axis] ?? 0) + p, 0));
    const best = inside.reduce((most, place) => ((values[place] ?? 0) > (values[most] ?? 0) ? place : most));
    gradient[best] = (gradient[best] ?? 0) + (dy[i] ?? 0);
  }
  return gradient;
}

function valuesOn(backend: string, run: () => tf.Tensor): Promise<number[]> {
  return tf.setBackend(backend).then(() => {
    let values: number[] = [];
    tf.tidy(() => {
      values = [...run().dataSync()];
    });
    return values;
  });
}

function expectClose(got: number[], expected: number[]): void {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of expected.entries())
    if (Number.isNaN(value)) expect(got[i]).toBeNaN();
    else expect(Math.abs((got[i] ?? NaN) - value), `${i}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
}

const differ = (got: number[], expected: number[]) =>
  got.some((value, i) => !(Math.abs(value - (expected[i] ?? NaN)) < 1e-3));

describe('a mended kernel', () => {
  beforeAll(async () => {
    for (const name of ['native', 'wasm', 'js'] as const) await openBackend(name);
  });

  it.each(onWasm)('is right on the WASM backend, and the stock one is not: $op', async ({ kernel, run, corrupts }) => {
    const expected = await valuesOn('cpu', run);
    const before = tf.memory().numTensors;
    expectClose(await valuesOn('wasm', run), expected);
    expect(tf.memory().numTensors).toBe(before);
    if (corrupts) return;
    const stockFunction = stock.wasm.get(kernel) as tf.KernelFunc;
    const wrong = await withKernel(
      [kernel, 'wasm'],
      () => stockFunction,
      () => valuesOn('wasm', run),
    );
    expect(differ(wrong, expected)).toBe(true);
  });

  it.each(['cpu', 'wasm'] as const)(
    'is right on the %s backend, and the stock one is not: gradient of avgPool',
    async (backend) => {
      const expected = await valuesOn('tensorflow', averaging.run);
      expectClose(await valuesOn(backend, averaging.run), expected);
      const stockFunction = stock[backend].get(averaging.kernel) as tf.KernelFunc;
      const wrong = await withKernel(
        [averaging.kernel, backend],
        () => stockFunction,
        () => valuesOn(backend, averaging.run),
      );
      expect(differ(wrong, expected)).toBe(true);
    },
  );

  it('is right on the native backend: round of int32, which were zeros', async () => {
    expect(await valuesOn('tensorflow', () => integers([1, -2, 3]).round())).toEqual([1, -2, 3]);
    expect(await valuesOn('tensorflow', () => tf.tensor1d([0.4, -1.6, 2.5]).round())).toEqual([0, -2, 2]);
  });

  it.each(
    (['tensorflow', 'cpu', 'wasm'] as const).flatMap((backend) =>
      [
        { filter: [2, 2, 2], stride: [2, 2, 2], pad: 'valid' as const },
        { filter: [2, 2, 2], stride: [1, 1, 1], pad: 'same' as const },
        { filter: [3, 1, 2], stride: [2, 1, 3], pad: 'same' as const },
        { filter: [1, 3, 2], stride: [1, 2, 1], pad: 'valid' as const },
        { filter: [2, 3, 2], stride: [1, 2, 1], pad: 0 },
        // TensorFlow has no such padding.
        ...(backend === 'tensorflow' ? [] : [{ filter: [3, 2, 2], stride: [1, 1, 2], pad: 1 }]),
      ].map((window) => ({ backend, ...window })),
    ),
  )('is right on $backend: gradient of maxPool3d, $filter by $stride, $pad', async ({ backend, ...window }) => {
    const { filter, stride, pad } = window as Window;
    // TensorFlow's own takes all that is within 1e-5 of the maximum for it, WASM's none below 1.2e-38.
    const x = () => normal([2, 5, 4, 5, 2], 2, -5).mul<tf.Tensor5D>(1e-6);
    const pool = (input: tf.Tensor) => tf.maxPool3d(input as tf.Tensor5D, filter, stride, pad);
    const run = () => tf.grad((input) => pool(input).mul(normal(pool(input).shape, 3)))(x());
    await tf.setBackend('cpu');
    const expected = gradientByHand(x(), window as Window, (shape) => normal(shape, 3).dataSync());
    const before = tf.memory().numTensors;
    expectClose(await valuesOn(backend, run), expected);
    expect(tf.memory().numTensors).toBe(before);
    const wrong = await withKernel(
      ['MaxPool3DGrad', backend],
      () => stock[backend].get('MaxPool3DGrad') as tf.KernelFunc,
      () => valuesOn(backend, run),
    );
    // JavaScript's mistakes the window's width for its height.
    if (backend !== 'cpu' || filter[1] === 3) expect(differ(wrong, expected)).toBe(true);
  });

  const plane = () => normal([2, 2, 3, 2], 4) as tf.Tensor4D;
  const fused = (x: tf.Tensor) => ({ x: x as tf.Tensor4D, filter: plane(), strides: 2, pad: 'valid' as const });
  it.each<[op: string, axes: number, run: (x: tf.Tensor) => tf.Tensor]>([
    ['conv2d', 2, (x) => tf.conv2d(x as tf.Tensor4D, plane(), 2, 'valid')],
    ['fused conv2d', 2, (x) => tf.fused.conv2d({ ...fused(x), bias: tf.ones([2]) })],
    ['depthwiseConv2d', 2, (x) => tf.depthwiseConv2d(x as tf.Tensor4D, plane(), 2, 'valid')],
    ['fused depthwiseConv2d', 2, (x) => tf.fused.depthwiseConv2d({ ...fused(x), bias: tf.ones([6]) })],
    ['conv3d', 3, (x) => tf.conv3d(x as tf.Tensor5D, normal([2, 2, 2, 3, 2], 4) as tf.Tensor5D, 2, 'valid')],
    ['maxPool', 2, (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid')],
    ['maxPool3d', 3, (x) => tf.maxPool3d(x as tf.Tensor5D, 2, 2, 'valid')],
  ])(
    'gives an output without elements its shape on the native backend, and its gradient zeros: %s',
    async (op, axes, run) => {
      await openBackend('native');
      for (const [batch, size, left] of [
        [0, 4, 2],
        [2, 1, 0],
      ] as const) {
        const shape = [batch, ...Array<number>(axes).fill(size), 3];
        const x = tf.ones(shape);
        const channels = op.includes('depthwise') ? 6 : op.includes('conv') ? 2 : 3;
        expect(run(x).shape).toEqual([batch, ...Array<number>(axes).fill(left), channels]);
        const gradient = tf.grad(run)(x);
        expect(gradient.shape).toEqual(shape);
        expect(gradient.dataSync().every((value) => value === 0)).toBe(true);
      }
    },
  );

  // The stock kernel damages memory, and the process ends a few calls later.
  it.each([
    { image: [3, 28, 28, 5], filters: 4, strides: 2, pad: 'valid' },
    { image: [2, 28, 28, 8], filters: 16, strides: [1, 2], pad: 'same' },
    { image: [3, 30, 27, 5], filters: 4, strides: [2, 1], pad: 'valid' },
    { image: [1, 28, 30, 3], filters: 7, strides: 3, pad: 0 },
    { image: [1, 5, 6, 3], filters: 2, strides: 4, pad: 'same' },
  ] as const)(
    'is right on the native backend, call after call: gradient of a 1 × 1 filter, %o',
    async ({ image, filters, strides, pad }) => {
      const run = () => {
        const x = tf.randomUniform<tf.Rank.R4>([...image], -1, 1, 'float32', 1);
        const convolved = (filter: tf.Tensor) =>
          tf.conv2d(x, filter as tf.Tensor4D, strides as number | [number, number], pad);
        return tf.grad((filter) => convolved(filter).square())(tf.ones([1, 1, image[3], filters]));
      };
      const expected = await valuesOn('cpu', run);
      const before = tf.memory().numTensors;
      for (let call = 0; call < 20; call++) expectClose(await valuesOn('tensorflow', run), expected);
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('leaves its input alive on the native backend: exp of int32', async () => {
    await openBackend('native');
    const [x] = tf.tidy(() => [integers([0, 1])].map((input) => (input.exp(), tf.keep(input))));
    expect(x?.isDisposed).toBe(false);
    x?.dispose();
  });

  it('is right on the WASM backend for whole numbers and for no dilation, too', async () => {
    const whole = () => tf.tensor4d([1, -2, 3, -4], [1, 2, 2, 1], 'int32');
    for (const run of [
      () => tf.prelu<tf.Tensor>(whole(), tf.tensor1d([0.5])),
      () => tf.maxPoolWithArgmax(whole(), 2, 1, 'same')['result'] as tf.Tensor,
      () => tf.depthwiseConv2d(image(), normal([3, 3, 2, 1], 2) as tf.Tensor4D, 2, 'same', 'NHWC', null as never),
    ])
      expectClose(await valuesOn('wasm', run), await valuesOn('cpu', run));
  });

  it('throws on the WASM backend for a slice that reaches beyond a tensor, where the stock one reads on', async () => {
    const run = () => tf.slice(tf.ones([4, 3]), [1, 1], [10, 1]);
    await expect(valuesOn('wasm', run)).rejects.toThrow('begin[0] + size[0] (11) would overflow input.shape[0] (4)');
    const beyond = await withKernel(
      ['Slice', 'wasm'],
      () => stock.wasm.get('Slice') as tf.KernelFunc,
      () => valuesOn('wasm', run),
    );
    expect(beyond.length).toBe(10);
  });

  it.each([
    [
      '[1, 4, 4, 2] for the output shape [1, 4, 4, 2], got [1, 8, 8, 2]',
      () => tf.conv2dTranspose<tf.Tensor4D>(tf.ones([1, 8, 8, 2]), tf.ones([4, 4, 2, 2]), [1, 4, 4, 2], 1, 'same'),
    ],
    [
      '[1, 2, 4, 4, 2] for the output shape [1, 4, 8, 8, 2], got [1, 8, 8, 8, 2]',
      () =>
        tf.conv3dTranspose<tf.Tensor5D>(tf.ones([1, 8, 8, 8, 2]), tf.ones([4, 4, 4, 2, 2]), [1, 4, 8, 8, 2], 2, 'same'),
    ],
  ])('on the native backend names the shape that a transposed convolution needs: %s', async (message, run) => {
    await tf.setBackend('tensorflow');
    expect(() => tf.tidy<tf.Tensor>(run)).toThrow(
      expect.objectContaining({
        message: `Cannot transpose the convolution: expected an input of shape ${message}`,
        hint: 'give an output shape that the convolution, with these strides and this padding, takes to the shape of the input',
      }),
    );
  });
});

/** Training on the WASM backend: the kernel it lacks, against the JS backend, and both batch normalizations. */
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchNorm } from '../../src/nn/layer.js';
import { openBackend } from '../../src/runtime/open.js';

type Shape4 = [number, number, number, number];

interface Case {
  x: Shape4;
  filter: Shape4;
  stride: number;
  pad: 'valid' | 'same';
}

const cases = fc
  .record({
    size: fc.tuple(...[2, 9, 9, 3, 3].map((max, i) => fc.integer({ min: i === 1 || i === 2 ? 4 : 1, max }))),
    filter: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.integer({ min: 1, max: 2 }),
    pad: fc.constantFrom('valid' as const, 'same' as const),
  })
  .map(({ size: [n = 1, h = 4, w = 4, inputs = 1, outputs = 1], filter, stride, pad }): Case => {
    return { x: [n, h, w, inputs], filter: [...filter, inputs, outputs], stride, pad };
  });

async function gradient(backend: 'js' | 'wasm', { x, filter, stride, pad }: Case): Promise<Float32Array> {
  await openBackend(backend);
  return tf.tidy(() => {
    const info = tf.backend_util.computeConv2DInfo(x, filter, stride, 1, pad);
    const inputs = {
      x: tf.randomNormal(x, 0, 1, 'float32', 7),
      dy: tf.randomNormal(info.outShape, 0, 1, 'float32', 8),
    };
    const attributes = { strides: stride, pad, dataFormat: 'NHWC', filterShape: filter };
    const result = tf.engine().runKernel('Conv2DBackpropFilter', inputs, attributes) as unknown as tf.Tensor;
    expect(result.shape).toEqual(filter);
    return result.dataSync<'float32'>();
  });
}

test('the gradient of a filter agrees with the JS backend', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (example) => {
      const [expected, got] = [await gradient('js', example), await gradient('wasm', example)];
      got.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 3));
    }),
    { numRuns: 40, seed: 1 },
  );
});

test.each([
  ['ours', () => new BatchNorm()],
  ['the built-in one', () => tf.layers.batchNormalization()],
])('a network with %s trains for two steps', async (_, layer) => {
  await openBackend('wasm');
  const convolution = tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3 });
  const model = tf.sequential({ layers: [convolution, layer(), tf.layers.flatten(), tf.layers.dense({ units: 1 })] });
  model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
  const [x, y] = [tf.randomNormal([4, 8, 8, 1], 0, 1, 'float32', 1), tf.ones([4, 1])];
  const losses = [await model.trainOnBatch(x, y), await model.trainOnBatch(x, y)];
  expect(losses[1]).toBeLessThan(losses[0] as number);
});

test('what there is no memory for is an error with words, after which the backend still computes', async () => {
  await openBackend('wasm');
  const backend = tf.backend();
  const held: object[] = [];
  const fill = () => {
    // 1 GB each, without values to be copied.
    for (let i = 0; i < 5; i++) held.push(backend.write(null as never, [2 ** 28], 'float32'));
  };
  const message = 'Cannot compute on the WASM backend: expected memory for 1.1 GB more, got none left';
  expect(fill).toThrow(expect.objectContaining({ message, hint: 'use a smaller batchSize, or another backend' }));
  expect(held.length).toBeGreaterThan(1);
  for (const one of held) backend.disposeData(one);
  expect(tf.tidy(() => tf.ones([1000]).sum().dataSync()[0])).toBe(1000);
});

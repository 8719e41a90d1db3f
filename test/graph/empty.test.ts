/** Steps on tensors without elements give what op by op gives; TensorFlow's own graphs of some of them end the process. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { compileStep } from '../support/compiled.js';

const pooled = (x: tf.Tensor) => tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'same'))(x);
const volumes = (x: tf.Tensor) => tf.grad((x) => tf.maxPool3d(x as tf.Tensor5D, 2, 2, 'same'))(x);
const moments = (x: tf.Tensor) => tf.grad((x) => tf.moments(x, [0, 1, 2]).variance)(x);
const means = (x: tf.Tensor) => tf.stack([x.argMax(1).toFloat(), x.mean(1), x.sum(1)]);

const cases: [name: string, shape: number[], step: (x: tf.Tensor) => tf.Tensor][] = [
  ['gradient of maxPool, no images', [0, 6, 6, 2], pooled],
  ['gradient of maxPool, images of no size', [2, 0, 0, 2], pooled],
  ['gradient of maxPool, no channels', [2, 6, 6, 0], pooled],
  ['gradient of maxPool3d, no channels', [2, 4, 4, 4, 0], volumes],
  ['gradient of moments, no channels', [2, 6, 6, 0], moments],
  ['means of no rows', [0, 3], means],
  ['the sum of none of the rows', [4, 3], (x) => x.slice([0, 0], [0, 3]).sum(0).add(x).mul(2)],
  ['sums of no columns', [4, 3], (x) => x.slice([0, 0], [4, 0]).mul(2).sum(1, true).add(x).mul(2)],
];

it.each(cases.flatMap((given) => [false, true].map((fuse) => [...given, fuse] as const)))(
  '%s %j',
  async (_, shape, step, fuse) => {
    const x = tf.zeros(shape);
    const compiled = await compileStep((x) => [step(x), x.sum()], { inputs: [[x]], variables: [], fuse });
    try {
      for (const [i, expected] of [step(x), x.sum()].entries()) {
        const got = compiled.run(x)[i];
        expect([got?.shape, got?.dtype]).toEqual([expected.shape, expected.dtype]);
        expect([...(got?.dataSync() ?? [])]).toEqual([...expected.dataSync()]);
      }
      const [many] = compiled.runMany(tf.zeros([2, ...shape]));
      expect(many?.shape).toEqual([2, ...step(x).shape]);
    } finally {
      compiled.dispose();
    }
  },
);

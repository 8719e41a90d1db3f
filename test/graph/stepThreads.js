/** Run by itself: prints a hash of what a step of fused ops alone computes, as TensorFlow's convolutions and products depend on threads. */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import { compileStep } from '../../dist/graph/compile.js';
import { openBackend } from '../../dist/index.js';
import { batchNorm } from '../../dist/nn/batchNorm.js';

await openBackend('native');
const [gamma, beta] = [1, 0].map((value) => tf.variable(tf.fill([6], value)));
const filters = [
  [5, 5, 6, 6],
  [3, 3, 6, 16],
].map((size, i) => tf.variable(tf.randomNormal(size, 0, 0.1, 'float32', i + 1)));
const variables = [gamma, beta, ...filters];
const shape = [251, 12, 12, 6];
const loss = (x, labels) => {
  const moving = [tf.zeros([6]), tf.ones([6])];
  const image = tf.conv2d(x, filters[0], 1, 'same');
  const { y } = batchNorm(image, gamma, beta, ...moving, { training: true });
  const pooled = tf.avgPool(tf.sigmoid(y), 2, 2, 'valid');
  const last = tf.maxPool(tf.conv2d(pooled, filters[1], 1, 'same'), 3, 3, 'valid');
  return tf.losses.softmaxCrossEntropy(labels, tf.tanh(last.reshape([shape[0], 64])).mul(3));
};
const step = await compileStep(
  (x, labels) => {
    const [dx] = tf.grads(loss)([x, labels]);
    const { value, grads } = tf.variableGrads(() => loss(x, labels), variables);
    for (const variable of variables) variable.assign(variable.sub(grads[variable.name].mul(0.1)));
    return [value, dx];
  },
  {
    inputs: [shape, [shape[0], 64]].map((each) => ({ shape: each, dtype: 'float32' })),
    variables,
    fuse: true,
  },
);
const x = tf.randomNormal(shape, 1, 3, 'float32', 5);
const labels = tf.oneHot(tf.range(0, shape[0], 1, 'int32').mod(tf.scalar(64, 'int32')), 64);
const hash = createHash('sha256');
for (let i = 0; i < 5; i++)
  for (const result of step.run(x, tf.cast(labels, 'float32'))) hash.update(new Uint8Array(result.dataSync().buffer));
step.read();
for (const variable of variables) hash.update(new Uint8Array(variable.dataSync().buffer));
console.log(JSON.stringify({ bits: hash.digest('hex'), kernels: step.fused }));

/** Population statistics of models of any form, and what becomes of a model that takes them for its own. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { lenet } from '../../src/nn/lenet.js';
import { isBatchNorm, normalizersOf, weightOf } from '../../src/nn/population.js';
import { populationStatistics, recalibrate } from '../../src/nn/recalibrate.js';
import { inputsOf, modelOf, MODELS } from './models.js';

const { layers } = tf;
const movingOf = (layer: tf.layers.Layer) =>
  ['moving_mean', 'moving_variance'].map((name) => [...(weightOf(layer, name)?.read().dataSync() ?? [])]);

/** In training with momentum 0 a layer keeps the batch's own statistics: the same by another way. */
function ofOneBatch(model: tf.LayersModel, inputs: tf.Tensor[]): number[][][] {
  for (const layer of normalizersOf(model)) Object.assign(layer, { momentum: 0 });
  model.apply(inputs, { training: true });
  return normalizersOf(model).map(movingOf);
}

function expectClose(got: number[][][], expected: number[][][]): void {
  expect(got.length).toBe(expected.length);
  for (const [i, layer] of expected.entries())
    for (const [j, values] of layer.entries())
      for (const [c, value] of values.entries()) {
        const found = got[i]?.[j]?.[c] ?? NaN;
        expect(Math.abs(found - value)).toBeLessThan(1e-4 * (1 + Math.abs(value)));
      }
}

// A layer with scale or center left out does not train in tfjs, and one that is called twice keeps the last call's.
it.each(MODELS.filter((name) => !['residual', 'siamese', 'uNet'].includes(name)))(
  'of %s are those that training with momentum 0 leaves',
  async (name) => {
    const model = modelOf(name);
    const inputs = inputsOf(model, 6);
    const before = model.getWeights().map((weight) => weight.dataSync());
    const statistics = await populationStatistics(model, [inputs.map((input) => input.clone())]);
    expect(model.getWeights().map((weight) => weight.dataSync())).toEqual(before);
    const got = statistics.map(({ mean, variance }) => [[...mean], [...variance]]);
    expectClose(got, ofOneBatch(model, inputs));
  },
);

it.each(MODELS)('of %s are the same in whatever batches, where the layers before have no batch', async (name) => {
  const model = modelOf(name);
  const inputs = inputsOf(model, 7);
  const part = (first: number, count: number) =>
    inputs.map((input) => input.slice([first, ...input.shape.slice(1).map(() => 0)], [count, ...input.shape.slice(1)]));
  const [whole] = await populationStatistics(model, [inputs.map((input) => input.clone())]);
  const [parts] = await populationStatistics(model, [part(0, 3), part(3, 4)]);
  expect(whole?.layer.name).toBe(normalizersOf(model)[0]?.name);
  expectClose(
    [[[...(parts?.mean ?? [])], [...(parts?.variance ?? [])]]],
    [[[...(whole?.mean ?? [])], [...(whole?.variance ?? [])]]],
  );
});

it('of a layer that is called twice are over both calls', async () => {
  const shared = layers.batchNormalization();
  const inputs = [tf.input({ shape: [2] }), tf.input({ shape: [2] })];
  const model = tf.model({ inputs, outputs: inputs.map((x) => shared.apply(x) as tf.SymbolicTensor) });
  const [a, b] = [tf.randomNormal([5, 2], 3, 1, 'float32', 1), tf.randomNormal([5, 2], -2, 2, 'float32', 2)];
  const { mean, variance } = tf.moments(tf.concat([a, b]), 0);
  const expected = [[[...mean.dataSync()], [...variance.dataSync()]]];
  const [found, ...others] = await recalibrate(model, [[a, b]]);
  expect(others).toEqual([]);
  expectClose([[[...(found?.mean ?? [])], [...(found?.variance ?? [])]]], expected);
  expectClose([movingOf(shared)], expected);
});

it('of images of several sizes count every value', async () => {
  const model = tf.sequential({ layers: [layers.batchNormalization({ inputShape: [null, null, 1] })] });
  const batches = [
    tf.randomNormal([2, 2, 2, 1], 1, 1, 'float32', 1),
    tf.randomNormal([2, 9, 9, 1], 5, 3, 'float32', 2),
  ];
  const { mean, variance } = tf.moments(tf.concat(batches.map((batch) => batch.flatten())));
  const expected = [[...mean.dataSync()], [...variance.dataSync()]];
  const [found] = await populationStatistics(model, batches);
  expectClose([[[...(found?.mean ?? [])], [...(found?.variance ?? [])]]], [expected]);
});

it('of a timeDistributed batch normalization are over all times', async () => {
  const model = tf.sequential({
    layers: [layers.timeDistributed({ layer: layers.batchNormalization(), inputShape: [4, 2] })],
  });
  const x = tf.randomNormal<tf.Rank.R3>([3, 4, 2], 2, 3, 'float32', 1);
  const { mean, variance } = tf.moments(x, [0, 1]);
  const expected = [[[...mean.dataSync()], [...variance.dataSync()]]];
  const [found] = await recalibrate(model, [x]);
  expectClose([[[...(found?.mean ?? [])], [...(found?.variance ?? [])]]], expected);
});

it('change what a model says in inference, and nothing but its moving statistics', async () => {
  const model = lenet({ norm: 'builtin', seed: 1 });
  const others = () => model.weights.filter(({ name }) => !name.includes('moving')).map((w) => w.read().dataSync());
  const [before, tensors] = [others(), tf.memory().numTensors];
  async function* batches() {
    await Promise.resolve();
    yield tf.randomUniform([4, 28, 28, 1], 0, 1, 'float32', 1);
  }
  const statistics = await recalibrate(model, batches());
  expect(statistics.map(({ layer }) => layer)).toEqual(model.layers.filter(isBatchNorm));
  expect(model.layers.filter(isBatchNorm).map(movingOf)).toEqual(
    statistics.map(({ mean, variance }) => [[...mean], [...variance]]),
  );
  expect(others()).toEqual(before);
  expect(tf.memory().numTensors).toBe(tensors);
});

it.each<[string, () => tf.LayersModel, tf.Tensor[], string]>([
  [
    'a model without batch normalization',
    () => tf.sequential({ name: 'plain', layers: [layers.dense({ units: 1, inputShape: [2] })] }),
    [],
    'Cannot take population statistics: expected a model with batch normalization, got plain, which has none',
  ],
  [
    'no batch',
    () => lenet({ norm: 'scratch' }),
    [],
    'Cannot take population statistics: expected at least one batch, got none',
  ],
  [
    'another axis than the last',
    () => tf.sequential({ layers: [layers.batchNormalization({ axis: 1, name: 'bn', inputShape: [3, 2] })] }),
    [],
    'Cannot take population statistics: expected bn to normalize the last axis, got axis 1 of 3',
  ],
  [
    'a batch of one',
    () => tf.sequential({ layers: [layers.batchNormalization({ inputShape: [2] })] }),
    [tf.ones([1, 2])],
    'Cannot batch-normalize in training: expected at least 2 values per channel, as one value has no variance, got x of shape [1, 2]',
  ],
])('are refused for %s, with the model as it was', async (_, make, batches, message) => {
  const model = make();
  const before = model.getWeights().map((weight) => weight.dataSync());
  await expect(recalibrate(model, batches)).rejects.toThrow(message);
  expect(model.getWeights().map((weight) => weight.dataSync())).toEqual(before);
  for (const layer of normalizersOf(model)) expect(Object.hasOwn(layer, 'call')).toBe(false);
});

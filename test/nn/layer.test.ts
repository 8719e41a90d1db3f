import '../support/native.js';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { BnTrainError } from '../../src/common/errors.js';
import { sha256Of } from '../../src/common/files.js';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { withBatchNorm } from '../../src/nn/convert.js';
import { BatchNorm, type BatchNormConfig } from '../../src/nn/layer.js';
import { lenet, type Norm } from '../../src/nn/lenet.js';

/** Every option, none at its default. */
const everything = (): BatchNormConfig => ({
  axis: 1,
  momentum: 0.6,
  epsilon: 0.01,
  center: true,
  scale: true,
  betaInitializer: tf.initializers.constant({ value: 0.125 }),
  gammaInitializer: tf.initializers.randomUniform({ minval: 1, maxval: 2, seed: 3 }),
  movingMeanInitializer: 'glorotNormal',
  movingVarianceInitializer: tf.initializers.constant({ value: 4 }),
  betaConstraint: tf.constraints.maxNorm({ maxValue: 0.25, axis: 0 }),
  gammaConstraint: 'nonNeg',
  betaRegularizer: tf.regularizers.l1({ l1: 0.125 }),
  gammaRegularizer: 'l1l2',
  name: 'everything',
  trainable: false,
  dtype: 'float32',
  batchInputShape: [null, 3],
});

const values = (weights: tf.Tensor[]) => weights.map((weight) => [...weight.dataSync()]);
const outputs = (model: tf.LayersModel, ...inputs: tf.Tensor[]) =>
  [model.predict(inputs.length === 1 ? (inputs[0] as tf.Tensor) : inputs)].flat().map((y) => [...y.dataSync()]);

function assertClose(got: number[][], expected: number[][]): void {
  expect(got.map((list) => list.length)).toEqual(expected.map((list) => list.length));
  got.flat().forEach((value, i) => expect(value).toBeCloseTo(expected.flat()[i] ?? NaN, 4));
}

function thrownBy(action: () => unknown): { message: string; hint: string | undefined } {
  try {
    action();
  } catch (error) {
    if (!(error instanceof BnTrainError)) throw error;
    return { message: error.message, hint: error.hint };
  }
  throw new Error('nothing was thrown');
}

describe('BatchNorm', () => {
  it.each([
    { shape: [8, 3] },
    { shape: [4, 5, 3] },
    { shape: [2, 3, 4, 3] },
    { shape: [2, 2, 3, 2, 3] },
    { shape: [2, 2, 1, 3, 2, 3] },
  ])('normalizes as batchNorm does, in training and inference, for $shape', ({ shape }) => {
    const x = tf.randomNormal(shape, 1, 2, 'float32', 5);
    const model = tf.sequential({ layers: [new BatchNorm({ inputShape: shape.slice(1) })] });
    const [gamma, beta, mean, variance] = [tf.ones([3]), tf.zeros([3]), tf.zeros([3]), tf.ones([3])];
    const expected = batchNorm(x, gamma, beta, mean, variance, { training: true });
    expect(values([model.apply(x, { training: true }) as tf.Tensor])).toEqual(values([expected.y]));
    expect(values(model.getWeights().slice(2))).toEqual(values([expected.movingMean, expected.movingVariance]));
    const inferred = batchNorm(x, gamma, beta, expected.movingMean, expected.movingVariance, { training: false });
    expect(values([model.apply(x) as tf.Tensor])).toEqual(values([inferred.y]));
  });

  it.each([{ axis: -1 }, { axis: 3 }, { axis: [3] }])('takes $axis for the last axis of four', ({ axis }) => {
    const layer = new BatchNorm({ axis, inputShape: [4, 4, 2] });
    expect(tf.sequential({ layers: [layer] }).weights.map(({ shape }) => shape)).toEqual([[2], [2], [2], [2]]);
  });

  const lastAxis = 'Cannot create a BatchNorm: expected axis to be the last one, -1, got';
  const channelsLast = 'put the channels last, as dataFormat: "channelsLast" and tf.layers.permute do';
  it.each([
    { axis: 0, message: `${lastAxis} 0` },
    { axis: -2, message: `${lastAxis} -2` },
    { axis: 1.5, message: `${lastAxis} 1.5` },
    { axis: [], message: `${lastAxis} []` },
    { axis: [1, 3], message: `${lastAxis} [1,3]` },
    { axis: '1' as unknown as number, message: `${lastAxis} "1"` },
    {
      axis: 1,
      inputShape: [3, 4, 4],
      message: 'Cannot build bn: expected axis 1 to be the last one, got an input of shape [null,3,4,4]',
    },
    {
      axis: [2],
      batchInputShape: [8, 3],
      message: 'Cannot build bn: expected axis 2 to be the last one, got an input of shape [8,3]',
    },
  ])('is refused with axis $axis when it is created', ({ message, ...config }) => {
    expect(thrownBy(() => new BatchNorm({ name: 'bn', ...config }))).toEqual({ message, hint: channelsLast });
  });

  it.each([
    {
      name: 'another axis than the last',
      config: { axis: 1 },
      shape: [null, 3, 4, 4],
      expected: 'axis 1 to be the last one, got an input of shape [null,3,4,4]',
    },
    {
      name: 'rank 1',
      shape: [null],
      expected: 'an input of shape [batch, …, channels], of rank 2 or more, got an input of shape [null]',
    },
    {
      name: 'channels that are not known',
      shape: [null, 4, null],
      expected: 'a known number of channels, the last axis, got an input of shape [null,4,null]',
    },
    {
      name: 'two inputs',
      shape: [
        [null, 3],
        [null, 3],
      ],
      expected: 'one input, got 2',
    },
  ])('is refused with $name when it is built', ({ config = {}, shape, expected }) => {
    const layer = new BatchNorm({ name: 'bn', ...config });
    expect(thrownBy(() => layer.build(shape as tf.Shape)).message).toBe(`Cannot build bn: expected ${expected}`);
  });

  it('refuses an input of another shape once it is built', () => {
    const layer = new BatchNorm({ name: 'bn', inputShape: [3] });
    tf.sequential({ layers: [layer] });
    expect(() => layer.apply(tf.input({ shape: [4] }))).toThrow('Input 0 is incompatible with layer bn');
  });

  const unknown = (option: string) => `Cannot create a BatchNorm: expected an option that it has, got "${option}"`;
  it.each([
    { option: 'gamaInitializer', hint: 'did you mean gammaInitializer?' },
    { option: 'moving_mean_initializer', hint: 'did you mean movingMeanInitializer?' },
    { option: 'eps', hint: undefined },
    { option: 'axes', hint: 'did you mean axis?' },
    { option: 'customObjects', hint: undefined },
  ])('refuses the option $option', ({ option, hint }) => {
    const thrown = thrownBy(() => new BatchNorm({ [option]: 1 }));
    expect(thrown.message).toBe(unknown(option));
    expect(thrown.hint).toMatch(hint ?? /^it has axis, momentum, epsilon, center, .*batchInputShape/);
  });

  it('refuses an unknown option in a config, too', () => {
    const thrown = thrownBy(() => BatchNorm.fromConfig(BatchNorm, { axis: [1], momentun: 0.5 }));
    expect(thrown).toEqual({ message: unknown('momentun'), hint: 'did you mean momentum?' });
  });

  it('takes null in a config for what it leaves open', () => {
    const names = ['axis', 'momentum', 'epsilon', 'center', 'scale', 'gammaInitializer', 'betaConstraint'];
    const config = { name: 'bn', ...Object.fromEntries(names.map((name) => [name, null])) };
    expect(BatchNorm.fromConfig(BatchNorm, config).getConfig()).toEqual(new BatchNorm({ name: 'bn' }).getConfig());
  });

  it('has the weights that its initializers and constraints make, and the losses of its regularizers', () => {
    const layer = new BatchNorm(everything());
    tf.sequential({ layers: [layer] });
    const [gamma = [], beta = [], mean = [], variance] = values(layer.getWeights());
    expect(gamma.every((value) => value > 1 && value < 2)).toBe(true);
    expect([beta, variance]).toEqual([Array(3).fill(0.125), Array(3).fill(4)]);
    expect(new Set([0, ...mean]).size).toBe(4);
    const [gammaLoss, betaLoss] = layer.calculateLosses().map((loss) => loss.dataSync()[0]);
    expect(gammaLoss).toBeCloseTo(0.01 * gamma.reduce((sum, value) => sum + value + value ** 2, 0), 6);
    expect(betaLoss).toBeCloseTo(0.125 * 3 * 0.125, 6);
    layer.setWeights([-1, 1, 1, 1].map((value) => tf.fill([3], value)));
    const [constrained, shorter = []] = values(layer.getWeights());
    expect(constrained).toEqual([0, 0, 0]);
    expect(Math.hypot(...shorter)).toBeCloseTo(0.25, 6);
  });

  it('starts from the weights that it is given', () => {
    const weights = [1, 2, 3, 4].map((value) => tf.fill([3], value));
    expect(values(tf.sequential({ layers: [new BatchNorm({ inputShape: [3], weights })] }).getWeights())).toEqual(
      values(weights),
    );
  });

  it('has the config that makes it again, and that the built-in layer reads', () => {
    const config = new BatchNorm(everything()).getConfig();
    // tfjs writes into a config that it reads.
    const copy = () => structuredClone(config);
    expect(BatchNorm.fromConfig(BatchNorm, copy()).getConfig()).toEqual(config);
    expect(tf.layers.batchNormalization(copy()).getConfig()).toEqual(config);
    expect(Object.keys(config).sort()).toEqual(Object.keys(everything()).sort());
  });

  it('has in its config whether it is frozen at the moment', () => {
    const layer = new BatchNorm();
    layer.trainable = false;
    expect(layer.getConfig()).toMatchObject({ trainable: false });
  });

  it('comes back from disk with everything set', async () => {
    const model = tf.sequential({ layers: [new BatchNorm(everything()), tf.layers.dense({ units: 2 })] });
    const url = `file://${mkdtempSync(path.join(tmpdir(), 'layer-'))}`;
    await model.save(url);
    const loaded = await tf.loadLayersModel(`${url}/model.json`);
    expect(loaded.layers[0]).toBeInstanceOf(BatchNorm);
    expect(loaded.layers[0]?.getConfig()).toEqual(model.layers[0]?.getConfig());
    const x = tf.randomNormal([5, 3], 1, 2, 'float32', 4);
    // The loaded β is cut to its constraint, which it meets already, but for rounding.
    assertClose(outputs(loaded, x), outputs(model, x));
    expect(readFileSync(new URL(`${url}/model.json`), 'utf8')).toContain('"gamma_initializer"');
  });

  it('lets a mask pass', () => {
    const mask = tf.tensor2d([[1, 0]], [1, 2], 'bool');
    expect(new BatchNorm().computeMask(tf.ones([1, 2, 3]), mask)).toBe(mask);
  });
});

/** Moves all weights of a model away from where they start. */
function moveWeights(model: tf.LayersModel): void {
  model.setWeights(model.getWeights().map((weight, i) => tf.randomUniform(weight.shape, 0.2, 1.5, 'float32', 30 + i)));
}

const builtin = tf.layers.batchNormalization;

describe('BatchNorm.fromBuiltin', () => {
  it.each([
    {},
    { scale: false },
    { center: false, trainable: false },
    { momentum: 0.7, epsilon: 0.02, axis: 3, gammaRegularizer: 'l1l2' as const, name: 'mine' },
  ])('has the weights, the config and the outputs of a layer with %o', (config) => {
    const layer = builtin(config);
    const model = tf.sequential({
      layers: [tf.layers.conv2d({ filters: 3, kernelSize: 2, inputShape: [5, 5, 1] }), layer],
    });
    moveWeights(model);
    const made = BatchNorm.fromBuiltin(layer);
    expect(made.getConfig()).toEqual(layer.getConfig());
    expect(values(made.getWeights())).toEqual(values(layer.getWeights()));
    const x = tf.randomNormal([2, 4, 4, 3], 1, 2, 'float32', 8);
    assertClose(values([made.apply(x) as tf.Tensor]), values([layer.apply(x) as tf.Tensor]));
  });

  it('has its own copy of the weights', () => {
    const layer = builtin({ inputShape: [2] });
    const model = tf.sequential({ layers: [layer] });
    const made = BatchNorm.fromBuiltin(layer);
    const before = values(made.getWeights());
    moveWeights(model);
    expect(values(made.getWeights())).toEqual(before);
  });

  it('takes a layer that is not built yet', () => {
    const made = BatchNorm.fromBuiltin(builtin({ momentum: 0.5 }));
    expect([made.momentum, made.epsilon, made.built]).toEqual([0.5, 1e-3, false]);
  });

  it('refuses another layer, and another axis', () => {
    expect(thrownBy(() => BatchNorm.fromBuiltin(tf.layers.dense({ units: 1, name: 'd' }))).message).toBe(
      'Cannot make a BatchNorm of a layer: expected a tf.layers.batchNormalization, got Dense "d"',
    );
    const layer = builtin({ axis: 1, inputShape: [3, 4, 4], name: 'first' });
    tf.sequential({ layers: [layer] });
    expect(thrownBy(() => BatchNorm.fromBuiltin(layer)).message).toBe(
      'Cannot build first: expected axis 1 to be the last one, got an input of shape [null,3,4,4]',
    );
  });
});

describe('withBatchNorm', () => {
  const classesOf = (model: tf.LayersModel) => model.layers.map((layer) => layer.getClassName());

  function assertSame(model: tf.LayersModel, copy: tf.LayersModel, ...inputs: tf.Tensor[]): void {
    expect(copy.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
    expect(values(copy.getWeights())).toEqual(values(model.getWeights()));
    assertClose(outputs(copy, ...inputs), outputs(model, ...inputs));
  }

  it('makes a sequential model’s layers ours, and leaves the model as it was', () => {
    const model = lenet({ norm: 'builtin', seed: 1 });
    moveWeights(model);
    const config: unknown = model.getConfig();
    const copy: tf.Sequential = withBatchNorm(model);
    expect(classesOf(copy)).toEqual(classesOf(lenet({ norm: 'scratch' })));
    assertSame(model, copy, tf.randomUniform([3, 28, 28, 1], 0, 1, 'float32', 2));
    expect(model.getConfig()).toEqual(config);
  });

  it('makes those of a functional model ours: two branches, a shared layer, a nested model, one frozen', () => {
    const [left, right] = [tf.input({ shape: [4], name: 'left' }), tf.input({ shape: [4], name: 'right' })];
    const shared = builtin({ momentum: 0.8 });
    const nested = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] }), builtin()] });
    const branches = [
      builtin({ trainable: false }).apply(nested.apply(shared.apply(left))),
      tf.layers.dense({ units: 3, activation: 'tanh' }).apply(shared.apply(right)),
    ] as tf.SymbolicTensor[];
    const sum = tf.layers.add().apply(branches) as tf.SymbolicTensor;
    const last = builtin({ scale: false }).apply(sum) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [left, right], outputs: [sum, last] });
    moveWeights(model);
    const copy = withBatchNorm(model);
    expect(classesOf(copy)).toEqual(classesOf(model).map((name) => name.replace('BatchNormalization', 'BatchNorm')));
    expect(classesOf(copy.getLayer(nested.name) as tf.LayersModel)).toEqual(['Dense', 'BatchNorm']);
    const x = [11, 12].map((seed) => tf.randomNormal([5, 4], 0, 1, 'float32', seed));
    assertSame(model, copy, ...x);
  });

  it.each(['the model', 'a nested model'])('keeps %s frozen', (frozen) => {
    const nested = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] }), builtin()] });
    const model = tf.sequential({ layers: [nested, builtin(), tf.layers.dense({ units: 3 })] });
    moveWeights(model);
    (frozen === 'the model' ? model : nested).trainable = false;
    const copy = withBatchNorm(model);
    assertSame(model, copy, tf.randomNormal([5, 4], 0, 1, 'float32', 13));
    expect(copy.trainableWeights.length).toBe(model.trainableWeights.length);
  });

  it('refuses a model that normalizes another axis', () => {
    const model = tf.sequential({ layers: [builtin({ axis: 1, inputShape: [3, 4, 4], name: 'first' })] });
    expect(thrownBy(() => withBatchNorm(model)).message).toBe(
      'Cannot build first: expected axis 1 to be the last one, got an input of shape [null,3,4,4]',
    );
  });
});

it('LeNet has the same initial weights from a seed whichever normalization it has', () => {
  const initial = (norm: Norm, seed: number) =>
    lenet({ norm, seed }).weights.flatMap((weight) => {
      const name = weight.originalName.split('/').at(-1) ?? '';
      // As a digest: a difference of whole kernels would take minutes to be shown.
      const digest = () => sha256Of(Uint8Array.from(Buffer.from(weight.read().dataSync<'float32'>().buffer)));
      return ['kernel', 'bias'].includes(name) ? [`${name} ${digest()}`] : [];
    });
  for (const seed of [1, 7]) {
    expect(initial('none', seed)).toHaveLength(10);
    expect(initial('scratch', seed)).toEqual(initial('none', seed));
    expect(initial('builtin', seed)).toEqual(initial('none', seed));
  }
  expect(initial('none', 2)).not.toEqual(initial('none', 1));
});

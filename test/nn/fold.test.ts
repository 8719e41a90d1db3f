/** Folding: models that this project was not written for compute the same without batch normalization, on every backend. */
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fold } from '../../src/nn/fold.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { normalizersOf } from '../../src/nn/population.js';
import { openBackend } from '../../src/runtime/open.js';
import { firstOf } from '../support/amount.js';
import { inputsOf, modelOf, MODELS } from './models.js';
import { boundsOf } from './rounding.js';

const { layers } = tf;
const outputsOf = (model: tf.LayersModel, inputs: tf.Tensor[]) => [model.predict(inputs)].flat();

/** The largest difference between the outputs, as a share of what rounding may make of it. */
function shareOf(model: tf.LayersModel, other: tf.LayersModel, inputs = inputsOf(model)): number {
  return tf.tidy(() => {
    const [expected, got] = [outputsOf(model, inputs), outputsOf(other, inputs)];
    const shares = boundsOf(model, inputs).map(({ error }, i) => {
      const [a, b] = [expected[i] as tf.Tensor, got[i] as tf.Tensor];
      expect(b.shape).toEqual(a.shape);
      return a.sub(b).abs().div(error).max().dataSync()[0] ?? NaN;
    });
    return Math.max(...shares);
  });
}

describe.each(firstOf(['native', 'wasm', 'js'] as const, 2))('on the %s backend', (backend) => {
  beforeAll(async () => {
    await openBackend(backend, { quiet: true });
  });

  it.each(MODELS)('%s computes the same within rounding, and has no batch normalization', async (name) => {
    const model = modelOf(name);
    const [config, before] = [JSON.stringify(model.getConfig()), model.getWeights().map((weight) => weight.dataSync())];
    const folded = await fold(model);
    expect(normalizersOf(model).length).toBeGreaterThan(0);
    expect(normalizersOf(folded)).toEqual([]);
    expect(folded.constructor).toBe(model.constructor);
    const share = shareOf(model, folded);
    expect(share).toBeLessThanOrEqual(1);
    expect(share).toBeGreaterThan(0);
    expect(JSON.stringify(model.getConfig())).toBe(config);
    expect(model.getWeights().map((weight) => weight.dataSync())).toEqual(before);
  });
});

describe('a layout that cannot be folded is refused by name:', () => {
  beforeAll(async () => {
    await openBackend('native', { quiet: true });
  });
  const bn = (config: object = {}) => layers.batchNormalization({ name: 'bn', ...config });
  const conv = (config: object = {}) => layers.conv2d({ name: 'conv', filters: 2, kernelSize: 1, ...config });
  const input = () => tf.input({ shape: [4, 4, 2], name: 'x' });
  const apply = (layer: tf.layers.Layer, x: unknown) => layer.apply(x as tf.SymbolicTensor) as tf.SymbolicTensor;
  const model = (make: (x: tf.SymbolicTensor) => tf.SymbolicTensor[]) => {
    const x = input();
    return tf.model({ inputs: x, outputs: make(x) });
  };
  const BEFORE = 'expected a convolution or a dense layer before it, got';
  const HINT =
    'only what stands right after a convolution or a dense layer, before its activation, can be folded into it';

  it.each<[string, () => tf.LayersModel, string]>([
    [
      'after an activation',
      () =>
        model((x) => [apply(bn(), apply(layers.activation({ activation: 'relu', name: 'act' }), apply(conv(), x)))]),
      `${BEFORE} act (Activation relu)`,
    ],
    [
      'after an activation within the layer',
      () => model((x) => [apply(bn(), apply(conv({ activation: 'tanh' }), x))]),
      'expected conv to have no activation of its own, got tanh',
    ],
    [
      'after a sum',
      () => model((x) => [apply(bn(), layers.add({ name: 'sum' }).apply([x, apply(conv(), x)]))]),
      `${BEFORE} sum (Add)`,
    ],
    [
      'after a pooling',
      () => model((x) => [apply(bn(), apply(layers.maxPooling2d({ name: 'pool', poolSize: 2 }), apply(conv(), x)))]),
      `${BEFORE} pool (MaxPooling2D)`,
    ],
    ['before the convolution', () => model((x) => [apply(conv(), apply(bn(), x))]), `${BEFORE} x (InputLayer)`],
    ['first in a sequential model', () => tf.sequential({ layers: [bn({ inputShape: [4] })] }), `${BEFORE} the input`],
    [
      'after a layer that another one reads',
      () =>
        model((x) => {
          const y = apply(conv(), x);
          return [apply(bn(), y), apply(layers.reLU({ name: 'other' }), y)];
        }),
      'expected conv to be read by bn alone, got other as well',
    ],
    [
      'after a layer that is an output',
      () =>
        model((x) => {
          const y = apply(conv(), x);
          return [apply(bn(), y), y];
        }),
      "expected conv to be read by bn alone, got the model's output as well",
    ],
    [
      'after a layer that is called elsewhere',
      () =>
        model((x) => {
          const shared = conv();
          return [apply(bn(), apply(shared, x)), apply(layers.reLU({ name: 'other' }), apply(shared, x))];
        }),
      'expected conv to be read by bn alone, got other as well',
    ],
    [
      'after a nested model',
      () =>
        model((x) => [
          apply(bn(), apply(tf.sequential({ name: 'inner', layers: [conv({ inputShape: [4, 4, 2] })] }), x)),
        ]),
      `${BEFORE} inner (Sequential)`,
    ],
    [
      'within a timeDistributed',
      () =>
        tf.sequential({
          layers: [layers.timeDistributed({ name: 'times', layer: bn(), inputShape: [3, 4] })],
        }),
      'expected batch normalization as a layer of its own, got some in times (TimeDistributed)',
    ],
    [
      'of another axis',
      () => model((x) => [apply(bn({ axis: 1 }), apply(conv(), x))]),
      'expected bn to normalize the last axis, got axis 1 of 4',
    ],
    [
      'after channels that come first',
      () => model((x) => [apply(bn(), apply(conv({ dataFormat: 'channelsFirst' }), x))]),
      'expected conv to have its channels last, got channelsFirst',
    ],
  ])('%s', async (_, make, message) => {
    const name = message.includes('some in times') ? 'times' : 'bn';
    await expect(fold(make())).rejects.toMatchObject({
      message: `Cannot fold ${name}: ${message}`,
      hint: message.includes('last axis') ? (expect.stringContaining('channels last') as string) : HINT,
    });
  });

  it('and so are weights that would not be finite', async () => {
    const small = tf.sequential({ layers: [layers.dense({ name: 'd', units: 1, inputShape: [1] }), bn()] });
    small.layers[1]?.setWeights([1, 0, 0, NaN].map((value) => tf.tensor1d([value])));
    await expect(fold(small)).rejects.toThrow(
      'Cannot fold batch normalization into d: expected weights and statistics that give finite ones, got NaN',
    );
  });

  it('and a layer whose config does not make it again', async () => {
    const separable = { name: 's', filters: 2, kernelSize: 2, depthMultiplier: 2, inputShape: [4, 4, 3] };
    const own = tf.sequential({ layers: [layers.separableConv2d(separable), bn()] });
    await expect(fold(own)).rejects.toMatchObject({
      message:
        'Cannot copy the layer s: expected its config to give it weights of shape [2, 2, 3, 2], got [2, 2, 3, 1]',
      hint: 'its getConfig() leaves an option out, as that of separableConv2d leaves out depthMultiplier',
    });
  });
});

describe('folding', () => {
  it('takes in each of a shared layer’s calls once, and batch normalization after dropout', async () => {
    for (const name of ['siamese', 'uNet'] as const) {
      const model = modelOf(name);
      expect((await fold(model)).layers.length).toBe(model.layers.length - normalizersOf(model).length);
    }
  });

  it('keeps weights as they are though a constraint would change them', async () => {
    const constrained = (units: number) =>
      layers.dense({ units, inputShape: [3], kernelConstraint: tf.constraints.unitNorm({ axis: 0 }) });
    const model = tf.sequential({ layers: [constrained(3), new BatchNorm(), constrained(3)] });
    for (const weight of model.weights) {
      const value = tf.randomUniform(weight.shape as number[], 1, 2, 'float32', 3);
      (weight.read() as tf.Variable).assign(value);
    }
    expect(shareOf(model, await fold(model))).toBeLessThanOrEqual(1);
  });

  it('leaves a model without batch normalization as it is', async () => {
    const model = tf.sequential({ layers: [layers.dense({ units: 2, inputShape: [3], activation: 'relu' })] });
    const folded = await fold(model);
    expect(folded.getWeights().map((weight) => weight.dataSync())).toEqual(
      model.getWeights().map((weight) => weight.dataSync()),
    );
    expect(folded).not.toBe(model);
  });

  it('leaks nothing', async () => {
    const model = modelOf('mobileNet');
    const before = tf.memory().numTensors;
    (await fold(model)).dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

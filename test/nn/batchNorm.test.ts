import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { lenet } from '../../src/nn/lenet.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { reference, referenceGradient, type Vectors } from '../../src/verify/reference.js';

const SHAPES = [
  [5, 3],
  [2, 1],
  [5, 4, 3],
  [4, 3, 2, 3],
  [2, 1, 1, 4],
  [3, 5, 4, 1],
  [16, 8, 8, 6],
  [4, 2, 3, 2, 3],
];

function random(size: number, mean = 0, deviation = 1): number[] {
  return [...tf.randomNormal([size], mean, deviation, 'float32', 7 + size).dataSync()];
}

function vectorsFor(channels: number): Vectors {
  return {
    gamma: random(channels, 1, 0.5),
    beta: random(channels, 0, 0.5),
    movingMean: random(channels),
    movingVariance: random(channels).map((value) => value * value + 0.1),
  };
}

function apply(x: tf.Tensor, { gamma, beta, movingMean, movingVariance }: Vectors, training: boolean) {
  const vectors = [gamma, beta, movingMean, movingVariance].map((values) => tf.tensor1d(values));
  return batchNorm(x, ...(vectors as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]), {
    training,
    epsilon: 1e-5,
    momentum: 0.9,
  });
}

/** The largest |a − b| relative to the largest |b|, at least 1. */
function worst(got: tf.Tensor | Float32Array, expected: number[]): number {
  const values = got instanceof tf.Tensor ? got.dataSync() : got;
  const scale = Math.max(1, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs((values[i] ?? NaN) - value))) / scale;
}

// float32 keeps 24 bits: 6e-8 an operation, and about ten operations and two short sums stand between input and output.
const TOLERANCE = 2e-6;

describe.each(SHAPES.map((shape) => ({ shape })))('batchNorm of shape $shape', ({ shape }) => {
  const channels = shape.at(-1) ?? 0;
  const size = shape.reduce((product, length) => product * length, 1);
  const vectors = vectorsFor(channels);
  const input = random(size, 0.5, 2);

  it.each([true, false])('agrees with a float64 reference, training %s', (training) => {
    const x = tf.tensor(input, shape);
    const expected = reference([...x.dataSync()], channels, vectors, { training, epsilon: 1e-5, momentum: 0.9 });
    const got = apply(x, vectors, training);
    expect(got.y.shape).toEqual(shape);
    // A channel whose few values lie close together divides by a small deviation, which magnifies float32's rounding.
    expect(worst(got.y, expected.y)).toBeLessThan(shape[0] === 2 ? 2e-5 : TOLERANCE);
    expect(worst(got.movingMean, expected.movingMean)).toBeLessThan(TOLERANCE);
    expect(worst(got.movingVariance, expected.movingVariance)).toBeLessThan(TOLERANCE);
  });

  it('has the gradient that the chain rule gives in float64', () => {
    const weights = random(size, 0, 1);
    const dy = tf.tensor(weights, shape);
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
      const moving = [tf.zeros([channels]), tf.ones([channels])] as const;
      return batchNorm(x, gamma, beta, ...moving, { training: true })
        .y.mul(dy)
        .sum<tf.Scalar>();
    };
    const inputs = [tf.tensor(input, shape), tf.tensor1d(vectors.gamma), tf.tensor1d(vectors.beta)];
    const gradients = tf.grads(f)(inputs);
    const expected = referenceGradient(input, channels, vectors, weights, { training: true, epsilon: 1e-5 });
    const tolerance = shape[0] === 2 ? 1e-3 : 2e-5;
    expect(worst(gradients[0] as tf.Tensor, expected.x)).toBeLessThan(tolerance);
    expect(worst(gradients[1] as tf.Tensor, expected.gamma)).toBeLessThan(tolerance);
    expect(worst(gradients[2] as tf.Tensor, expected.beta)).toBeLessThan(tolerance);
  });
});

describe('the float64 gradient of the tests', () => {
  it('agrees with finite differences', () => {
    const vectors = vectorsFor(3);
    const x = random(15, 0.5, 2);
    const dy = random(15);
    const loss = (values: number[]) =>
      reference(values, 3, vectors, { training: true, epsilon: 1e-5, momentum: 0.9 }).y.reduce(
        (sum, y, i) => sum + y * (dy[i] ?? 0),
        0,
      );
    const gradient = referenceGradient(x, 3, vectors, dy, { training: true, epsilon: 1e-5 }).x;
    const h = 1e-5;
    for (const i of x.keys()) {
      const moved = (by: number) => loss(x.map((value, j) => (j === i ? value + by : value)));
      expect((moved(h) - moved(-h)) / (2 * h)).toBeCloseTo(gradient[i] ?? NaN, 7);
    }
  });
});

describe('batchNorm', () => {
  it.each([
    { mean: 1e4, deviation: 0.1 },
    { mean: 1e6, deviation: 1 },
  ])('keeps the variance of data with mean $mean and deviation $deviation', ({ mean, deviation }) => {
    const x = tf.randomNormal([64, 12, 12, 6], mean, deviation, 'float32', 3);
    const vectors = vectorsFor(6);
    const expected = reference([...x.dataSync()], 6, vectors, { training: true, epsilon: 1e-5, momentum: 0 });
    const got = batchNorm(x, tf.tensor1d(vectors.gamma), tf.tensor1d(vectors.beta), tf.zeros([6]), tf.zeros([6]), {
      training: true,
      momentum: 0,
    });
    expect(worst(got.y, expected.y)).toBeLessThan(1e-4);
    expect(worst(got.movingVariance.div(tf.tensor1d(expected.movingVariance)), Array<number>(6).fill(1))).toBeLessThan(
      1e-4,
    );
  });

  it('gives β for constant channels', () => {
    const { y } = apply(
      tf.fill([4, 3, 3, 2], 1e6),
      { gamma: [2, 3], beta: [0.5, -1], movingMean: [0, 0], movingVariance: [1, 1] },
      true,
    );
    expect(
      worst(
        y,
        Array.from({ length: 72 }, (_, i) => (i % 2 ? -1 : 0.5)),
      ),
    ).toBeLessThan(TOLERANCE);
  });

  it('makes training and inference agree with momentum 0', () => {
    const x = tf.randomNormal([8, 5, 5, 3], 2, 3, 'float32', 5);
    const [gamma, beta] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([0, 1, -1])];
    const trained = batchNorm(x, gamma, beta, tf.zeros([3]), tf.ones([3]), { training: true, momentum: 0 });
    const inferred = batchNorm(x, gamma, beta, trained.movingMean, trained.movingVariance, { training: false });
    expect(worst(inferred.y, [...trained.y.dataSync()])).toBeLessThan(TOLERANCE);
  });

  it('returns the moving statistics unchanged in inference', () => {
    const [mean, variance] = [tf.tensor1d([1]), tf.tensor1d([2])];
    const result = batchNorm(tf.ones([1, 1]), tf.ones([1]), tf.ones([1]), mean, variance, { training: false });
    expect([result.movingMean, result.movingVariance]).toEqual([mean, variance]);
  });

  const v = (n: number) => tf.ones([n]);
  it.each([
    {
      name: 'rank 1',
      run: () => batchNorm(tf.ones([2]), v(2), v(2), v(2), v(2), { training: true }),
      message:
        'Cannot batch-normalize: expected x of shape [batch, …, channels], of rank 2 or more, got rank 1, shape [2]',
    },
    {
      name: 'a gamma of another length',
      run: () => batchNorm(tf.ones([2, 2]), v(3), v(2), v(2), v(2), { training: true }),
      message: 'Cannot batch-normalize: expected gamma of shape [2], one value per channel of x, got [3]',
    },
    {
      name: 'a moving variance of another length',
      run: () => batchNorm(tf.ones([2, 2]), v(2), v(2), v(2), v(1), { training: false }),
      message: 'Cannot batch-normalize: expected movingVariance of shape [2], one value per channel of x, got [1]',
    },
    {
      name: 'one value per channel',
      run: () => batchNorm(tf.ones([1, 1, 1, 2]), v(2), v(2), v(2), v(2), { training: true }),
      message:
        'Cannot batch-normalize in training: expected at least 2 values per channel, as one value has no variance, got x of shape [1, 1, 1, 2]',
    },
    {
      name: 'epsilon 0',
      run: () => batchNorm(tf.ones([2, 2]), v(2), v(2), v(2), v(2), { training: true, epsilon: 0 }),
      message: 'Cannot batch-normalize: expected an epsilon greater than 0, got 0',
    },
    {
      name: 'momentum 1.5',
      run: () => batchNorm(tf.ones([2, 2]), v(2), v(2), v(2), v(2), { training: true, momentum: 1.5 }),
      message: 'Cannot batch-normalize: expected a momentum from 0 to 1, got 1.5',
    },
    {
      name: 'a layer with momentum -1',
      run: () => new BatchNorm({ momentum: -1 }),
      message: 'Cannot batch-normalize: expected a momentum from 0 to 1, got -1',
    },
  ])('refuses $name', ({ run, message }) => {
    expect(run).toThrow(message);
  });
});

describe('BatchNorm', () => {
  const model = (config: ConstructorParameters<typeof BatchNorm>[0]) =>
    tf.sequential({
      layers: [
        tf.layers.dense({ units: 3, inputShape: [4], kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
        new BatchNorm(config),
        tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
      ],
    });
  const x = tf.randomNormal<tf.Rank.R2>([16, 4], 1, 2, 'float32', 9);
  const step = (m: tf.Sequential, optimizer: tf.Optimizer) =>
    optimizer.minimize(
      () => (m.apply(x, { training: true }) as tf.Tensor).sub(x.sum(1, true)).square().mean<tf.Scalar>(),
      false,
      m.trainableWeights.map((weight) => weight.read() as tf.Variable),
    );

  it.each([
    { config: { scale: false }, weights: ['beta', 'moving_mean', 'moving_variance'] },
    { config: { center: false }, weights: ['gamma', 'moving_mean', 'moving_variance'] },
    { config: {}, weights: ['gamma', 'beta', 'moving_mean', 'moving_variance'] },
  ])('trains with $config', ({ config, weights }) => {
    const m = model(config);
    const layer = m.layers[1] as BatchNorm;
    const before = layer.getWeights().map((weight) => weight.dataSync());
    step(m, tf.train.sgd(0.1));
    expect(layer.weights.map((weight) => weight.originalName.split('/').at(-1))).toEqual(weights);
    layer.getWeights().forEach((weight, i) => expect(weight.dataSync()).not.toEqual(before[i]));
  });

  it('is frozen by trainable: false: inference statistics in training, no weight moves', () => {
    const m = model({ trainable: false });
    const layer = m.layers[1] as BatchNorm;
    const before = layer.getWeights().map((weight) => weight.dataSync());
    const kernel = (m.layers[0] as tf.layers.Layer).getWeights()[0]?.dataSync();
    expect((m.apply(x, { training: true }) as tf.Tensor).dataSync()).toEqual((m.apply(x) as tf.Tensor).dataSync());
    step(m, tf.train.sgd(0.1));
    expect(layer.getWeights().map((weight) => weight.dataSync())).toEqual(before);
    expect((m.layers[0] as tf.layers.Layer).getWeights()[0]?.dataSync()).not.toEqual(kernel);
  });

  it('comes back from tfjs save and load with its statistics', async () => {
    const m = model({ momentum: 0.7, epsilon: 1e-3 });
    step(m, tf.train.sgd(0.1));
    let saved: tf.io.ModelArtifacts | undefined;
    await m.save(
      tf.io.withSaveHandler(
        (artifacts) => (
          (saved = artifacts),
          Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } })
        ),
      ),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
    expect((loaded.layers[1] as BatchNorm).getConfig()).toMatchObject({
      momentum: 0.7,
      epsilon: 1e-3,
      center: true,
      scale: true,
    });
    expect((loaded.predict(x) as tf.Tensor).dataSync()).toEqual((m.predict(x) as tf.Tensor).dataSync());
  });

  it('leaks no tensor over a thousand steps', () => {
    const m = model({});
    const optimizer = tf.train.sgd(0.001);
    step(m, optimizer);
    const before = tf.memory().numTensors;
    for (let i = 0; i < 1000; i++) step(m, optimizer);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('lenet', () => {
  it.each([
    { norm: 'scratch' as const, parameters: 44_878, layers: 16 },
    { norm: 'builtin' as const, parameters: 44_878, layers: 16 },
    { norm: 'none' as const, parameters: 44_426, layers: 12 },
  ])('has the recipe’s layers with norm $norm', ({ norm, parameters, layers }) => {
    const model = lenet({ norm, seed: 1 });
    const trainable = model.trainableWeights.reduce((sum, weight) => sum + weight.read().size, 0);
    expect({ trainable, layers: model.layers.length }).toEqual({ trainable: parameters, layers });
    expect((model.predict(tf.zeros([2, 28, 28, 1])) as tf.Tensor).shape).toEqual([2, 10]);
  });

  it('takes images of another size and other classes', () => {
    const model = lenet({ norm: 'scratch', seed: 1, classes: 26, height: 16, width: 40 });
    expect((model.predict(tf.zeros([3, 16, 40, 1])) as tf.Tensor).shape).toEqual([3, 26]);
  });

  it.each([
    { config: { norm: 'foo' as 'none' }, message: 'one of the norms scratch, builtin, none, got "foo"' },
    { config: { classes: 1 }, message: 'classes to be a whole number from 2, got 1' },
    { config: { height: 15 }, message: 'height to be a whole number from 16, got 15' },
    { config: { seed: NaN }, message: 'seed to be a whole number from 0, got NaN' },
    { config: { sead: 1 }, message: 'an option that it has, got "sead"' },
    { config: { width: 28.5 }, message: 'width to be a whole number from 16, got 28.5' },
  ])('refuses $config', ({ config, message }) => {
    const size = 'LeNet takes images from 16×16, in 2 classes or more';
    const hint = 'sead' in config ? 'did you mean seed?' : /norm|seed/.test(message) ? undefined : size;
    expect(() => lenet({ norm: 'scratch', ...config })).toThrow(
      expect.objectContaining({ message: `Cannot build LeNet: expected ${message}`, hint }) as Error,
    );
  });

  it('refuses hyperparameters that no batch normalization has, whichever norm', () => {
    expect(() => lenet({ norm: 'builtin', momentum: 2 })).toThrow('a momentum from 0 to 1, got 2');
  });

  it('has weights that the seed decides, the same for every norm', () => {
    const kernels = (norm: 'scratch' | 'builtin' | 'none', seed: number) =>
      lenet({ norm, seed })
        .trainableWeights.filter((w) => w.originalName.endsWith('kernel'))
        .map((w) => w.read().dataSync());
    expect(kernels('scratch', 5)).toEqual(kernels('none', 5));
    expect(kernels('scratch', 5)).toEqual(kernels('builtin', 5));
    expect(kernels('scratch', 5)).not.toEqual(kernels('scratch', 6));
  });
});

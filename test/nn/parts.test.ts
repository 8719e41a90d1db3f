import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { random } from '../../src/graph/index.js';
import { lenet } from '../../src/nn/lenet.js';
import { mlp, type MlpConfig } from '../../src/nn/mlp.js';
import { MovingNoise } from '../../src/nn/noise.js';
import { compileStep } from '../support/compiled.js';

const base: MlpConfig = { depth: 3, width: 8, activation: 'sigmoid', norm: 'none', seed: 1 };
const classes = (model: tf.Sequential) => model.layers.map((layer) => layer.getClassName());
const kernels = (model: tf.Sequential) =>
  model.layers
    .filter((layer) => layer.getClassName() === 'Dense')
    .map((layer) => [...(layer.getWeights()[0] as tf.Tensor).dataSync()]);
const variance = (values: number[]) => values.reduce((sum, value) => sum + value * value, 0) / values.length;

describe('a deep stack', () => {
  it('is dense, norm and activation, as often as it is deep, and a dense layer', () => {
    const one = (norm: string[]) => ['Dense', ...norm, 'Activation'];
    const whole = (norm: string[]) => ['Reshape', ...one(norm), ...one(norm), ...one(norm), 'Dense'];
    expect(classes(mlp(base))).toEqual(whole([]));
    expect(classes(mlp({ ...base, norm: 'scratch' }))).toEqual(whole(['BatchNorm']));
    expect(classes(mlp({ ...base, norm: 'builtin' }))).toEqual(whole(['BatchNormalization']));
    const output = mlp({ ...base, classes: 4, inputShape: [6] }).apply(tf.ones([2, 6])) as tf.Tensor;
    expect(output.shape).toEqual([2, 4]);
  });

  it('has the kernels of its seed, whatever the norm, and other ones in each layer and for each seed', () => {
    const own = kernels(mlp(base));
    expect(kernels(mlp({ ...base, norm: 'scratch' }))).toEqual(own);
    expect(kernels(mlp({ ...base, seed: 2 }))).not.toEqual(own);
    expect(own[1]).not.toEqual(own[2]);
  });

  it.each([
    // The variance of Glorot & Bengio is 2 / (in + out), that of He et al. 2 / in.
    { activation: 'sigmoid', expected: 2 / (300 + 300) },
    { activation: 'relu', expected: 2 / 300 },
  ] as const)('keeps the variance of what passes: $activation', ({ activation, expected }) => {
    const [, second] = kernels(mlp({ ...base, width: 300, depth: 2, activation }));
    expect(variance(second ?? []) / expected).toBeCloseTo(1, 1);
  });

  it.each([
    [{ depth: 0 }, 'expected depth to be a whole number from 1 to 999, got 0'],
    [{ depth: 1000 }, 'expected depth to be a whole number from 1 to 999, got 1000'],
    [{ width: 1.5 }, 'expected width to be a whole number from 1, got 1.5'],
    [{ classes: 1 }, 'expected classes to be a whole number from 2, got 1'],
    [{ activation: 'tanh' }, 'expected one of the activations sigmoid, relu, got "tanh"'],
    [{ activation: 'toString' }, 'expected one of the activations sigmoid, relu, got "toString"'],
    [{ norm: 'group' }, 'expected one of the norms scratch, builtin, none, got "group"'],
    [{ seed: -1 }, 'expected seed to be a whole number from 0, got -1'],
    [{ depht: 2 }, 'expected an option that it has, got "depht"'],
  ])('is refused with %j', (more, message) => {
    expect(() => mlp({ ...base, ...more } as MlpConfig)).toThrow(`Cannot build an MLP: ${message}`);
  });
});

describe('LeNet', () => {
  it('takes layers of any kind where its norms stand', () => {
    const asked: number[][] = [];
    const model = lenet({
      norm: (channels, rank) => {
        asked.push([channels, rank]);
        return [tf.layers.dropout({ rate: 0.5 })];
      },
    });
    expect(asked).toEqual([
      [6, 4],
      [16, 4],
      [120, 2],
      [84, 2],
    ]);
    expect(classes(model).filter((name) => name === 'Dropout')).toHaveLength(4);
  });
});

describe('noise that moves', () => {
  const draw = (layer: MovingNoise, x: tf.Tensor, training = true) =>
    tf.tidy(() => [...(layer.apply(x, { training }) as tf.Tensor).dataSync()]);

  it('is none in inference', () => {
    const x = tf.randomNormal([3, 4], 0, 1, 'float32', 1);
    expect(draw(new MovingNoise(random.generator(1)), x, false)).toEqual([...x.dataSync()]);
  });

  it('shifts and scales each channel anew at every step, by the constants', () => {
    const [steps, rows] = [200, 400];
    const layer = new MovingNoise(random.generator(7));
    const channels = (value: number) =>
      Array.from({ length: steps }, () => {
        const values = draw(layer, tf.fill([rows, 1], value));
        const mean = values.reduce((sum, one) => sum + one, 0) / rows;
        return { mean, deviation: Math.sqrt(variance(values.map((one) => one - mean))) };
      });
    // Of zeros the shift is left: means over (−0.5, 0.5), deviations within a step of 0.1 / √3.
    const shifts = channels(0);
    const means = shifts.map(({ mean }) => mean);
    expect(Math.sqrt(variance(means))).toBeCloseTo(1 / Math.sqrt(12), 1);
    expect(Math.max(...means.map(Math.abs))).toBeLessThan(0.52);
    for (const { deviation } of shifts) expect(deviation).toBeCloseTo(0.1 / Math.sqrt(3), 1);
    // Of large numbers the scale: from 1 to 1.25, with a deviation of 0.1.
    const scales = channels(1e4).map(({ mean, deviation }) => ({ mean: mean / 1e4, deviation: deviation / 1e4 }));
    expect(Math.min(...scales.map(({ mean }) => mean))).toBeGreaterThan(0.97);
    expect(Math.max(...scales.map(({ mean }) => mean))).toBeLessThan(1.28);
    expect(scales.reduce((sum, { deviation }) => sum + deviation, 0) / steps).toBeCloseTo(0.1, 2);
  });

  it('is shared by all positions of a channel of an example, and by no other', () => {
    const noisy = tf.tensor(draw(new MovingNoise(random.generator(3)), tf.zeros([2, 3, 3, 2])), [2, 9, 2]);
    const [first, ...others] = tf.unstack(noisy, 1).map((tensor) => [...tensor.dataSync()]);
    for (const other of others) expect(other).toEqual(first);
    expect(new Set(first).size).toBe(4);
  });

  it('is the same compiled as op by op, step after step', async () => {
    const x = tf.randomNormal([4, 3], 0, 1, 'float32', 2);
    const [eager, generator] = [new MovingNoise(random.generator(5)), random.generator(5)];
    const layer = new MovingNoise(generator);
    const step = (given: tf.Tensor) => [layer.apply(given, { training: true }) as tf.Tensor];
    const compiled = await compileStep(step, { inputs: [x], variables: [generator] });
    const runs = [1, 2].map(() => [...((compiled.run(x)[0] as tf.Tensor).dataSync() as Float32Array)]);
    // Fused multiplications round once less.
    for (const run of runs) for (const [i, value] of draw(eager, x).entries()) expect(run[i]).toBeCloseTo(value, 5);
    expect(runs[0]).not.toEqual(runs[1]);
    compiled.dispose();
  });
});

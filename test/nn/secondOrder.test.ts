import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { nativeBackend } from '../../src/graph/binding.js';
import { minimize } from '../../src/graph/optimizer.js';
import { record } from '../../src/graph/record/record.js';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { lenet, type Norm } from '../../src/nn/lenet.js';
import { openBackend } from '../../src/runtime/open.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { random } from '../../src/verify/cases.js';
import { reference, referenceGradient } from '../../src/verify/reference.js';
import { compileStep } from '../support/compiled.js';

const EPSILON = 1e-3;
const SHAPES = [
  [6, 3],
  [3, 4, 2],
  [4, 3, 2, 3],
  [6, 1, 1, 2],
  [2, 3, 2, 2, 2],
];

interface Example {
  shape: number[];
  channels: number;
  /** x, γ and β. */
  inputs: [number[], number[], number[]];
  moving: { movingMean: number[]; movingVariance: number[] };
  weights: number[];
}

function exampleOf(shape: number[]): Example {
  const size = shape.reduce((product, length) => product * length, 1);
  const channels = shape.at(-1) ?? 0;
  return {
    shape,
    channels,
    inputs: [random(size, 0.5, 1, 11), random(channels, 1, 0.5, 12), random(channels, 0, 0.5, 13)],
    moving: {
      movingMean: random(channels, 0, 1, 14),
      movingVariance: random(channels, 0, 1, 15).map((z) => Math.fround(z * z + 0.5)),
    },
    weights: random(size, 0.5, 1, 16),
  };
}

type Normalize = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => tf.Tensor;

function ours({ moving: { movingMean, movingVariance } }: Example, training: boolean): Normalize {
  return (x, gamma, beta) =>
    batchNorm(x, gamma, beta, tf.tensor1d(movingMean), tf.tensor1d(movingVariance), { training, epsilon: EPSILON }).y;
}

/** By tfjs's own ops, which are differentiated one by one. */
function stock({ moving: { movingMean, movingVariance } }: Example, training: boolean): Normalize {
  return (x, gamma, beta) => {
    const batch = tf.moments(
      x,
      x.shape.slice(0, -1).map((_, axis) => axis),
    );
    const [mean, variance] = training
      ? [batch.mean, batch.variance]
      : [tf.tensor1d(movingMean), tf.tensor1d(movingVariance)];
    return tf.batchNorm(
      x as tf.Tensor2D,
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      beta as tf.Tensor1D,
      gamma as tf.Tensor1D,
      EPSILON,
    );
  };
}

/** Σ ∂x² + Σ ∂γ² + Σ ∂β² of Σ w·y³, whose second derivative does not vanish anywhere. */
function penalty(normalize: Normalize, weights: tf.Tensor): (...inputs: tf.Tensor[]) => tf.Scalar {
  const loss = (...inputs: tf.Tensor[]) =>
    normalize(...(inputs as Parameters<Normalize>))
      .pow(3)
      .mul(weights)
      .sum<tf.Scalar>();
  return (...inputs) =>
    tf.addN(
      tf
        .grads(loss)(inputs)
        .map((gradient) => gradient.square().sum<tf.Scalar>()),
    );
}

function given({ shape, inputs: [x, gamma, beta] }: Example): [tf.Tensor, tf.Tensor, tf.Tensor] {
  return [tf.tensor(x, shape), tf.tensor1d(gamma), tf.tensor1d(beta)];
}

function gradients(normalize: Normalize, example: Example): Float32Array[] {
  const { shape, weights } = example;
  return tf.tidy(() => {
    const of = penalty(normalize, tf.tensor(weights, shape));
    return tf
      .grads(of)(given(example))
      .map((gradient) => gradient.dataSync<'float32'>());
  });
}

/** The same penalty in float64, from the paper's formulas. */
function penaltyInFloat64(
  { channels, moving, weights }: Example,
  training: boolean,
  inputs: Example['inputs'],
): number {
  const [x, gamma, beta] = inputs;
  const mode = { training, epsilon: EPSILON, momentum: 0.9 };
  const { y } = reference(x, channels, { gamma, beta, ...moving }, mode);
  const dy = y.map((value, i) => 3 * value ** 2 * (weights[i] ?? NaN));
  const gradient = referenceGradient(x, channels, { gamma, ...moving }, dy, mode);
  return [...gradient.x, ...gradient.gamma, ...gradient.beta].reduce((sum, value) => sum + value ** 2, 0);
}

function finiteDifferences(example: Example, training: boolean): number[][] {
  const h = 1e-5;
  return example.inputs.map((values, which) =>
    values.map((value, i) => {
      const moved = (by: number) => {
        const inputs = example.inputs.map((original) => [...original]) as Example['inputs'];
        inputs[which as 0][i] = value + by;
        return penaltyInFloat64(example, training, inputs);
      };
      return (moved(h) - moved(-h)) / (2 * h);
    }),
  );
}

/** Each list's largest |a − b|, relative to the largest |b|. */
function worst(got: ArrayLike<number>[], expected: ArrayLike<number>[]): number {
  const errors = expected.map((list, which) => {
    const scale = Math.max(...Array.from(list, Math.abs));
    return Math.max(...Array.from(list, (value, i) => Math.abs((got[which]?.[i] ?? NaN) - value))) / scale;
  });
  return Math.max(...errors);
}

// float32 keeps 6e-8; a second derivative sums terms of either sign, some hundred times as large as what is left of them.
const TOLERANCE = 1e-4;

describe.each(['native', 'wasm', 'js'] as const)('gradients of gradients on %s', (name) => {
  beforeAll(() => openBackend(name));

  describe.each([true, false])('training %s', (training) => {
    it.each(SHAPES.map((shape) => ({ shape })))('are those of finite differences for $shape', ({ shape }) => {
      const example = exampleOf(shape);
      const got = gradients(ours(example, training), example);
      expect(worst(got, finiteDifferences(example, training))).toBeLessThan(TOLERANCE);
    });

    // The ranks that tf.batchNorm takes and differentiates twice.
    it.each(SHAPES.filter(({ length }) => length < 5).map((shape) => ({ shape })))(
      'are those of tf.moments and tf.batchNorm for $shape',
      ({ shape }) => {
        const example = exampleOf(shape);
        const got = gradients(ours(example, training), example);
        expect(worst(got, gradients(stock(example, training), example))).toBeLessThan(TOLERANCE);
      },
    );
  });
});

describe('on the native backend', () => {
  beforeAll(() => openBackend('native'));

  const native = () => {
    const backend = nativeBackend();
    if (!backend) throw new Error('expected the native backend');
    return backend;
  };

  it.each(SHAPES.flatMap((shape) => [true, false].map((training) => ({ shape, training }))))(
    'gradients of gradients are the same compiled, for $shape, training $training',
    async ({ shape, training }) => {
      const example = exampleOf(shape);
      const { channels, weights } = example;
      const step = await compileStep(
        (...inputs) => tf.grads(penalty(ours(example, training), tf.tensor(weights, shape)))(inputs),
        { inputs: [shape, [channels], [channels]].map((shape) => ({ shape, dtype: 'float32' })), variables: [] },
      );
      const got = tf.tidy(() => step.run(...given(example)).map((gradient) => gradient.dataSync<'float32'>()));
      step.dispose();
      expect(worst(got, finiteDifferences(example, training))).toBeLessThan(TOLERANCE);
    },
  );

  it('a model with a gradient penalty learns the same compiled as op by op, and the same as with tf.batchNorm', async () => {
    const critic = (normalization: tf.layers.Layer) =>
      tf.sequential({
        layers: [
          tf.layers.conv2d({
            filters: 3,
            kernelSize: 2,
            inputShape: [5, 5, 1],
            kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
          }),
          normalization,
          tf.layers.activation({ activation: 'tanh' }),
          tf.layers.flatten(),
          tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
        ],
      });
    const models = [
      critic(new BatchNorm()),
      critic(new BatchNorm()),
      critic(tf.layers.batchNormalization({ momentum: 0.9, epsilon: 1e-5 })),
    ] as const;
    const variablesOf = (model: tf.Sequential) => model.weights.map((weight) => weight.read() as tf.Variable);
    const stepOf = (model: tf.Sequential) => (x: tf.Tensor) => {
      const score = (x: tf.Tensor) => model.apply(x, { training: true }) as tf.Tensor;
      const loss = () => tf.grad(score)(x).square().sum([1, 2, 3]).sqrt().sub(1).square().mean<tf.Scalar>();
      const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
      return [minimize(tf.train.sgd(0.1), tf.scalar(0.1), loss, trainable)];
    };
    const shape = [8, 5, 5, 1];
    const options = { inputs: [{ shape, dtype: 'float32' as const }], variables: variablesOf(models[0]) };
    const step = await compileStep(stepOf(models[0]), options);
    const losses = Array.from({ length: 10 }, (_, i) =>
      tf.tidy(() => {
        const x = tf.tensor(random(200, 0, 1, 20 + i), shape);
        return [step.run(x), stepOf(models[1])(x), stepOf(models[2])(x)].map(([loss]) => loss?.dataSync()[0] ?? NaN);
      }),
    );
    step.read();
    step.dispose();
    for (const [compiled = NaN, eager = NaN, stock = NaN] of losses) {
      expect(compiled).toBeCloseTo(eager, 4);
      expect(stock).toBeCloseTo(eager, 4);
    }
    const [compiled, eager, stock] = models.map((model) => [model.getWeights().flatMap((w) => [...w.dataSync()])]);
    expect(worst(compiled ?? [], eager ?? [])).toBeLessThan(1e-3);
    expect(worst(stock ?? [], eager ?? [])).toBeLessThan(1e-3);
  });

  it('a second derivative takes no op for each position of an image', () => {
    const opsFor = (side: number) => {
      const example = exampleOf([2, side, side, 2]);
      const step = (x: tf.Tensor) => {
        const [, gamma, beta] = given(example);
        const normalize = (x: tf.Tensor) => ours(example, true)(x, gamma, beta).pow(3);
        return [tf.grad((x) => tf.grad(normalize)(x).square().sum())(x)];
      };
      return record(native(), step, [{ shape: example.shape, dtype: 'float32' }], []).nodes.length;
    };
    expect(opsFor(8)).toBe(opsFor(2));
  });

  it('a first derivative takes no op more for it: four layers in a training step of LeNet record 254', () => {
    const count = 256;
    const [images, labels] = [new Uint8Array(count * 28 * 28), new Uint8Array(count)];
    const data = new DeviceDataset({ count, height: 28, width: 28, images, labels });
    const opsOf = (norm: Norm) => {
      const model = lenet({ norm, seed: 1 });
      const variables = [...model.weights.map((weight) => weight.read() as tf.Variable), ...data.variables];
      const inputs = [{ shape: [count], dtype: 'int32' } as const, { shape: [], dtype: 'float32' } as const];
      return record(native(), trainingStep(model, data), inputs, variables).nodes.length;
    };
    expect(opsOf('scratch') - opsOf('none')).toBeLessThanOrEqual(254);
    data.dispose();
  });
});

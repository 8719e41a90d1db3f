import '../support/native.js';
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { GroupNorm } from '../../src/nn/groupLayer.js';
import { groupNorm } from '../../src/nn/groupNorm.js';

/** A Python with PyTorch; in CI there must be one. */
const python = process.env['BN_TRAIN_PYTORCH'];

interface Case {
  shape: number[];
  groups: number;
  x: number[];
  gamma: number[];
  beta: number[];
  dy: number[];
}

const random = (size: number, seed: number, mean = 0, deviation = 1) => [
  ...tf.randomNormal([size], mean, deviation, 'float32', seed).dataSync(),
];
const CASES = [
  { shape: [3, 6], groups: 1 },
  { shape: [3, 6], groups: 3 },
  { shape: [2, 5, 4], groups: 2 },
  { shape: [2, 4, 3, 6], groups: 2 },
  { shape: [1, 3, 3, 4], groups: 4 },
].map(({ shape, groups }): Case => {
  const size = shape.reduce((product, one) => product * one, 1);
  const channels = shape.at(-1) ?? 0;
  const vectors = { gamma: random(channels, 2, 1, 0.5), beta: random(channels, 3) };
  return { shape, groups, x: random(size, 1, 2, 3), ...vectors, dy: random(size, 4) };
});

/** The definition in float64, one example and group after the other. */
function reference({ shape, groups, x, gamma, beta }: Case, epsilon = 1e-5): number[] {
  const channels = shape.at(-1) ?? 0;
  const [each, per] = [x.length / (shape[0] ?? 1), channels / groups];
  const groupOf = (i: number) => Math.floor(i / each) * groups + Math.floor((i % channels) / per);
  return x.map((value, i) => {
    const members = x.filter((_, j) => groupOf(j) === groupOf(i));
    const mean = members.reduce((sum, one) => sum + one, 0) / members.length;
    const variance = members.reduce((sum, one) => sum + (one - mean) ** 2, 0) / members.length;
    const c = i % channels;
    return ((value - mean) / Math.sqrt(variance + epsilon)) * (gamma[c] ?? NaN) + (beta[c] ?? NaN);
  });
}

function evaluate({ shape, groups, x, gamma, beta, dy }: Case) {
  const inputs = [tf.tensor(x, shape), tf.tensor1d(gamma), tf.tensor1d(beta)] as const;
  const f = (...[a, b, c]: tf.Tensor[]) =>
    groupNorm(a as tf.Tensor, b as tf.Tensor, c as tf.Tensor, { groups })
      .mul(tf.tensor(dy, shape))
      .sum<tf.Scalar>();
  const [dx, dGamma, dBeta] = tf
    .grads(f)([...inputs])
    .map((tensor) => [...tensor.dataSync()]);
  return { y: [...groupNorm(...inputs, { groups }).dataSync()], dx, dGamma, dBeta };
}

function worst(got: number[] = [], expected: number[] = []): number {
  const scale = Math.max(1, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs((got[i] ?? NaN) - value))) / scale;
}

// About ten operations of float32 between input and output.
const TOLERANCE = 5e-6;

describe.each(CASES.map((each) => ({ ...each, name: `[${each.shape.join(', ')}] in ${each.groups}` })))(
  'group normalization of $name',
  (example) => {
    it('is what the definition gives in float64', () => {
      expect(worst(evaluate(example).y, reference(example))).toBeLessThan(TOLERANCE);
    });

    it('has the gradient that finite differences of the definition give', () => {
      const { dx } = evaluate(example);
      const loss = (x: number[]) =>
        reference({ ...example, x }).reduce((sum, y, i) => sum + y * (example.dy[i] ?? 0), 0);
      const moved = (i: number, by: number) => loss(example.x.map((value, j) => (j === i ? value + by : value)));
      const expected = example.x.map((_, i) => (moved(i, 1e-4) - moved(i, -1e-4)) / 2e-4);
      // A group of two values that lie close together divides by a small deviation.
      expect(worst(dx, expected)).toBeLessThan(40 * TOLERANCE);
    });
  },
);

it('can be differentiated twice', () => {
  const { shape, groups, x, gamma, beta, dy } = CASES[3] as Case;
  const vectors = [tf.tensor1d(gamma), tf.tensor1d(beta)] as const;
  const first = (at: tf.Tensor) =>
    tf.grad((given: tf.Tensor) =>
      groupNorm(given, ...vectors, { groups })
        .square()
        .mul(tf.tensor(dy, shape))
        .sum(),
    )(at);
  const direction = tf.tensor(random(x.length, 8), shape);
  const at = tf.tensor(x, shape);
  const second = tf.grad((given: tf.Tensor) => first(given).mul(direction).sum())(at);
  const moved = (by: number) => first(at.add(direction.mul(by)));
  const expected = moved(1e-2).sub(moved(-1e-2)).div(2e-2);
  // Of float32 and of a finite difference, which the Hessian's symmetry makes the same product.
  expect(worst([...second.dataSync()], [...expected.dataSync()])).toBeLessThan(2e-3);
});

describe.runIf(python !== undefined || process.env['CI'] !== undefined)('PyTorch in float64', () => {
  it('gives the same outputs and gradients', () => {
    if (python === undefined)
      throw new Error('Cannot compare with PyTorch: expected BN_TRAIN_PYTORCH to name a Python, got nothing');
    const script = path.join(import.meta.dirname, 'group_norm.py');
    const output = execFileSync(python, [script], { input: JSON.stringify(CASES), encoding: 'utf8' });
    const answers = JSON.parse(output) as Record<'y' | 'dx' | 'dGamma' | 'dBeta', number[]>[];
    expect(answers).toHaveLength(CASES.length);
    for (const [i, answer] of answers.entries()) {
      const own = evaluate(CASES[i] as Case);
      for (const name of ['y', 'dx', 'dGamma', 'dBeta'] as const)
        expect(worst(own[name], answer[name]), `${name} of case ${i}`).toBeLessThan(10 * TOLERANCE);
    }
  });
});

describe('the layer GroupNorm', () => {
  const model = (layer: tf.layers.Layer) => tf.sequential({ layers: [layer] });

  it('gives the same alone and among others, in training and in inference', () => {
    const layer = new GroupNorm({ groups: 2, inputShape: [3, 3, 4] });
    const x = tf.randomNormal([5, 3, 3, 4], 1, 2, 'float32', 9);
    const whole = model(layer).apply(x, { training: true }) as tf.Tensor;
    const alone = layer.apply(x.slice([2], [1])) as tf.Tensor;
    expect(worst([...alone.dataSync()], [...whole.slice([2], [1]).dataSync()])).toBeLessThan(TOLERANCE);
  });

  it('is what tf.layers.layerNormalization is with one group', () => {
    const x = tf.randomNormal([4, 7], 3, 2, 'float32', 5);
    const stock = tf.layers.layerNormalization({ epsilon: 1e-5 }).apply(x) as tf.Tensor;
    const own = new GroupNorm({ groups: 1 }).apply(x) as tf.Tensor;
    expect(worst([...own.dataSync()], [...stock.dataSync()])).toBeLessThan(TOLERANCE);
  });

  it('goes through a saved model', async () => {
    const made = model(new GroupNorm({ groups: 2, epsilon: 1e-3, inputShape: [4] }));
    let artifacts: tf.io.ModelArtifacts = {};
    await made.save(
      tf.io.withSaveHandler((given) => {
        artifacts = given;
        return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
    expect(loaded.layers[0]?.getConfig()).toMatchObject({ groups: 2, epsilon: 1e-3 });
    const x = tf.randomNormal([3, 4], 0, 1, 'float32', 1);
    expect([...(loaded.apply(x) as tf.Tensor).dataSync()]).toEqual([...(made.apply(x) as tf.Tensor).dataSync()]);
  });
});

describe('what cannot be normalized in groups', () => {
  const x = tf.ones([2, 6]);
  const vector = tf.ones([6]);

  it.each([
    [
      () => groupNorm(x, vector, vector, { groups: 4 }),
      'expected a number of groups that divides the 6 channels, got 4',
    ],
    [() => groupNorm(x, vector, vector, { groups: 0 }), 'expected a whole number of groups, got 0'],
    [() => groupNorm(x, vector, vector, { groups: 1.5 }), 'expected a whole number of groups, got 1.5'],
    [() => groupNorm(x, vector, vector, { groups: 2, epsilon: 0 }), 'expected an epsilon greater than 0, got 0'],
    [() => groupNorm(vector, vector, vector, { groups: 2 }), 'expected x of shape [batch, …, channels], got [6]'],
    [
      () => groupNorm(x, tf.ones([3]), vector, { groups: 2 }),
      'expected gamma of shape [6], one value per channel of x, got [3]',
    ],
    [
      () => groupNorm(x, vector, tf.ones([1, 6]), { groups: 2 }),
      'expected beta of shape [6], one value per channel of x, got [1, 6]',
    ],
    [
      () => new GroupNorm({ groups: 2 }).apply(tf.ones([2, 5])),
      'expected a number of groups that divides the 5 channels, got 2',
    ],
    [() => new GroupNorm({ groups: 0 }), 'expected a whole number of groups, got 0'],
  ])('is refused: case %#', (action, message) => {
    expect(action).toThrow(`Cannot group-normalize: ${message}`);
  });

  it('nor is an option that the layer does not have', () => {
    expect(() => new GroupNorm({ groups: 2, eps: 1 } as unknown as { groups: number })).toThrow(
      'Cannot create a GroupNorm: expected an option that it has, got "eps"',
    );
  });
});

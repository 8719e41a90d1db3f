/** Models of the public examples, accelerated: they learn the same as with stock TensorFlow.js, and drop out as it does. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type Batch, type Example, EXAMPLES } from '../../bench/models/table.js';
import { accelerate } from '../../src/graph/accelerate/accelerate.js';
import { ALL } from '../support/amount.js';

/** Few rows, as what an architecture is made of does not depend on them. */
const ROWS = 16;
const STEPS = 10;

/**
 * Of a loss, or of 1: what ten steps may differ by where roundings die away, in units in the last place (1.2e-7) twenty; and
 * how many times what stock TensorFlow.js differs by from itself where they grow, as with optimizers that divide by a
 * gradient's size, when each weight is changed by a rounding.
 */
const [BOUND, TIMES] = [2.4e-6, 10];

/** Those that take no more than seconds in all. */
const QUICK = ['iris', 'Boston housing'];
const chosen = Object.entries(EXAMPLES).filter(([name]) => ALL || QUICK.includes(name));

/** Of each step the loss, and those of several outputs; no share that is right, which a rounding moves by an example. */
async function losses(model: tf.LayersModel, batches: readonly Batch[]): Promise<number[]> {
  const all: number[] = [];
  for (const { xs, ys } of batches) {
    const values = [await model.trainOnBatch(xs, ys)].flat();
    all.push(...values.filter((_, i) => !/acc/i.test(model.metricsNames[i] ?? '')));
  }
  return all;
}

const numbersOf = (weights: tf.Tensor[]) => weights.map((weight) => Array.from(weight.dataSync<'float32'>()));

/** Up or down by one unit in the last place, or not at all. */
function rounded(weight: tf.Tensor, seed: number): tf.Tensor {
  return tf.tidy(() => {
    const way = tf.randomUniform(weight.shape, -1.5, 1.5, 'float32', 1 + seed).round();
    return weight.add(weight.mul(way.mul(2 ** -23)));
  });
}

const apart = (got: readonly number[], wanted: readonly number[]) =>
  wanted.reduce(
    (most, value, i) => Math.max(most, Math.abs((got[i] ?? NaN) - value) / Math.max(1, Math.abs(value))),
    0,
  );

/** Kernels by seeds, as wide as Glorot's uniform ones; what is not drawn, such as biases, stays. */
function drawn(weights: readonly tf.Tensor[]): tf.Tensor[] {
  return weights.map((weight, i) => {
    if (weight.rank < 2) return weight;
    const [inputs = 1, outputs = 1] = weight.shape.slice(-2);
    const window = weight.size / (inputs * outputs);
    const limit = Math.sqrt(6 / (window * (inputs + outputs)));
    return tf.randomUniform(weight.shape, -limit, limit, 'float32', 1000 + i);
  });
}

describe('ten steps as stock, to rounding', () => {
  it.each(chosen)('%s', async (_, { build, data }: Example) => {
    const batches = Array.from({ length: STEPS }, (_, i) => data(ROWS, 100 * i));
    const [stock, fast, nudged] = [0, 1, 2].map(() => build({ dropout: false })) as [
      tf.LayersModel,
      tf.LayersModel,
      tf.LayersModel,
    ];
    const start = drawn(stock.getWeights());
    for (const model of [stock, fast]) model.setWeights(start);
    nudged.setWeights(start.map(rounded));
    const before = numbersOf(start);
    const acceleration = await accelerate(fast, { strict: true });
    const [wanted, moved, got] = [
      await losses(stock, batches),
      await losses(nudged, batches),
      await losses(fast, batches),
    ];
    expect(acceleration.compiled).toHaveLength(1);
    expect(got.length).toBe(wanted.length);
    expect(wanted.every(Number.isFinite)).toBe(true);
    expect(apart(got, wanted)).toBeLessThanOrEqual(Math.max(BOUND, TIMES * apart(moved, wanted)));
    const [ends, fastEnds, nudgedEnds] = [stock, fast, nudged].map((model) => numbersOf(model.getWeights()));
    for (const [i, end] of (ends ?? []).entries()) {
      expect(apart(fastEnds?.[i] ?? [], end)).toBeLessThanOrEqual(
        Math.max(BOUND, TIMES * apart(nudgedEnds?.[i] ?? [], end)),
      );
    }
    expect(fastEnds).not.toEqual(before);
    acceleration.release();
    for (const model of [stock, fast, nudged]) model.dispose();
    tf.dispose(batches.map(({ xs, ys }) => [xs, ys]));
  });
});

const DRAWS = 100;
/** Kolmogorov and Smirnov's distance of two samples of this size, which one in a million pairs of the same kind exceeds. */
const FARTHEST = 2.7 * Math.sqrt(2 / DRAWS);

/** How far two samples' distributions are apart. */
function distance(a: readonly number[], b: readonly number[]): number {
  const share = (of: readonly number[], most: number) => of.filter((value) => value <= most).length / of.length;
  return Math.max(...[...a, ...b].map((value) => Math.abs(share(a, value) - share(b, value))));
}

describe.runIf(ALL)('losses that dropout scatters as stock does, by fresh draws', () => {
  it.each(['mnist CNN', 'sentiment CNN', 'cifar CNN', 'ACGAN discriminator'])('%s', async (name) => {
    const { build, data } = EXAMPLES[name] as Example;
    const batch = data(4, 1);
    const [stock, fast] = [build(), build()];
    fast.setWeights(stock.getWeights());
    for (const model of [stock, fast])
      // Nothing is learned, so that all draws are alike.
      (model.optimizer as tf.Optimizer & { learningRate: number }).learningRate = 0;
    const acceleration = await accelerate(fast, { strict: true, seed: 1 });
    const same = Array.from({ length: DRAWS }, () => batch);
    const perStep = (all: number[]) => all.filter((_, i) => i % (all.length / DRAWS) === 0);
    const [wanted, got] = [perStep(await losses(stock, same)), perStep(await losses(fast, same))];
    expect(new Set(got).size).toBeGreaterThan(0.9 * DRAWS);
    expect(distance(got, wanted)).toBeLessThan(FARTHEST);
    // What the distance is worth: without dropout it is as far as can be.
    const plain = build({ dropout: false });
    plain.setWeights(stock.getWeights());
    const [loss = NaN] = [plain.evaluate(batch.xs, batch.ys, { batchSize: 4 })].flat();
    expect(
      distance(
        Array.from({ length: DRAWS }, () => (loss as tf.Scalar).dataSync()[0] ?? NaN),
        wanted,
      ),
    ).toBeGreaterThan(FARTHEST);
    acceleration.release();
  });
});

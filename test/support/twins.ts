/** Two models of the same weights, one accelerated and one as tfjs has it, and what both give when they are used alike. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { accelerate } from '../../src/graph/accelerate/accelerate.js';
import type { AccelerateOptions, Acceleration } from '../../src/graph/accelerate/accelerated.js';

/**
 * What may differ after ten steps or so, of the largest number in a tensor or of 1: the same kernels run both ways, so only
 * sums in another order and ops that were fused round differently, a hundred units in the last place (1.2e-7).
 */
const BOUND = 1.2e-5;

export type Seen = (number | string | readonly number[] | Float32Array)[];

/** Uses a model, and gives all that there was to be seen. */
export type Use = (model: tf.LayersModel) => Promise<Seen> | Seen;

const numbersOf = (one: Seen[number]) => (typeof one === 'object' ? Array.from(one) : [one]);

/** What is seen of an accelerated model is what is seen of another one that is not, and so are its weights afterwards. */
export async function expectAsStock(
  build: () => tf.LayersModel,
  use: Use,
  options: AccelerateOptions = {},
): Promise<Acceleration> {
  const [stock, fast] = [build(), build()];
  const acceleration = await accelerate(fast, { strict: true, fuse: false, ...options });
  const expected = [...(await use(stock)), ...weightsOf(stock)];
  const seen = [...(await use(fast)), ...weightsOf(fast)];
  expectClose(seen, expected);
  return acceleration;
}

export function expectClose(seen: Seen, expected: Seen): void {
  expect(seen.length).toBe(expected.length);
  for (const [i, one] of seen.entries()) {
    const [own, other] = [numbersOf(one), numbersOf(expected[i] ?? [])];
    expect(own.length).toBe(other.length);
    const numbers = other.filter((value) => typeof value === 'number');
    const scale = Math.max(1, ...numbers.map(Math.abs));
    for (const [j, value] of other.entries()) {
      if (typeof value === 'number') expect(Math.abs(value - Number(own[j])) / scale, `${i}, ${j}`).toBeLessThan(BOUND);
      else expect(own[j]).toBe(value);
    }
  }
}

export const weightsOf = (model: tf.LayersModel): Seen =>
  model.getWeights().map((weight) => weight.dataSync<'float32'>());

/** tfjs types it as an enum that it does not export. */
export const SILENT: { verbose?: never } = JSON.parse('{"verbose":0}') as object;

/** All numbers of a history, a name before each list. */
export const seenIn = ({ history, epoch }: tf.History): Seen => [
  epoch,
  ...Object.entries(history).flatMap(([name, values]) => [name, values as number[]]),
];

let seeds = 0;

/** Starts the initializers' seeds anew, so that two models have the same weights. */
export function seeded() {
  seeds = 0;
  return () => ({
    kernelInitializer: tf.initializers.glorotUniform({ seed: ++seeds }),
  });
}

export const normal = <R extends tf.Rank = tf.Rank>(shape: number[], seed: number): tf.Tensor<R> =>
  tf.randomNormal(shape as tf.ShapeMap[R], 0, 1, 'float32', seed);

/** Rows whose targets, one of three classes, follow from them. */
export function examples(rows: number, width = 6, seed = 1) {
  const x = normal<tf.Rank.R2>([rows, width], seed);
  const classes = tf.tidy(() => x.slice([0, 0], [rows, 3]).argMax(1).toFloat());
  return {
    x,
    classes: classes.expandDims<tf.Tensor2D>(1),
    oneHot: tf.oneHot(classes.toInt(), 3).toFloat() as tf.Tensor2D,
  };
}

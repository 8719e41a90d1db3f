/** A training run three ways: op by op, compiled and run by run, compiled and in one call; and how far they are apart. */
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { compileStep } from '../support/compiled.js';
import { optimizerVariables } from '../../src/graph/optimizer.js';
import type { StepFunction } from '../../src/graph/record/record.js';

const STEPS = 10;

/**
 * What ten steps may differ by, of the largest number in a tensor or of 1: the same kernels run both ways, so only sums in
 * another order and ops that were fused round differently, a hundred units in the last place (1.2e-7) after ten steps.
 */
const BOUND = 1.2e-5;

export interface Training {
  /** All that the step reads or assigns to. */
  variables: tf.Variable[];
  step: StepFunction;
  /** Those of the given step. */
  inputs: (step: number) => tf.Tensor[];
}

export const normal = <R extends tf.Rank = tf.Rank>(shape: number[], seed: number): tf.Tensor<R> =>
  tf.randomNormal(shape as tf.ShapeMap[R], 0, 1, 'float32', 1 + seed);

export const weightsOf = (model: { weights: tf.LayerVariable[] }): tf.Variable[] =>
  model.weights.map((weight) => weight.read() as tf.Variable);

export const trainableOf = (model: { trainableWeights: tf.LayerVariable[] }): tf.Variable[] =>
  model.trainableWeights.map((weight) => weight.read() as tf.Variable);

/** A step that minimizes `loss` over `trainable`, with all that the optimizer keeps. */
export function minimizing(
  loss: (...inputs: tf.Tensor[]) => tf.Scalar,
  {
    variables,
    trainable = variables,
    inputs,
    optimizer = tf.train.sgd(0.05),
  }: Omit<Training, 'step'> & { trainable?: tf.Variable[]; optimizer?: tf.Optimizer },
): Training {
  return {
    variables: [...variables, ...optimizerVariables(optimizer, trainable)],
    step: (...given) => [optimizer.minimize(() => loss(...given), true, trainable) as tf.Scalar],
    inputs,
  };
}

interface Values {
  outputs: number[][];
  variables: number[][];
}

const numbersOf = (tensor: tf.Tensor) => Array.from(tensor.dataSync());

/** Trains all three ways from the same start, and holds the compiled ones to the one op by op. */
export async function expectSameTraining({ variables, step, inputs }: Training): Promise<void> {
  const start = variables.map((variable) => variable.clone());
  const batches = Array.from({ length: STEPS }, (_, i) => tf.tidy(() => inputs(i)));
  const values = (outputs: number[][]): Values => ({ outputs, variables: variables.map(numbersOf) });
  const restart = () => variables.forEach((variable, i) => variable.assign(start[i] as tf.Tensor));
  const read = (run: () => tf.Tensor[]) => {
    const outputs: number[][] = [];
    tf.tidy(() => run().forEach((output) => outputs.push(numbersOf(output))));
    return outputs;
  };

  const eager = values(batches.flatMap((batch) => read(() => step(...batch))));
  expect(eager.outputs.flat().every(Number.isFinite)).toBe(true);
  restart();
  const compiled = await compileStep(step, { inputs: batches[0] as tf.Tensor[], variables });
  try {
    const outputs = batches.flatMap((batch) => read(() => compiled.run(...batch)));
    compiled.read();
    expectClose(values(outputs), eager);

    restart();
    compiled.write();
    const looped = read(() =>
      compiled.runMany(
        ...(batches[0] as tf.Tensor[]).map((_, j) => tf.stack(batches.map((batch) => batch[j] as tf.Tensor))),
      ),
    );
    compiled.read();
    const perStep = eager.outputs.length / STEPS;
    const stacked = looped.map((_, j) => eager.outputs.filter((_, k) => k % perStep === j).flat());
    expectClose(values(looped), { ...eager, outputs: stacked });
  } finally {
    compiled.dispose();
    tf.dispose([start, batches]);
  }
}

function expectClose(got: Values, expected: Values): void {
  for (const kind of ['outputs', 'variables'] as const) {
    expect(got[kind].map(({ length }) => length)).toEqual(expected[kind].map(({ length }) => length));
    for (const [i, wanted] of expected[kind].entries()) {
      const size = Math.max(1, ...wanted.map(Math.abs));
      const apart = Math.max(0, ...wanted.map((value, j) => Math.abs(value - (got[kind][i]?.[j] ?? NaN))));
      expect(apart / size, `${kind} ${i}`).toBeLessThanOrEqual(BOUND);
    }
  }
}

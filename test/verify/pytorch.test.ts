import '../support/native.js';
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { analysisOf, evaluate, type Numbers, QUANTITIES } from '../../src/verify/apply.js';
import { hardCases, ordinaryCases } from '../../src/verify/cases.js';
import { type Comparison, within, worst } from '../../src/verify/check.js';
import { twentySteps } from '../../src/verify/runs.js';
import { flatten, type State, trainEagerly } from '../../src/verify/trainingRun.js';

/** A Python with PyTorch; in CI there must be one. */
const python = process.env['BN_TRAIN_PYTORCH'];

interface Answer {
  version: string;
  cases: { true: Numbers; false: Numbers }[];
  run: State;
}

const cases = [...ordinaryCases(), ...hardCases()];

function askPyTorch(): Answer {
  if (python === undefined)
    throw new Error(
      'Cannot compare with PyTorch: expected BN_TRAIN_PYTORCH to name a Python that has torch, got nothing',
    );
  const input = JSON.stringify({ cases, run: twentySteps().run });
  const script = path.join(import.meta.dirname, 'pytorch.py');
  const output = execFileSync(python, [script], { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return JSON.parse(output) as Answer;
}

/**
 * PyTorch keeps the unbiased variance: n/(n − 1) of the batch's part of the average. `kept` is the old variance's share
 * after all steps.
 */
function biased(unbiased: number[], old: number[], kept: number, values: number): number[] {
  return unbiased.map((value, c) => {
    const part = kept * (old[c] ?? NaN);
    return part + ((value - part) * (values - 1)) / values;
  });
}

function expectAgreement(comparisons: Comparison[]): void {
  const found = worst(comparisons);
  expect(found.error, JSON.stringify(found)).toBeLessThanOrEqual(found.tolerance);
}

describe.runIf(python !== undefined || process.env['CI'] !== undefined)('PyTorch in float64', () => {
  let answer: Answer;
  beforeAll(() => {
    answer = askPyTorch();
  });

  it.each(
    cases.flatMap((example, i) => [true, false].map((training) => ({ name: example.name, training, example, i }))),
  )('gives the same outputs, statistics and gradients: $name, training $training', ({ example, training, i }) => {
    const expected = answer.cases[i]?.[`${training}`] as Numbers;
    const got = evaluate(batchNorm, example, training);
    const bounds = analysisOf(example, training);
    const { vectors, momentum, x } = example;
    const theirs = [...expected.movingVariance];
    const movingVariance = training
      ? biased(theirs, vectors.movingVariance, momentum, x.length / vectors.gamma.length)
      : theirs;
    const comparable = { ...expected, movingVariance };
    expectAgreement(QUANTITIES.map((of) => within(of, comparable[of], got[of], bounds[of])));
  });

  it('ends a training run of 20 steps at the same weights and loss', () => {
    const { run, own } = twentySteps();
    const { shape, start, momentum, batches, epsilon } = run;
    const got = trainEagerly(run, new BatchNorm({ epsilon, momentum }));
    const values = shape.slice(0, -1).reduce((product, length) => product * length, 1);
    const kept = momentum ** batches.length;
    const movingVariance = biased(answer.run.movingVariance, start.movingVariance, kept, values);
    const expected = flatten({ ...answer.run, movingVariance });
    expectAgreement([within('weights and loss', expected, got, own)]);
  });

  it('is the version that CI installs', () => {
    expect(answer.version).toMatch(/^2\.13\.0/);
  });
});

/** Scale invariance: weights in front of batch normalization multiplied, and what must not change by it. */
import { STEPS, stepLine } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import type { Picture } from '../result.js';
import { average } from '../secondary.js';
import type { TrialRecord } from '../trial.js';
import type { SeedValue } from '../verdict.js';

export function scaleInvariance({ claim, block }: Evidence<'scale-invariance'>): Finding<'scale-invariance'> {
  const { scale = NaN } = claim.constants;
  const [scaled, growth] = [block('scale'), block('growth')];
  const pair = (arm: string, seed: number, by: number) =>
    [by, by * scale].map((factor) => runOf(scaled, arm, seed, ({ weightScale = 1 }) => weightScale === factor));
  const each = (of: Parameters<typeof perSeed>[1]) => perSeed(scaled.seeds, of);
  const own = (of: (seed: number) => number | undefined) => scaled.seeds.flatMap((seed) => of(seed) ?? []);
  return {
    measured: {
      function: each((seed) => firstLossChange(pair('batch', seed, scale))),
      gradient: each((seed) => gradientChange(pair('batch', seed, scale))),
      growth: perSeed(growth.seeds, (seed) => growthError(runOf(growth, 'batch', seed))),
      curve: each((seed) => largestDifference(pair('batch', seed, 1))),
      contrast: each((seed) => largestDifference(pair('none', seed, 1))),
    },
    secondary: [
      average(
        `relative change of the first loss, weights 1 and ${scale} times`,
        '',
        own((seed) => firstLossChange(pair('batch', seed, 1))),
      ),
      average(
        `relative change of a gradient × factor, weights 1 and ${scale} times`,
        '',
        own((seed) => gradientChange(pair('batch', seed, 1))),
      ),
      average(
        'growth of the squared norm against that of the updates without batch normalization, relative difference',
        '',
        recordsOf(growth, 'none').flatMap((record) => growthError(record) ?? []),
      ),
    ],
    pictures: [curves(scaled), ...schedule(growth)],
    remarks: [
      `The constant ε = 1e-5 in batch normalization is not scaled: it makes the difference between weights 1 and ${scale} times, and no longer counts from there to ${scale * scale} times.`,
    ],
  };
}

type Pair = readonly (TrialRecord | undefined)[];

function firstLossChange([a, b]: Pair): number | undefined {
  const [one, other] = [a?.losses[0], b?.losses[0]];
  return one === undefined || other === undefined ? undefined : Math.abs(other / one - 1);
}

/** Of all layers but the last, which no normalization follows. */
function gradientChange([a, b]: Pair): number | undefined {
  const [one, other] = [timesScale(a), timesScale(b)];
  if (one.length === 0 || other.length === 0) return undefined;
  return Math.max(...one.map((gradient, i) => Math.abs((other[i] ?? NaN) / gradient - 1)));
}

function timesScale(record: TrialRecord | undefined): number[] {
  const first = record?.gradients?.find(({ step }) => step === 0);
  return (first?.layers ?? [])
    .slice(0, -1)
    .map(({ weightGradient }) => weightGradient * (record?.trial.weightScale ?? 1));
}

/** This or more, where one of them diverged and left nothing to compare. */
function largestDifference([a, b]: Pair): Omit<SeedValue, 'seed'> | undefined {
  if (a === undefined || b === undefined) return undefined;
  const steps = Math.min(a.losses.length, b.losses.length);
  const value = Math.max(...a.losses.slice(0, steps).map((loss, i) => Math.abs(loss - (b.losses[i] ?? NaN))));
  return { value, low: value, high: a.losses.length === b.losses.length ? value : Infinity };
}

/** Gradients at right angles to the weights make their squared norm grow by η² times the gradient's, step by step. */
function growthError(record: TrialRecord | undefined): number | undefined {
  const norms = record?.norms ?? [];
  const [first, last] = [norms[0], norms.at(-1)];
  if (record === undefined || first === undefined || last === undefined || norms.length < 2) return undefined;
  const updates = norms
    .slice(0, -1)
    .reduce((sum, { gradient }) => sum + (record.trial.learningRate * gradient) ** 2, 0);
  return Math.abs((last.weight ** 2 - first.weight ** 2) / updates - 1);
}

function curves(scaled: BlockRuns): Picture {
  const scales = [...new Set(scaled.runs.map(({ trial }) => trial.weightScale ?? 1))];
  const lines = (arm: string, name: string) =>
    scales.map((factor) =>
      stepLine(
        `${name}, weights ${factor} ×`,
        recordsOf(scaled, arm, ({ weightScale = 1 }) => weightScale === factor),
        ({ losses }) => losses,
      ),
    );
  return {
    kind: 'lines',
    name: "Training loss with weights multiplied, their learning rate by the factor's square",
    x: STEPS,
    y: { name: 'training loss of the batch', unit: 'nats', logarithmic: false },
    series: [...lines('batch', 'batch normalization'), ...lines('none', 'none')],
    references: [],
  };
}

/** The learning rate that batch normalization leaves of a constant one as the weights grow. */
function schedule(growth: BlockRuns): Picture[] {
  const records = recordsOf(growth, 'batch');
  const line = (name: string, of: (weight: number, rate: number) => number) =>
    stepLine(name, records, ({ norms = [], trial }) => norms.map(({ weight }) => of(weight, trial.learningRate)));
  const picture = (name: string, y: string, of: (weight: number, rate: number) => number): Picture => ({
    kind: 'lines',
    name,
    x: STEPS,
    y: { name: y, unit: '', logarithmic: false },
    series: [line('batch normalization', of)],
    references: [],
  });
  return [
    picture('Weights in front of batch normalization only grow', 'norm of the weights', (weight) => weight),
    picture(
      'so the effective learning rate falls by itself',
      'learning rate ÷ squared norm of the weights',
      (weight, rate) => rate / weight ** 2,
    ),
  ];
}

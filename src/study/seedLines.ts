/** Lines of pictures: a mean over seeds with each seed beside it, thinned to what a picture can show. */
import { mean } from './intervals.js';
import type { Axis, Line } from './result.js';
import type { TrialRecord } from './trial.js';

export const EPOCHS: Axis = { name: 'epoch', unit: '', logarithmic: false };
export const STEPS: Axis = { name: 'step', unit: '', logarithmic: false };
export const ACCURACY: Axis = { name: 'test accuracy', unit: '', logarithmic: false };

/** At most so many points a line. */
const POINTS = 80;

/** Through the means over seeds; where a seed has no finite value, over the others. */
export function meanLine(name: string, x: number[], seeds: readonly { seed: number; y: (number | null)[] }[]): Line {
  const shown = seeds.map(({ seed, y }) => ({ seed, y: x.map((_, i) => finite(y[i])) }));
  const y = x.map((_, i) => {
    const there = shown.map((of) => finite(of.y[i])).filter((value) => value !== null);
    return there.length === 0 ? null : mean(there);
  });
  return { name, x, y, seeds: shown };
}

/** JSON has no other numbers. */
function finite(value: number | null | undefined): number | null {
  return Number.isFinite(value) ? (value as number) : null;
}

/** Something of each evaluated epoch. */
export function epochLine(
  name: string,
  records: readonly TrialRecord[],
  of: (epoch: TrialRecord['epochs'][number]) => number | undefined,
): Line {
  const x = epochNumbers(records[0]);
  const seeds = records.map(({ trial, epochs }) => ({ seed: trial.seed, y: epochs.map((epoch) => of(epoch) ?? null) }));
  return meanLine(name, x, seeds);
}

/** After which epochs a trial is evaluated. */
function epochNumbers(record: TrialRecord | undefined): number[] {
  if (record === undefined) return [];
  const { epochs, watchEvery = 1 } = record.trial;
  return Array.from({ length: Math.ceil(epochs / watchEvery) }, (_, i) => Math.min((i + 1) * watchEvery, epochs));
}

/** Something of each step, as the mean over the `window` last ones. */
export function stepLine(
  name: string,
  records: readonly TrialRecord[],
  of: (record: TrialRecord) => readonly number[],
  window = 1,
): Line {
  const length = Math.max(0, ...records.map((record) => of(record).length));
  const every = Math.max(1, Math.ceil(length / POINTS));
  const x = Array.from({ length: Math.floor(length / every) }, (_, i) => (i + 1) * every).filter(
    (step) => step >= window,
  );
  const at = (values: readonly number[], step: number) =>
    step > values.length ? null : mean(values.slice(step - window, step));
  return meanLine(
    name,
    x,
    records.map((record) => ({ seed: record.trial.seed, y: x.map((step) => at(of(record), step)) })),
  );
}

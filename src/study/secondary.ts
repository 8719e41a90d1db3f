/** Numbers that are shown beside a claim's measure and decide nothing, as a mean over the seeds that have one, with its 95 % interval. */
import { geometricInterval, geometricMean, mean, meanInterval, signTest } from './intervals.js';
import type { ClaimResult } from './result.js';

type Secondary = ClaimResult['secondary'][number];

export function average(name: string, unit: string, values: readonly number[]): Secondary {
  const there = values.filter(Number.isFinite);
  return { name, unit, value: there.length === 0 ? null : mean(there), interval: meanInterval(there, 0.95) };
}

/** For ratios. */
export function geometricAverage(name: string, unit: string, values: readonly number[]): Secondary {
  const there = values.filter(Number.isFinite);
  const interval = geometricInterval(there, 0.95);
  return { name, unit, value: there.length === 0 ? null : geometricMean(there), interval };
}

/** How often fair coins would lean to one side of 0 as far as these differences do. */
export function signs(differences: readonly number[]): Secondary {
  const value = differences.length === 0 ? null : signTest(differences);
  return { name: 'exact sign test over seeds, two-sided p', unit: '', value, interval: null };
}

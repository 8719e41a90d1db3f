/** Numbers that are shown beside a claim's measure and decide nothing, as a mean over seeds with its 95 % interval. */
import { geometricInterval, geometricMean, mean, meanInterval, signTest } from './intervals.js';
import type { ClaimResult } from './result.js';

type Secondary = ClaimResult['secondary'][number];

export function average(name: string, unit: string, values: readonly number[]): Secondary {
  return { name, unit, value: values.length === 0 ? null : mean(values), interval: meanInterval(values, 0.95) };
}

/** For ratios. */
export function geometricAverage(name: string, unit: string, values: readonly number[]): Secondary {
  const interval = geometricInterval(values, 0.95);
  return { name, unit, value: values.length === 0 ? null : geometricMean(values), interval };
}

/** How often fair coins would lean to one side of 0 as far as these differences do. */
export function signs(differences: readonly number[]): Secondary {
  const value = differences.length === 0 ? null : signTest(differences);
  return { name: 'exact sign test over seeds, two-sided p', unit: '', value, interval: null };
}

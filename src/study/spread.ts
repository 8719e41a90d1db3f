/** How one figure is spread over seeds. */
import { mean, meanInterval } from './intervals.js';
import type { Interval } from './result.js';

export interface Spread {
  mean: number;
  min: number;
  max: number;
  /** Student's, of the mean; null of a single value. */
  interval: Interval | null;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return { mean: mean(values), min, max, interval: meanInterval(values, 0.95) };
}

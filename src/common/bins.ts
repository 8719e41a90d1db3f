/** Equal bins of a histogram whose edges are numbers that people would choose. */

export interface Bins {
  low: number;
  step: number;
  count: number;
}

/** From `low` to `high` or a little more, in at most `most` bins, of which a third or more is used. */
export function binsOver(low: number, high: number, most: number): Bins {
  const step = roundStep((high - low) / (most - 1));
  const first = Math.floor(low / step + 1e-9);
  return { low: first * step, step, count: Math.max(1, Math.ceil(high / step - 1e-9) - first) };
}

/** The least 1, 2 or 5 times a power of ten that is not below `size`. */
export function roundStep(size: number): number {
  if (!(size > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5].find((digit) => digit * power >= size * (1 - 1e-9)) ?? 10);
}

/** How many of the values lie in each bin; those outside are counted in the first and the last. */
export function countsIn({ low, step, count }: Bins, values: Iterable<number>): number[] {
  const counts = Array<number>(count).fill(0);
  for (const value of values) {
    const bin = Math.min(count - 1, Math.max(0, Math.floor((value - low) / step)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

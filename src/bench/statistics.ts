/** The figures that repeated measurements are reported by. */

export interface Summary {
  median: number;
  min: number;
  max: number;
}

/** Median and range of at least one value. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (position: number) => sorted[position] ?? NaN;
  const middle = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, min: at(0), max: at(sorted.length - 1) };
}

/** Median and range of a/b, pair by pair: what slowed the machine down for one turn slowed both. */
export function summarizeRatios(a: readonly number[], b: readonly number[]): Summary {
  return summarize(a.map((value, i) => value / (b[i] ?? NaN)));
}

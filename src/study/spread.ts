/** How one figure is spread over seeds. */

export interface Spread {
  mean: number;
  /** The sample's standard deviation; null of a single value. */
  deviation: number | null;
  min: number;
  max: number;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null;
  return { mean, deviation, min: Math.min(...values), max: Math.max(...values) };
}

/** Batch normalization and its gradient in plain float64, written straight from the paper's formulas. */

/** One number a channel each. */
export interface Vectors<T = number> {
  gamma: T[];
  beta: T[];
  movingMean: T[];
  movingVariance: T[];
}

export interface Mode {
  training: boolean;
  epsilon: number;
  momentum: number;
}

const at = (values: ArrayLike<number>, i: number) => values[i] ?? NaN;

/** The values of channel `c`; channels are the last axis. */
export function channelOf<T>(x: ArrayLike<T>, channels: number, c: number): T[] {
  return Array.from({ length: x.length / channels }, (_, i) => x[i * channels + c] as T);
}

function moments(values: number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
}

/** Channels are the last axis of the flat `x`. */
export function reference(x: number[], channels: number, vectors: Vectors, { training, epsilon, momentum }: Mode) {
  const { gamma, beta, movingMean, movingVariance } = vectors;
  const batch = gamma.map((_, c) => moments(channelOf(x, channels, c)));
  const used = training ? batch : movingMean.map((mean, c) => ({ mean, variance: at(movingVariance, c) }));
  const average = (old: number, now: number) => (training ? momentum * old + (1 - momentum) * now : old);
  return {
    y: x.map((value, i) => {
      const { mean, variance } = used[i % channels] ?? { mean: NaN, variance: NaN };
      return (at(gamma, i % channels) * (value - mean)) / Math.sqrt(variance + epsilon) + at(beta, i % channels);
    }),
    movingMean: movingMean.map((old, c) => average(old, batch[c]?.mean ?? NaN)),
    movingVariance: movingVariance.map((old, c) => average(old, batch[c]?.variance ?? NaN)),
  };
}

/**
 * Of Σ dy·y. In training the chain rule step by step, through variance and mean (Ioffe & Szegedy 2015, section 3), not
 * the shortened form; in inference mean and variance are constants.
 */
export function referenceGradient(
  x: number[],
  channels: number,
  { gamma, movingMean, movingVariance }: Omit<Vectors, 'beta'>,
  dy: number[],
  { training, epsilon }: Omit<Mode, 'momentum'>,
) {
  const gradient = { x: x.map(() => 0), gamma: gamma.map(() => 0), beta: gamma.map(() => 0) };
  for (let c = 0; c < channels; c++) {
    const values = channelOf(x, channels, c);
    const upstream = channelOf(dy, channels, c);
    const fixed = { mean: at(movingMean, c), variance: at(movingVariance, c) };
    const { mean, variance } = training ? moments(values) : fixed;
    const m = values.length;
    const deviation = Math.sqrt(variance + epsilon);
    const sum = (f: (value: number, dy: number) => number) =>
      values.reduce((total, value, i) => total + f(value, at(upstream, i)), 0);
    const dxHat = (dy: number) => dy * at(gamma, c);
    const dVariance = training ? sum((value, dy) => dxHat(dy) * (value - mean)) * -0.5 * deviation ** -3 : 0;
    const dMean = training
      ? sum((_, dy) => -dxHat(dy) / deviation) + dVariance * (sum((value) => -2 * (value - mean)) / m)
      : 0;
    for (const [i, value] of values.entries())
      gradient.x[i * channels + c] =
        dxHat(at(upstream, i)) / deviation + (dVariance * 2 * (value - mean)) / m + dMean / m;
    gradient.gamma[c] = sum((value, dy) => (dy * (value - mean)) / deviation);
    gradient.beta[c] = sum((_, dy) => dy);
  }
  return gradient;
}

/** Batch normalization and its gradient in plain float64, written straight from the paper's formulas. */

export interface Vectors {
  gamma: number[];
  beta: number[];
  movingMean: number[];
  movingVariance: number[];
}

interface Options {
  training: boolean;
  epsilon: number;
  momentum: number;
}

function channel(x: number[], channels: number, c: number): number[] {
  return x.filter((_, i) => i % channels === c);
}

function moments(values: number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
}

const at = (values: number[], i: number) => values[i] ?? NaN;

/** Channels are the last axis of the flat `x`. */
export function reference(x: number[], channels: number, vectors: Vectors, { training, epsilon, momentum }: Options) {
  const { gamma, beta, movingMean, movingVariance } = vectors;
  const batch = gamma.map((_, c) => moments(channel(x, channels, c)));
  const used = gamma.map(
    (_, c) =>
      (training ? batch[c] : { mean: at(movingMean, c), variance: at(movingVariance, c) }) ?? {
        mean: NaN,
        variance: NaN,
      },
  );
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

/** The chain rule step by step, through variance and mean (Ioffe & Szegedy 2015, section 3), not the shortened form. */
export function referenceGradient(x: number[], channels: number, { gamma }: Vectors, dy: number[], epsilon: number) {
  const gradient = { x: x.map(() => 0), gamma: gamma.map(() => 0), beta: gamma.map(() => 0) };
  for (let c = 0; c < channels; c++) {
    const indices = x.map((_, i) => i).filter((i) => i % channels === c);
    const { mean, variance } = moments(indices.map((i) => at(x, i)));
    const m = indices.length;
    const deviation = Math.sqrt(variance + epsilon);
    const sum = (f: (i: number) => number) => indices.reduce((total, i) => total + f(i), 0);
    const dxHat = (i: number) => at(dy, i) * at(gamma, c);
    const dVariance = sum((i) => dxHat(i) * (at(x, i) - mean)) * -0.5 * deviation ** -3;
    const dMean = sum((i) => -dxHat(i) / deviation) + dVariance * (sum((i) => -2 * (at(x, i) - mean)) / m);
    for (const i of indices) gradient.x[i] = dxHat(i) / deviation + (dVariance * 2 * (at(x, i) - mean)) / m + dMean / m;
    gradient.gamma[c] = sum((i) => (at(dy, i) * (at(x, i) - mean)) / deviation);
    gradient.beta[c] = sum((i) => at(dy, i));
  }
  return gradient;
}

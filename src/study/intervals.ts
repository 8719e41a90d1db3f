/** Student's t intervals over seeds, and the exact sign test: what few, paired measurements allow. */
import type { Interval } from './result.js';

/** Of the mean of values; null for fewer than two. */
export function meanInterval(values: readonly number[], level: number): Interval | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  const half = tQuantile((1 + level) / 2, values.length - 1) * Math.sqrt(variance / values.length);
  return { low: centre - half, high: centre + half, level };
}

/** Of the geometric mean of values above 0, by the mean of their logarithms. */
export function geometricInterval(values: readonly number[], level: number): Interval | null {
  const interval = meanInterval(values.map(Math.log), level);
  return interval && { low: Math.exp(interval.low), high: Math.exp(interval.high), level };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(mean(values.map(Math.log)));
}

/** The value that Student's t with so many degrees of freedom stays below with probability p, 0 < p < 1. */
export function tQuantile(p: number, freedom: number): number {
  if (p < 0.5) return -tQuantile(1 - p, freedom);
  let [low, high] = [0, 1];
  while (tProbability(high, freedom) < p) [low, high] = [high, 2 * high];
  // Halving ends where no number lies between the two.
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (tProbability(middle, freedom) < p) low = middle;
    else high = middle;
  }
}

/** The probability that Student's t stays below t ≥ 0. */
function tProbability(t: number, freedom: number): number {
  return 1 - incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
}

/** The regularized incomplete beta function (DLMF 8.17.22, its continued fraction by Lentz's method). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  // The fraction converges quickly on this side of the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let fraction = d;
  for (let m = 1; m < 1000; m++) {
    const before = fraction;
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      fraction *= c * d;
    }
    if (Math.abs(fraction / before - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** ln B(a, ½) or ln B(½, b) for halves of whole numbers, by Γ(n + 1) = n Γ(n). */
function logBeta(a: number, b: number): number {
  return logGammaOfHalves(a) + logGammaOfHalves(b) - logGammaOfHalves(a + b);
}

function logGammaOfHalves(n: number): number {
  let [log, left] = [Number.isInteger(n) ? 0 : Math.log(Math.PI) / 2, n];
  while (left > 1) {
    left -= 1;
    log += Math.log(left);
  }
  return log;
}

/** Two-sided p of the exact sign test: how often fair coins would lean to one side as far; values of 0 take no part. */
export function signTest(values: readonly number[]): number {
  const signs = values.filter((value) => value !== 0);
  const more = Math.max(signs.filter((value) => value > 0).length, signs.filter((value) => value < 0).length);
  let [tail, ways] = [0, 1];
  // Ways to choose k of n, from k = n down to the larger count.
  for (let k = signs.length; k >= more; k--) {
    tail += ways;
    ways = (ways * k) / (signs.length - k + 1);
  }
  return Math.min(1, (2 * tail) / 2 ** signs.length);
}

/** Float32 arithmetic watched from float64: each number carries a bound on how far float32 may have strayed from it. */

/**
 * A value and its running error (Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.3). The tolerances
 * of the checks are made of these, so each follows from its data and the formula under test, and none is tuned.
 *
 * One operation rounds to a relative u = 2⁻²⁴ (section 2.2). A sum of n terms, in whichever order, is off by at most
 * γₙ₋₁ = (n − 1)·u/(1 − (n − 1)·u) of the sum of their sizes (section 4.2). Below 2⁻¹²⁶ numbers are denormal, and some
 * backends make them 0 (TensorFlow does, plain JavaScript does not), so every result may be off by that much besides.
 */
export interface Bounded {
  value: number;
  /** At least |what float32 computes − value|. */
  error: number;
}

/** Float32's unit roundoff: half the gap between 1 and the next number. */
export const UNIT = 2 ** -24;
const SMALLEST_NORMAL = 2 ** -126;

function gamma(n: number): number {
  return (n * UNIT) / (1 - n * UNIT);
}

/** A number that float32 holds as it is; one too small to be normal may be read as 0. */
export function exact(value: number): Bounded {
  return { value, error: Math.abs(value) < SMALLEST_NORMAL ? Math.abs(value) : 0 };
}

/** A result with an inherited `error`, after a number of roundings. */
export function rounded(value: number, error: number, roundings = 1): Bounded {
  return { value, error: error + gamma(roundings) * (Math.abs(value) + error) + SMALLEST_NORMAL };
}

/** A hyperparameter: float64 in TypeScript, rounded once to float32. */
export const constant = (value: number): Bounded => rounded(value, 0);

export const add = (a: Bounded, b: Bounded): Bounded => rounded(a.value + b.value, a.error + b.error);
export const sub = (a: Bounded, b: Bounded): Bounded => rounded(a.value - b.value, a.error + b.error);

export function mul(a: Bounded, b: Bounded): Bounded {
  const inherited = Math.abs(a.value) * b.error + Math.abs(b.value) * a.error + a.error * b.error;
  return rounded(a.value * b.value, inherited);
}

/** Terms added in whichever order. */
export function sum(terms: Bounded[]): Bounded {
  const size = terms.reduce((total, { value, error }) => total + Math.abs(value) + error, 0);
  const inherited = terms.reduce((total, { error }) => total + error, 0);
  const value = terms.reduce((total, term) => total + term.value, 0);
  return { value, error: inherited + gamma(terms.length - 1) * size + (terms.length - 1) * SMALLEST_NORMAL };
}

/** A mean, in one stage or two, by division or by a product with 1/n: at most four roundings beside the sum's. */
export function mean(terms: Bounded[]): Bounded {
  if (terms.length === 1) return terms[0] ?? exact(NaN);
  const { value, error } = sum(terms);
  return rounded(value / terms.length, error / terms.length, 4);
}

/**
 * 1/√(variance + epsilon) for a variance that was kept from falling below 0. Steepest at its smallest argument, so the
 * bound is the distance to there; backends compute the root to two units in the last place, which are four roundings.
 */
export function inverseDeviation(variance: Bounded, epsilon: Bounded): Bounded {
  const { value, error } = add(variance, epsilon);
  const least = Math.max(value - error, epsilon.value * (1 - 4 * UNIT));
  return rounded(1 / Math.sqrt(value), 1 / Math.sqrt(least) - 1 / Math.sqrt(value), 4);
}

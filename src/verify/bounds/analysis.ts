/** How far float32 may stray from batch normalization: src/nn/batchNorm.ts, line by line, in bounded arithmetic. */
import { add, type Bounded, constant, exact, inverseDeviation, mean, mul, rounded, sub, sum, UNIT } from './bounded.js';
import { channelOf, type Mode, type Vectors } from '../reference.js';

export interface Analysis {
  y: Bounded[];
  movingMean: Bounded[];
  movingVariance: Bounded[];
  /** Of Σ dy·y. */
  gradient: (dy: Bounded[]) => { x: Bounded[]; gamma: Bounded[]; beta: Bounded[] };
}

/** What the layer takes off its data first: nothing in a layer such as the built-in one. */
export type Shift = 'first example' | 'none';

type Channel = Record<keyof Vectors | 'epsilon', Bounded>;

interface ChannelResult {
  y: Bounded[];
  mean: Bounded;
  variance: Bounded;
  gradient: (dy: Bounded[]) => { x: Bounded[]; gamma: Bounded; beta: Bounded };
}

export const at = (values: Bounded[], i: number): Bounded => values[i] ?? exact(NaN);

/** Vectors of numbers that float32 holds as `read` has it: by default as they are. */
export function vectorsOf({ gamma, beta, movingMean, movingVariance }: Vectors, read = exact): Vectors<Bounded> {
  return {
    gamma: gamma.map(read),
    beta: beta.map(read),
    movingMean: movingMean.map(read),
    movingVariance: movingVariance.map(read),
  };
}

/** Batch normalization of the flat `x`, channels last, with a bound on float32's error for every number it gives. */
export function analyse(
  x: Bounded[],
  shape: number[],
  vectors: Vectors<Bounded>,
  mode: Mode,
  shift: Shift = 'first example',
): Analysis {
  const channels = shape.at(-1) ?? 0;
  const first = shift === 'none' ? 0 : x.length / channels / (shape[0] ?? 1);
  const join = (parts: Bounded[][]) => x.map((_, i) => at(parts[i % channels] ?? [], Math.floor(i / channels)));
  const epsilon = constant(mode.epsilon);
  const results = vectors.gamma.map((gamma, c) => {
    const values = channelOf(x, channels, c);
    const [beta, movingMean, movingVariance] = [vectors.beta, vectors.movingMean, vectors.movingVariance].map(
      (values) => at(values, c),
    ) as [Bounded, Bounded, Bounded];
    const channel = { gamma, beta, movingMean, movingVariance, epsilon };
    return mode.training ? training(values, first, channel) : inference(values, channel);
  });
  const average = (old: Bounded[], batch: 'mean' | 'variance') =>
    mode.training
      ? results.map((result, c) =>
          add(mul(at(old, c), constant(mode.momentum)), mul(result[batch], constant(1 - mode.momentum))),
        )
      : old;
  return {
    y: join(results.map(({ y }) => y)),
    movingMean: average(vectors.movingMean, 'mean'),
    movingVariance: average(vectors.movingVariance, 'variance'),
    gradient: (dy) => {
      const parts = results.map(({ gradient }, c) => gradient(channelOf(dy, channels, c)));
      return {
        x: join(parts.map((part) => part.x)),
        gamma: parts.map((part) => part.gamma),
        beta: parts.map((part) => part.beta),
      };
    },
  };
}

/**
 * One channel by its own statistics.
 *
 * What the bounds rest on is the shift. The layer subtracts the first example's mean s before it squares, so that every
 * error is relative to the channel's spread about s, σ² + (mean − s)², not to mean² (Chan, Golub & LeVeque 1983). Any s
 * gives the same result in exact arithmetic; what rounding does to s only moves where the errors are counted from.
 *
 * `first` is how many values the first example has; 0 shifts by nothing.
 */
function training(x: Bounded[], first: number, { gamma, beta, epsilon }: Channel): ChannelResult {
  const shift = first === 0 ? exact(0) : mean(x.slice(0, first));
  // Of all the shifts that rounding may make of it, the one farthest from the mean has the largest errors.
  const away = shift.value < mean(x).value ? -shift.error : shift.error;
  const far = shift.value + away;
  const shifted = x.map(({ value, error }) =>
    first === 0 ? { value, error } : rounded(value - far, error + 2 * UNIT * shift.error),
  );
  const offset = mean(shifted);
  const variance = sub(mean(shifted.map((d) => mul(d, d))), mul(offset, offset));
  const r = inverseDeviation(variance, epsilon);
  const scale = mul(gamma, r);
  const base = sub(beta, mul(offset, scale));
  return {
    y: shifted.map((d) => add(mul(d, scale), base)),
    mean: add(exact(far), offset),
    variance,
    gradient: (dy) => {
      const meanDy = mean(dy);
      const meanDyD = mean(dy.map((value, i) => mul(value, at(shifted, i))));
      const meanDyXHat = mul(sub(meanDyD, mul(offset, meanDy)), r);
      const slope = mul(mul(scale, r), meanDyXHat);
      const rest = sub(mul(offset, slope), mul(scale, meanDy));
      return {
        x: dy.map((value, i) => add(sub(mul(value, scale), mul(at(shifted, i), slope)), rest)),
        gamma: mul(meanDyXHat, exact(x.length)),
        beta: mul(meanDy, exact(x.length)),
      };
    },
  };
}

/** One channel by given statistics. */
function inference(x: Bounded[], { gamma, beta, movingMean, movingVariance, epsilon }: Channel): ChannelResult {
  const r = inverseDeviation(movingVariance, epsilon);
  const scale = mul(gamma, r);
  const centred = x.map((value) => sub(value, movingMean));
  return {
    y: centred.map((d) => add(mul(d, scale), beta)),
    mean: movingMean,
    variance: movingVariance,
    gradient: (dy) => ({
      x: dy.map((value) => mul(value, scale)),
      gamma: mul(sum(dy.map((value, i) => mul(value, at(centred, i)))), r),
      beta: sum(dy),
    }),
  };
}

/** Student's t against tables, its intervals' coverage by simulation, the sign test and the bootstrap. */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { crossedBootstrap } from '../../src/study/bootstrap.js';
import { geometricInterval, meanInterval, signTest, tQuantile } from '../../src/study/intervals.js';

describe("Student's t", () => {
  // One and two degrees of freedom have closed forms; the others are from tables.
  const two = (p: number) => (2 * p - 1) * Math.sqrt(2 / (4 * p * (1 - p)));
  it.each([
    [0.975, 1, Math.tan(Math.PI * 0.475)],
    [0.9975, 1, Math.tan(Math.PI * 0.4975)],
    [0.975, 2, two(0.975)],
    [0.9975, 2, two(0.9975)],
    [0.6, 2, two(0.6)],
    [0.975, 4, 2.7764451051977987],
    [0.9975, 4, 5.597568367075459],
    [0.975, 7, 2.3646242510102993],
    [0.9975, 9, 3.689662392329935],
    [0.975, 30, 2.0422724563012373],
    [0.975, 1000, 1.9623390808264078],
  ])('stays below its quantile with probability %d, with %d degrees of freedom', (p, freedom, expected) => {
    expect(Math.abs(tQuantile(p, freedom) / expected - 1)).toBeLessThan(1e-8);
    expect(tQuantile(1 - p, freedom)).toBeCloseTo(-expected, 6);
  });

  it('is 0 in the middle', () => expect(tQuantile(0.5, 3)).toBeCloseTo(0, 12));
});

describe('an interval of a mean', () => {
  it('is the formula', () => {
    const interval = meanInterval([1, 2, 3, 4, 5], 0.95);
    expect(interval?.low).toBeCloseTo(3 - 2.7764451051977987 * Math.sqrt(2.5 / 5), 8);
    expect(interval?.high).toBeCloseTo(3 + 2.7764451051977987 * Math.sqrt(2.5 / 5), 8);
    expect(interval?.level).toBe(0.95);
  });

  it('of ratios is that of their logarithms', () => {
    const interval = geometricInterval([1, 10, 100], 0.95);
    expect((interval?.low ?? NaN) * (interval?.high ?? NaN)).toBeCloseTo(100, 8);
    expect(interval?.low).toBeCloseTo(10 ** (1 - 4.302652729749464 / Math.sqrt(3)), 8);
  });

  it('needs two values', () => {
    expect(meanInterval([], 0.95)).toBeNull();
    expect(geometricInterval([7], 0.95)).toBeNull();
  });
});

describe('how often an interval contains the mean, in 3,000 simulations', () => {
  const generator = xoroshiro128plus(7);
  const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const draws = {
    normal: () => normal(),
    exponential: () => -Math.log(uniform()) - 1,
    'Student-3': () => normal() / Math.sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2) / 3),
  };
  const coverage = (draw: () => number, n: number, level: number) => {
    let contained = 0;
    for (let i = 0; i < 3000; i++) {
      const interval = meanInterval(Array.from({ length: n }, draw), level);
      if (interval && interval.low < 0 && interval.high > 0) contained++;
    }
    return contained / 3000;
  };
  // Four standard errors of such a share; skewed values are covered less often by few seeds, heavy tails more often.
  it.each<[keyof typeof draws, number, number, number, number]>([
    ['normal', 3, 0.95, 0.934, 0.966],
    ['normal', 5, 0.95, 0.934, 0.966],
    ['normal', 8, 0.95, 0.934, 0.966],
    ['normal', 5, 0.995, 0.989, 1],
    ['exponential', 5, 0.95, 0.855, 0.91],
    ['exponential', 8, 0.995, 0.945, 0.98],
    ['Student-3', 5, 0.95, 0.94, 0.975],
    ['Student-3', 8, 0.995, 0.99, 1],
  ])('%s values, %d seeds, level %d', (kind, n, level, least, most) => {
    const found = coverage(draws[kind], n, level);
    expect(found).toBeGreaterThan(least);
    expect(found).toBeLessThanOrEqual(most);
  });
});

it.each([
  [[1, 1, 1], 0.25],
  [[1, 1, 1, 1, 1], 0.0625],
  [[-1, -2, -3, -4, -5, -6, -7, -8], 2 / 2 ** 8],
  [[1, 1, 1, 1, -1], 0.375],
  [[1, -1], 1],
  [[0, 0, 1, 1, 1], 0.25],
  [[0], 1],
])('the exact sign test of %j is %d', (values, p) => expect(signTest(values)).toBeCloseTo(p, 12));

describe('the crossed bootstrap', () => {
  it('is wider than the spread over seeds alone, and the same every time', () => {
    const seeds = [0, 1, 2].map((seed) => Array.from({ length: 400 }, (_, i) => ((i * 7 + seed) % 10 === 0 ? 1 : 0)));
    const interval = crossedBootstrap(seeds, 0.95);
    // All seeds have a tenth; the images alone make a standard error of 0.015 × the 3 seeds' mean.
    expect(interval?.low).toBeGreaterThan(0.06);
    expect(interval?.low).toBeLessThan(0.092);
    expect(interval?.high).toBeGreaterThan(0.108);
    expect(interval?.high).toBeLessThan(0.14);
    expect(crossedBootstrap(seeds, 0.95)).toEqual(interval);
  });

  it('of nothing is nothing', () => expect(crossedBootstrap([], 0.95)).toBeNull());
});

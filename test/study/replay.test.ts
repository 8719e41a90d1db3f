import { describe, expect, it } from 'vitest';
import { movement, MovingAverages } from '../../src/study/replay.js';

const moments = (mean: number, variance: number) => [Float32Array.of(mean), Float32Array.of(variance)];

describe('moving averages after the training', () => {
  it('are what the recursion from a mean of 0 and a variance of 1 on gives', () => {
    const average = new MovingAverages(0.5);
    average.add(moments(8, 4));
    average.add(moments(2, 16));
    expect(average.values(false)).toEqual(
      moments(0.5 * (0.5 * 0 + 0.5 * 8) + 0.5 * 2, 0.5 * (0.5 * 1 + 0.5 * 4) + 0.5 * 16),
    );
    expect(average.start).toBe(0.25);
  });

  it('are free of their start when corrected: of moments that stand still, those moments', () => {
    const average = new MovingAverages(0.999);
    for (let i = 0; i < 3; i++) average.add(moments(5, 7));
    const [mean, variance] = average.values(true);
    expect(mean?.[0]).toBeCloseTo(5, 5);
    expect(variance?.[0]).toBeCloseTo(7, 5);
    expect(average.values(false)[0]?.[0]).toBeLessThan(0.02);
  });

  it('weigh batches as the sum does when corrected', () => {
    const average = new MovingAverages(0.9);
    const means = [3, -1, 4, 1];
    for (const mean of means) average.add(moments(mean, 1));
    const weights = means.map((_, i) => 0.9 ** (means.length - 1 - i));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const expected = means.reduce((sum, mean, i) => sum + (mean * (weights[i] ?? 0)) / total, 0);
    expect(average.values(true)[0]?.[0]).toBeCloseTo(expected, 6);
  });
});

describe('how far moments moved', () => {
  it('is the mean over channels of both differences, deviations instead of variances, layers of any width', () => {
    const before = [Float32Array.of(0, 1), Float32Array.of(1, 4), Float32Array.of(10), Float32Array.of(9)];
    const after = [Float32Array.of(1, 1), Float32Array.of(4, 4), Float32Array.of(8), Float32Array.of(16)];
    expect(movement(before, after)).toBe((1 + 0 + (1 + 0) + 2 + 1) / 3);
    expect(movement(after, after)).toBe(0);
  });
});

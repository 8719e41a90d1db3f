import { describe, expect, it } from 'vitest';
import { shuffledOrder } from '../../src/data/batches.js';
import { batchSizes, epochCalls, modeOf, populationBatches, stepsPerCall } from '../../src/study/trialPlan.js';
import type { Trial } from '../../src/study/trial.js';

const trial: Trial = {
  model: { kind: 'lenet', norm: 'batch' },
  learningRate: 1,
  batchSize: 256,
  examples: 1000,
  epochs: 2,
  seed: 3,
  watch: [],
};
const flat = (calls: ReturnType<typeof epochCalls>) =>
  calls.flatMap(({ batches, learningRate }) => batches.map(({ length }) => [length, learningRate]));

describe("an epoch's calls", () => {
  it('hold every image once, in its order', () => {
    const order = shuffledOrder(1000, 3, 1);
    const calls = epochCalls({ ...trial, batchSize: 6 }, order, 0);
    expect(calls.flatMap(({ batches }) => batches.flatMap((rows) => [...rows]))).toEqual([...order]);
  });

  it('lower the learning rate at the very step, wherever calls end', () => {
    const small = { ...trial, examples: 40, batchSize: 4, decayAt: 0.65 };
    const order = new Int32Array(40);
    expect(flat(epochCalls(small, order, 0)).map(([, rate]) => rate)).toEqual(Array<number>(10).fill(1));
    expect(flat(epochCalls(small, order, 10)).map(([, rate]) => rate)).toEqual([
      ...Array<number>(3).fill(1),
      ...Array<number>(7).fill(0.1),
    ]);
  });

  it('begin one at each step where gradients are watched', () => {
    const small: Trial = { ...trial, examples: 400, batchSize: 4, watch: ['gradients'] };
    const starts: number[] = [];
    let step = 0;
    for (const { batches } of epochCalls(small, new Int32Array(400), 0)) {
      starts.push(step);
      step += batches.length;
    }
    expect(starts).toEqual([0, 1, 2, 10, 11, 75]);
  });

  it('take more steps the smaller they are', () => {
    expect([2, 4, 32, 128, 256, 1024].map((batchSize) => stepsPerCall({ batchSize }))).toEqual([64, 64, 8, 2, 1, 1]);
  });
});

describe('population statistics', () => {
  it.each([
    { examples: 60_000, batchSize: 256, sizes: [256, 39] },
    { examples: 60_000, batchSize: 2, sizes: [256, 39] },
    { examples: 6000, batchSize: 1000, sizes: [1000, 6] },
    { examples: 100, batchSize: 32, sizes: [100, 1] },
  ])('of $examples images in batches of $batchSize are taken over $sizes', ({ sizes, ...about }) => {
    const taken = populationBatches(about);
    expect([taken[0]?.length, taken.length]).toEqual(sizes);
    expect(taken.flatMap((rows) => [...rows])).toEqual(
      Array.from({ length: taken.length * (sizes[0] ?? 0) }, (_, i) => i),
    );
  });
});

describe('the steps to be compiled', () => {
  it('are those that are watched', () => {
    const names = (more: Partial<Trial>) => Object.keys(batchSizes({ ...trial, ...more }, 10_000)).sort();
    expect(names({})).toEqual(['train']);
    expect(names({ epochs: 0, watch: ['gradients'] })).toEqual(['gradients']);
    expect(names({ watch: ['epochs'] })).toEqual(['moments', 'test', 'testByBatch', 'train']);
    expect(names({ watch: ['epochs'], model: { kind: 'lenet', norm: 'group' } })).toEqual(['test', 'train']);
    expect(names({ watch: ['training-set'] })).toEqual(['moments', 'test', 'train', 'trainingSet']);
  });

  it('are compiled for a smaller last batch, too', () => {
    expect(batchSizes({ ...trial, watch: ['epochs'] }, 600)).toMatchObject({
      train: [256, 232],
      test: [250, 100],
      moments: [256],
    });
  });
});

describe('the mode', () => {
  it.each([
    { more: { examples: 60_000, epochs: 1 }, mode: 'fused' },
    { more: { examples: 6000, epochs: 10 }, mode: 'fused' },
    { more: { examples: 59_999, epochs: 1 }, mode: 'graph' },
    { more: { examples: 60_000, epochs: 1, batchSize: 64 }, mode: 'graph' },
    {
      more: {
        examples: 60_000,
        epochs: 1,
        model: { kind: 'mlp', depth: 2, width: 8, activation: 'relu', norm: 'batch' },
      },
      mode: 'graph',
    },
  ] as const)('is $mode for $more', ({ more, mode }) => {
    expect(modeOf({ ...trial, ...more })).toBe(mode);
  });
});

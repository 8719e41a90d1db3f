/** What a comparison makes of its runs, on runs made up for it. */
import { describe, expect, it } from 'vitest';
import { comparisonLines, runLineOf, seedLines, seedsWords } from '../../src/report/comparisonLines.js';
import { type ComparedRun, type ComparisonState, concluded, planned } from '../../src/study/comparison.js';
import { secondsLeft } from '../../src/study/pace.js';
import { spreadOf } from '../../src/study/spread.js';

/** A run of the recipe whose test accuracies after each epoch are these. */
function runOf(
  norm: ComparedRun['norm'],
  seed: number,
  accuracies: number[],
  more: Partial<ComparedRun> = {},
): ComparedRun {
  const epochs = accuracies.map((testAccuracy, i) => ({
    ...{ epoch: i + 1, loss: 0.25 + seed / 100, trainAccuracy: 0.9, testAccuracy },
    ...{ testAccuracyPopulation: norm === 'none' ? null : 0.88, populationImages: norm === 'none' ? null : 2560 },
    ...{ examplesPerSecond: 30_000 + 1000 * seed, seconds: 2 },
  }));
  const { epoch: _, seconds: __, ...final } = epochs.at(-1) ?? { epoch: 0, seconds: 0 };
  const run = { norm, seed, folder: `${norm}-seed-${seed}`, mode: 'fused', wallSeconds: 20, epochs, final };
  return { ...run, ...more } as ComparedRun;
}

const config: ComparisonState['config'] = {
  ...{ learningRate: 1, epochs: 10, batchSize: 256, momentum: 0.9, epsilon: 1e-5 },
  ...{ backend: 'native', device: 'cpu', mode: 'fused', started: '2026-11-26T00:00:00Z', versions: {} },
  machine: { platform: 'linux-x64', cpu: 'made up', cores: 2, memory: 1e9 },
};
const late = (...accuracies: number[]) => [...Array.from({ length: 7 }, () => 0.1), ...accuracies];
const stateOf = (...runs: ComparedRun[]): ComparisonState => ({
  config,
  seeds: [...new Set(runs.map(({ seed }) => seed))],
  runs,
});

describe('the place of the reference runs', () => {
  const placesIn = (...runs: ComparedRun[]) => concluded(stateOf(...runs), null).reference;

  it('is among the last three epochs of every seed, and among the last alone, kind by kind', () => {
    const places = placesIn(
      runOf('scratch', 1, late(0.7, 0.82, 0.86)),
      runOf('scratch', 2, late(0.85, 0.8, 0.87)),
      runOf('builtin', 1, late(0.72, 0.86, 0.87)),
      runOf('none', 1, late(0.1, 0.1, 0.1)),
    );
    expect(places).toEqual([
      {
        ...{ norm: 'scratch', testAccuracy: 0.807, epochs: 3 },
        late: { min: 0.7, max: 0.87, count: 6, lower: 2, within: true },
        last: { min: 0.86, max: 0.87, count: 2, lower: 0, within: false },
      },
      {
        ...{ norm: 'builtin', testAccuracy: 0.708, epochs: 3 },
        late: { min: 0.72, max: 0.87, count: 3, lower: 0, within: false },
        last: { min: 0.87, max: 0.87, count: 1, lower: 0, within: false },
      },
    ]);
  });

  it.each([
    { learningRate: 0.5 },
    { epochs: 9 },
    { batchSize: 128 },
    { momentum: 0.99 },
    { epsilon: 1e-3 },
    { data: { name: 'KMNIST', sha256: '0'.repeat(64) } },
  ])('is not told of other runs: %o', (other) => {
    const state = stateOf(runOf('scratch', 1, late(0.7, 0.8, 0.9)), runOf('builtin', 1, late(0.7, 0.8, 0.9)));
    expect(concluded(state, null).reference).toBeDefined();
    const changed = concluded({ ...state, config: { ...config, ...other } }, null);
    expect(changed.reference).toBeUndefined();
    expect(comparisonLines(changed)).toContain(
      'the reference runs (10 epochs on Fashion-MNIST: lr 1, batch size 256) were trained otherwise, and are not held against these',
    );
  });

  it('is not told where a kind has no run that came to its end', () => {
    expect(placesIn(runOf('scratch', 1, late(0.7, 0.8, 0.9)))).toBeUndefined();
    expect(
      placesIn(runOf('scratch', 1, late(0.7, 0.8, 0.9)), runOf('builtin', 1, late(0.7), { final: null })),
    ).toBeUndefined();
  });
});

it('a spread is mean, range and the sample’s deviation, which a single value has not', () => {
  expect(spreadOf([1, 2, 6])).toEqual({ mean: 3, deviation: Math.sqrt(7), min: 1, max: 6 });
  expect(spreadOf([0.5])).toEqual({ mean: 0.5, deviation: null, min: 0.5, max: 0.5 });
});

it('the plan goes seed by seed, has each run once, and begins each seed with another kind', () => {
  const plan = planned([4, 5, 6, 7]);
  expect(plan.map(({ seed }) => seed)).toEqual([4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
  expect(new Set(plan.map(({ folder }) => folder)).size).toBe(12);
  expect(plan.filter((_, i) => i % 3 === 0).map(({ norm }) => norm)).toEqual(['none', 'scratch', 'builtin', 'none']);
});

describe('the time that is left', () => {
  const done = [
    { kind: 'none', seconds: 10 },
    { kind: 'scratch', seconds: 20 },
    { kind: 'scratch', seconds: 30 },
  ];
  it.each([
    ['is unknown before anything was measured', { done: [], left: ['none'] }, undefined],
    ['is what the same kind took', { done, left: ['none', 'scratch'] }, 35],
    ['is the mean of others for a kind never met', { done, left: ['builtin'] }, 20],
    // Its own pace, 30 s for three quarters, counts as one more of its kind.
    ['counts what is left of the run under way', { done, current: at('none', 0, 0.75, 30), left: [] }, 25 / 4],
  ] as const)('%s', (_, pace, expected) => expect(secondsLeft(pace)).toBe(expected));

  it('follows the pace of the first run alone, from where it went on, once that tells something', () => {
    expect(secondsLeft({ done: [], current: at('none', 0, 0.01, 3), left: ['none'] })).toBeUndefined();
    expect(secondsLeft({ done: [], current: at('none', 0.5, 0.75, 5), left: ['scratch'] })).toBe(5 + 20);
  });

  function at(kind: string, from: number, share: number, seconds: number) {
    return { kind, from, share, seconds };
  }
});

describe('the table', () => {
  const speed = {
    ...{ turns: 7, steps: 40, scratch: { median: 3, min: 2, max: 4 }, builtin: { median: 2, min: 2, max: 3 } },
    ratio: { median: 1.5, min: 1.25, max: 1.75 },
  };
  const state = stateOf(
    runOf('none', 1, late(0.5, 0.6, 0.75)),
    runOf('none', 2, late(0.5), { final: null }),
    runOf('scratch', 1, late(0.7, 0.82, 0.86)),
    runOf('scratch', 2, late(0.85, 0.8, 0.87)),
    runOf('builtin', 1, late(0.7, 0.86, 0.87)),
    runOf('builtin', 2, late(0.7, 0.86, 0.87)),
  );
  const comparison = concluded(state, speed);

  it('has means and ranges, the reference beside them, what diverged, and in words what stands in it', () => {
    expect(comparisonLines(comparison)).toEqual([
      'LeNet on Fashion-MNIST, 10 epochs: lr 1, batch size 256, seeds 1 to 2',
      'mean [range] over seeds    none                 scratch  reference                 builtin  reference',
      'loss                      0.260     0.265 [0.260–0.270]      0.273     0.265 [0.260–0.270]      0.267',
      'train acc                 0.900     0.900 [0.900–0.900]      0.899     0.900 [0.900–0.900]      0.902',
      'test acc (moving avg)     0.750     0.865 [0.860–0.870]      0.807     0.870 [0.870–0.870]      0.708',
      'test acc (population)         –     0.880 [0.880–0.880]          –     0.880 [0.880–0.880]          –',
      'examples/sec             31,000  31,500 [31,000–32,000]     32,294  31,500 [31,000–32,000]     50,597',
      'none diverged (a loss was not finite) from seed 2: not in its figures',
      '',
      'the reference is one published run of each, on one GPU, with PyTorch; its test acc beside ours with the moving average:',
      '0.807 (scratch) is within the range of ours after each of the last 3 epochs of 2 seeds (0.700 to 0.870, 2 of 6 lower), but outside that after the last alone (0.860 to 0.870, 0 of 2 lower)',
      '0.708 (builtin) is within the range of ours after each of the last 3 epochs of 2 seeds (0.700 to 0.870, 2 of 6 lower), but outside that after the last alone (0.870 to 0.870, 0 of 2 lower)',
      '',
      'scratch trains 1.50 [1.25–1.75] times as fast as builtin, divided turn by turn (median [range] of 7 turns of 40 steps): the layer from scratch is the faster one here; in the reference it is the other way round (0.64)',
    ]);
  });

  it.each([
    [{ median: 0.8, min: 0.7, max: 0.9 }, 'the built-in layer is the faster one, as in the reference (0.64)'],
    [
      { median: 1.2, min: 0.9, max: 1.4 },
      'neither is the faster one in every turn; in the reference the built-in layer is',
    ],
  ])('says which layer is faster only where every turn says so: %o', (ratio, words) => {
    expect(comparisonLines(concluded(state, { ...speed, ratio })).at(-1)).toContain(words);
  });

  it('stands below each other where the terminal is narrow', () => {
    expect(comparisonLines(comparison, 80).slice(1, 4)).toEqual([
      'mean [range] over seeds',
      'loss',
      '   none 0.260   scratch 0.265 [0.260–0.270]   reference 0.273   builtin 0.265 [0.260–0.270]   reference 0.267',
    ]);
  });

  it('has each seed on request', () => {
    expect(seedLines(comparison).slice(0, 4)).toEqual([
      'each seed            loss  train acc  test acc (moving avg)  test acc (population)  examples/sec',
      'none, seed 1        0.260      0.900                  0.750                      –        31,000',
      'none, seed 2     diverged   diverged               diverged               diverged      diverged',
      'scratch, seed 1     0.260      0.900                  0.860                  0.880        31,000',
    ]);
    expect(seedsWords([3])).toBe('seed 3');
  });

  it('is told run by run before it is there', () => {
    expect(state.runs.slice(0, 3).map(runLineOf)).toEqual([
      'none, seed 1   loss 0.260   train acc 0.900   test acc 0.750   31,000 examples/sec',
      'none, seed 2   diverged: a loss was not finite',
      'scratch, seed 1   loss 0.260   train acc 0.900   test acc 0.860 moving avg, 0.880 population   31,000 examples/sec',
    ]);
  });
});

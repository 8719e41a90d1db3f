/** The registration, and which trials it asks for: shared ones once, tuned ones by training alone. */
import { describe, expect, it } from 'vitest';
import { judge } from '../../src/study/judge.js';
import { firstStage, likelyStage, secondStage, trialKey } from '../../src/study/plan.js';
import { CLAIM_IDS, parseRegistration, type Registration, verdictLevel } from '../../src/study/registration.js';
import type { Trial, TrialRecord } from '../../src/study/trial.js';
import { record, REGISTRATION_BYTES, registration } from '../support/madeUpTrials.js';

/** Trains at rates up to a limit, best at another. */
function tuned(trial: Trial, best: number, limit: number): TrialRecord {
  const trains = trial.learningRate <= limit;
  return record(trial, {
    losses: [trains ? 0.5 + Math.abs(Math.log10(trial.learningRate / best)) : 3],
    accuracies: [trains ? 0.8 : 0.1],
  });
}

const norm = ({ model }: Trial) => model.norm;
const finished = (trials: Trial[], best = { none: 1, batch: 3 }, limit = { none: 3, batch: 30 }) =>
  trials.map((trial) => {
    const arm = norm(trial) === 'none' ? 'none' : 'batch';
    return tuned(trial, best[arm], limit[arm]);
  });
const rates = (trials: Trial[], of: string) =>
  [...new Set(trials.filter((trial) => norm(trial) === of).map(({ learningRate }) => learningRate))].sort(
    (a, b) => a - b,
  );

describe('the registration', () => {
  it('judges each of ten claims at 99.5 %, in a quick study at 95 %', () => {
    expect(CLAIM_IDS).toHaveLength(10);
    expect(verdictLevel(registration, false)).toBeCloseTo(0.995, 12);
    expect(verdictLevel(registration, true)).toBe(0.95);
  });

  it('tunes on seeds by which no claim is judged', () => {
    const { tuning, ...others } = registration.blocks;
    for (const extent of ['full', 'quick'] as const) {
      const seeds = new Set(tuning?.[extent]?.seeds);
      expect(seeds.size).toBeGreaterThan(0);
      for (const block of Object.values(others))
        expect(block[extent]?.seeds.filter((seed) => seeds.has(seed)) ?? []).toEqual([]);
    }
  });

  it('has the same grid, images, epochs and seeds for each arm, and judges by no fewer than three seeds', () => {
    for (const id of CLAIM_IDS) {
      const trials = firstStage(registration, [id], false).filter(({ seed }) => seed < 100);
      for (const { learningRate, batchSize, watch } of trials) {
        const seeds = trials.filter(
          (of) => of.learningRate === learningRate && of.batchSize === batchSize && of.watch === watch,
        );
        expect(seeds.length).toBeGreaterThanOrEqual(3);
      }
    }
  });

  const without = (path: string[]) => {
    const copy = JSON.parse(REGISTRATION_BYTES.toString()) as Record<string, unknown>;
    const last = path.at(-1) ?? '';
    const at = path.slice(0, -1).reduce((inner, key) => inner[key] as Record<string, unknown>, copy);
    return { copy, at, last };
  };
  const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));

  it.each<[string[], unknown, string]>([
    [['claims', 'noise', 'parts', 'noisy', 'margins'], 'none', 'claims.noise.parts.noisy.margins'],
    [
      ['claims', 'noise', 'parts', 'noisy', 'rule'],
      'beside',
      'claims.noise.parts.noisy.rule to be a rule, got "beside"',
    ],
    [['claims', 'convergence'], undefined, 'claims.convergence'],
    [['claims', 'convergence', 'text'], 1, 'claims.convergence.text to be text, got 1'],
    [
      ['blocks', 'tuning', 'full', 'seeds'],
      [0],
      'blocks.tuning.full.seeds.0 to be a whole number from 1 to 2147483647, got 0',
    ],
    [['blocks', 'tuning', 'full', 'seeds'], [], 'blocks.tuning.full.seeds to be at least one seed'],
    [['blocks', 'tuning', 'arms', 'none', 'model', 'norm'], 'layer', 'a norm of LeNet, got "layer"'],
    [['level'], 1, 'level to be a number between 0 and 1, got 1'],
    [['blocks', 'noise'], undefined, 'a block named noise, as noise asks for it, got none'],
  ])('is refused where %j is %j', (path, value, words) => {
    const { copy, at, last } = without(path);
    at[last] = value;
    expect(() => parseRegistration(bytesOf(copy))).toThrow('Cannot read data/claims.json: expected ');
    expect(() => parseRegistration(bytesOf(copy))).toThrow(words);
  });
});

describe('the trials', () => {
  it.each([false, true])('of all claims come once each, quick: %s', (quick) => {
    const first = firstStage(registration, CLAIM_IDS, quick);
    expect(new Set(first.map(trialKey)).size).toBe(first.length);
    const second = secondStage(registration, CLAIM_IDS, quick, finished(first));
    expect(new Set([...first, ...second].map(trialKey)).size).toBe(first.length + second.length);
    expect(second.length).toBeLessThanOrEqual(likelyStage(registration, CLAIM_IDS, quick).length);
  });

  it('of one claim are those that it has among all', () => {
    const all = new Set(firstStage(registration, CLAIM_IDS, false).map(trialKey));
    for (const id of CLAIM_IDS) {
      const own = firstStage(registration, [id], false);
      expect(own.length).toBeGreaterThan(0);
      expect(own.every((trial) => all.has(trialKey(trial)))).toBe(true);
    }
  });

  it('of claims on one training are shared', () => {
    const [noise, convergence] = [
      firstStage(registration, ['noise'], false),
      firstStage(registration, ['convergence'], false),
    ];
    const shared = firstStage(registration, ['noise', 'convergence'], false);
    expect(shared.length).toBe(noise.length + convergence.length - 16);
  });

  it('are known by their fields, in whatever order', () => {
    const [trial] = firstStage(registration, ['noise'], false) as [Trial];
    expect(trialKey(Object.fromEntries(Object.entries(trial).reverse()) as unknown as Trial)).toBe(trialKey(trial));
    expect(trialKey({ ...trial, seed: 77 })).not.toBe(trialKey(trial));
  });

  it('of a quick study leave out what does not fit, and say so', () => {
    const ids = ['final-accuracy', 'regularization'] as const;
    expect(firstStage(registration, ids, true)).toEqual([]);
    const { claims, left } = judge(registration, CLAIM_IDS, true, [], trialKey);
    expect(claims.map(({ claim }) => claim)).toEqual(
      CLAIM_IDS.filter((id) => !(ids as readonly string[]).includes(id)),
    );
    expect(left.map(({ claim }) => claim)).toEqual(ids);
    expect(left.every(({ why }) => why.length > 0)).toBe(true);
  });

  it('have rates in proportion to the batch where a claim asks for it', () => {
    const trials = firstStage(registration, ['small-batches'], false);
    expect(new Set(trials.map(({ learningRate, batchSize }) => learningRate / batchSize))).toEqual(new Set([1 / 256]));
  });
});

describe('the second stage', () => {
  const first = firstStage(registration, CLAIM_IDS, false);
  const asked = (claim: 'convergence' | 'learning-rates', ...of: Parameters<typeof finished>) =>
    secondStage(registration, [claim], false, finished(...of));

  it('trains each arm at its own best rate, on other seeds', () => {
    const trials = asked('convergence', first);
    expect([rates(trials, 'none'), rates(trials, 'batch')]).toEqual([[1], [3]]);
    expect(new Set(trials.map(({ seed }) => seed))).toEqual(new Set([1, 2, 3, 4, 5]));
  });

  it('tries the largest rate that trains and the next one', () => {
    const trials = asked('learning-rates', first);
    expect([rates(trials, 'none'), rates(trials, 'batch')]).toEqual([
      [3, 10],
      [30, 100],
    ]);
  });

  it('at the ends of the grid tries what there is', () => {
    const trials = asked('learning-rates', first, undefined, { none: 0.001, batch: 1000 });
    expect([rates(trials, 'none'), rates(trials, 'batch')]).toEqual([[0.03], [100]]);
  });

  it('takes of equal rates the smaller one, never one that diverged, and no test accuracy', () => {
    const records = finished(first).map((of) => {
      if (of.trial.learningRate === 3) return { ...of, outcome: 'diverged' as const, losses: [0.01] };
      return { ...of, losses: [of.trial.learningRate === 0.1 || of.trial.learningRate === 1 ? 0.5 : 1] };
    });
    const trials = secondStage(registration, ['convergence'], false, records);
    expect([rates(trials, 'none'), rates(trials, 'batch')]).toEqual([[0.1], [0.1]]);
    // Tuning trials do not even look at the test images.
    expect(registration.blocks['tuning']?.arms).toMatchObject({ none: { watch: [] }, batch: { watch: [] } });
  });

  it('takes one seed of three that fails at a rate for a rate that trains', () => {
    const records = finished(first).map((of) =>
      of.trial.seed === 101 && of.trial.learningRate === 3 ? { ...of, accuracies: [0.1] } : of,
    );
    expect(rates(secondStage(registration, ['learning-rates'], false, records), 'none')).toEqual([3, 10]);
  });

  it('waits for all of the first', () => {
    const own = firstStage(registration, ['convergence'], false);
    expect(() => secondStage(registration, ['convergence'], false, finished(own.slice(1)))).toThrow(
      `Cannot plan the study's second stage: expected the ${own.length} trials of the first to be finished, got ${own.length - 1}`,
    );
  });
});

describe('the verdicts', () => {
  it('come in the order of the registration, with the files that each stands on', () => {
    const first = firstStage(registration, CLAIM_IDS, false);
    const { claims } = judge(
      registration,
      ['small-batches', 'noise'],
      false,
      finished(first),
      ({ seed }) => `seed-${seed}`,
    );
    expect(claims.map(({ claim }) => claim)).toEqual(['noise', 'small-batches']);
    expect(claims[0]?.trials).toEqual(Array.from({ length: 8 }, (_, i) => `seed-${i + 1}`));
    expect(claims[0]?.literature.source).toContain('1805.11604');
  });

  it('a registration with other margins judges by these', () => {
    const other: Registration = JSON.parse(REGISTRATION_BYTES.toString()) as Registration;
    other.claims.noise.parts.noisy.margins = [2.5];
    expect(judge(other, ['noise'], false, [], trialKey).claims[0]?.criterion).toBe('interval wholly above 2.5 times');
  });
});

/** Each claim judged on trials whose outcomes are made up: where it holds, where it does not, and where nobody can say. */
import { describe, expect, it } from 'vitest';
import type { ClaimResult } from '../../src/study/result.js';
import type { LayerNorms, Trial, TrialEpoch, TrialRecord } from '../../src/study/trial.js';
import { jitter, judged, lossesReaching, type Outcome, stepsOf } from '../support/madeUpTrials.js';

/** Tuning trials by which 1 is the best rate of either arm, but which train up to 1 (none) and 10 (batch normalization). */
function tuning(arm: string, trial: Trial): Partial<TrialRecord> {
  const limit = arm === 'none' ? 1 : 10;
  const steps = stepsOf(trial);
  const all = (value: number) => Array.from({ length: steps }, () => value);
  if (trial.learningRate > limit) return { losses: all(2.3), accuracies: all(0.1) };
  return { losses: all(1 + Math.abs(Math.log10(trial.learningRate))), accuracies: all(0.7) };
}

/** An outcome for all blocks but the tuning one. */
const after =
  (outcome: Outcome): Outcome =>
  (arm, trial, block) =>
    block === 'tuning' ? tuning(arm, trial) : outcome(arm, trial, block);

const diverged = (trial: Trial): Partial<TrialRecord> => ({
  outcome: 'diverged',
  losses: lossesReaching(trial, 1e9).slice(0, 60),
});

/** JSON keeps all of a result: it has no NaN, no Infinity and nothing undefined. */
function whole(result: ClaimResult): ClaimResult {
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  expect(result.remarks.join('')).not.toMatch(/NaN|undefined|Infinity/);
  return result;
}

describe('moving-average', () => {
  const epoch = (moving: number, population: number): TrialEpoch => ({
    test: { accuracy: moving, loss: 1 },
    testPopulation: { accuracy: population, loss: 1 },
    testBatch: { accuracy: population, loss: 1 },
    momenta: [0.5, 0.9].map((momentum) => ({ momentum, accuracy: moving, corrected: population })),
  });
  const gaps =
    (gap: number, spread: number): Outcome =>
    (_, { epochs, seed }) => ({
      epochs: Array.from({ length: epochs }, (_, i) => epoch(0.8 - (i % 2) * 0.1, 0.75 + gap + spread * jitter(seed))),
    });

  it.each<[string, Outcome, string, number]>([
    ['lags', gaps(0.05, 0.01), 'holds', 5],
    ['does not lag', gaps(0, 0.001), 'does not hold', 0],
    ['lags at some seeds', gaps(0.02, 0.03), 'undecided', 2],
  ])('%s', (_, outcome, verdict, effect) => {
    const found = whole(judged('moving-average', outcome));
    expect(found.verdict).toBe(verdict);
    expect(Math.abs((found.effect ?? NaN) - effect)).toBeLessThan(0.8);
    expect(found.parts[0]?.seeds).toHaveLength(8);
    expect(found.interval?.level).toBeCloseTo(0.995, 12);
  });

  it('tells how many moving averages are below the reference run', () => {
    const { secondary } = judged('moving-average', gaps(0.05, 0));
    expect(secondary.find(({ name }) => name.startsWith('reference run, from scratch'))?.value).toBe(100);
    expect(secondary.find(({ name }) => name.startsWith('reference run, built-in'))?.value).toBe(50);
  });

  it('counts a run that diverged with the epochs before, and leaves out one without any', () => {
    const some =
      (epochs: number): Outcome =>
      (arm, trial, block) => {
        const record = gaps(0.05, 0.01)(arm, trial, block);
        if (trial.seed !== 3) return record;
        return { ...record, outcome: 'diverged', epochs: record?.epochs?.slice(0, epochs) ?? [] };
      };
    expect(judged('moving-average', some(2))).toMatchObject({
      verdict: 'holds',
      remarks: [expect.stringContaining('diverged')],
    });
    expect(whole(judged('moving-average', some(0))).verdict).toBe('undecided');
  });

  it('by momentum: a point for each, as it is and corrected', () => {
    const picture = judged('moving-average', gaps(0.05, 0)).pictures[1];
    expect(picture).toMatchObject({ kind: 'lines', series: [{ x: [2, 10] }, { x: [2, 10] }] });
  });

  it('quick, at 95 %', () => expect(judged('moving-average', gaps(0.05, 0.01), true).interval?.level).toBe(0.95));
});

describe('vanishing and exploding gradients', () => {
  /** Norms that change by a factor a layer towards the input; an output layer at the end, which takes no part. */
  const layers = (trial: Trial, weights: number, outputs: number): LayerNorms[] => {
    const depth = trial.model.kind === 'mlp' ? trial.model.depth : 0;
    return Array.from({ length: depth + 1 }, (_, i) => ({
      layer: i + 1,
      weight: 2,
      weightGradient: i === depth ? 77 : weights ** (depth - i),
      outputGradient: i === depth ? 77 : outputs ** (depth - i),
    }));
  };
  const stacks =
    (none: number, batch: number, spread = 0.01): Outcome =>
    (arm, trial) => {
      const factor = (arm.startsWith('none') ? none : batch) * (1 + spread * jitter(trial.seed));
      return {
        accuracies: [0.5],
        gradients: [0, 1, 10].map((step) => ({ step, layers: layers(trial, factor, factor) })),
      };
    };

  it.each([
    [0.25, 1.02, 'holds'],
    [0.25, 1.5, 'does not hold'],
    [0.8, 1.02, 'does not hold'],
    [0.5, 1.02, 'undecided'],
  ])('vanishing: %d a layer without, %d with', (none, batch, verdict) => {
    const found = whole(judged('vanishing-gradients', stacks(none, batch)));
    expect(found.verdict).toBe(verdict);
    expect(found.effect).toBeCloseTo(none, 2);
    expect(found.parts[1]?.effect).toBeCloseTo(batch, 2);
    expect(found.parts[0]?.seeds).toHaveLength(10);
    expect(found.secondary[0]?.value).toBeCloseTo(none ** 19, 2);
  });

  it.each([
    [1, 1.211, 'holds'],
    [1, 1, 'does not hold'],
    [1.3, 1.211, 'does not hold'],
    [1, 1.2718, 'undecided'],
  ])('exploding: %d a layer without, %d with', (none, batch, verdict) => {
    const found = whole(judged('exploding-gradients', stacks(none, batch)));
    expect(found.verdict).toBe(verdict);
    expect(found.effect).toBeCloseTo(batch, 2);
    expect(found.secondary.map(({ name }) => name)).toEqual([
      'growth with batches of 8',
      'growth with batches of 32',
      'growth after 1 step at learning rate 0.1',
      'growth after 10 steps at learning rate 0.1',
    ]);
  });

  it.each(['vanishing-gradients', 'exploding-gradients'] as const)(
    '%s: a trial that is missing decides nothing',
    (id) => {
      const found = whole(
        judged(id, (arm, trial, block) => (trial.seed === 4 ? undefined : stacks(0.25, 1.02)(arm, trial, block))),
      );
      expect(found.verdict).toBe('undecided');
      expect(found.remarks.at(-1)).toMatch(/^\d+ trials are missing\.$/);
    },
  );
});

describe('convergence', () => {
  const steps = (none: number, batch: number, spread = 0.05): Outcome =>
    after((arm, trial) => ({
      losses: lossesReaching(
        trial,
        Math.round((arm === 'none' ? none : batch) * (1 + (arm === 'none' ? spread * jitter(trial.seed) : 0))),
      ),
    }));

  it.each([
    [600, 200, 'holds', 3],
    [200, 200, 'does not hold', 1],
    [300, 200, 'undecided', 1.5],
  ])('%d steps without, %d with', (none, batch, verdict, effect) => {
    const found = whole(judged('convergence', steps(none, batch)));
    expect(found).toMatchObject({ verdict, unit: 'times' });
    expect(Math.abs((found.effect ?? NaN) / effect - 1)).toBeLessThan(0.05);
    expect(found.secondary[0]?.value).toBeGreaterThan(0.9);
    expect(found.parts[0]?.bound).toBe(false);
  });

  it('a network that never gets there is a bound', () => {
    const found = whole(judged('convergence', steps(1e9, 200)));
    expect(found).toMatchObject({ verdict: 'holds', parts: [{ bound: true }] });
    expect(found.effect).toBeCloseTo((15 * 235) / 200, 6);
    expect(found.remarks[0]).toBe('5 of 5 runs of none never reached a training loss of 1; their steps are bounds.');
  });

  it('tells the best learning rates, and where the grid may have been too short', () => {
    const { remarks } = judged('convergence', (arm, trial, block) =>
      block !== 'tuning'
        ? { losses: lossesReaching(trial, 200) }
        : { losses: [arm === 'none' ? 1 / trial.learningRate : Math.abs(Math.log(trial.learningRate / 3))] },
    );
    expect(remarks).toContain(
      'none: the best learning rate is 100, at the edge of the grid, which may have been too short.',
    );
    expect(remarks).toContain('batch normalization: the best learning rate is 3.');
  });

  it('a bound below the margin decides nothing', () =>
    expect(judged('convergence', steps(1e9, 3000)).verdict).toBe('undecided'));

  it('batch normalization that never gets there cannot hold', () => {
    expect(whole(judged('convergence', steps(600, 1e9))).verdict).toBe('does not hold');
    expect(whole(judged('convergence', steps(1e9, 1e9)))).toMatchObject({ verdict: 'undecided', effect: null });
  });

  it('a run that diverged never got there', () => {
    const found = judged(
      'convergence',
      after((arm, trial) => (arm === 'none' ? diverged(trial) : { losses: lossesReaching(trial, 200) })),
    );
    expect(found.verdict).toBe('holds');
    expect(found.remarks[0]).toContain('5 of them diverged');
  });

  it('is undecided until the best rates are known', () =>
    expect(
      whole(
        judged('convergence', (arm, trial, block) =>
          block === 'tuning' ? undefined : steps(600, 200)(arm, trial, block),
        ),
      ),
    ).toMatchObject({
      verdict: 'undecided',
      effect: null,
    }));
});

describe('learning-rates', () => {
  const limits = (none: number, batch: number, ofSeed: (seed: number) => number = () => 1): Outcome =>
    after((arm, trial) => {
      const trains = trial.learningRate <= (arm === 'none' ? none : batch * ofSeed(trial.seed));
      return { accuracies: Array.from({ length: stepsOf(trial) }, () => (trains ? 0.7 : 0.1)) };
    });

  it('holds where even the ends of the grid steps are apart: 10 against less than 3', () => {
    const found = whole(judged('learning-rates', limits(1, 10)));
    expect(found).toMatchObject({ verdict: 'holds', effect: 1 });
    expect(found.interval?.low).toBeCloseTo(Math.log10(10 / 3), 12);
    expect(found.interval?.high).toBeCloseTo(Math.log10(30), 12);
    expect(found.remarks).toContain('none: the limit lies between 1 and 3.');
    expect(found.remarks).toContain('batch normalization: the limit lies between 10 and 30.');
  });

  it('is undecided where the grid leaves it open', () => {
    expect(judged('learning-rates', limits(3, 10)).verdict).toBe('undecided');
  });

  it('does not hold where batch normalization fails where none trains', () => {
    const other = (arm: string) => (arm === 'none' ? 'batch' : 'none');
    const outcome: Outcome = (arm, trial, block) =>
      block === 'tuning' ? tuning(other(arm), trial) : limits(10, 1)(arm, trial, block);
    expect(judged('learning-rates', outcome)).toMatchObject({ verdict: 'does not hold', effect: -1 });
  });

  it('a seed outside the rates that ran is taken where the tuning seeds were, and told', () => {
    const found = judged(
      'learning-rates',
      limits(1, 10, (seed) => (seed === 2 ? 0.1 : 1)),
    );
    expect(found.parts[0]?.seeds[1]?.value).toBeCloseTo(Math.log10(3), 12);
    expect(found.remarks.join(' ')).toContain('batch normalization: for 1 of 5 seeds the limit lies outside');
  });

  it('a grid that ends too early gives a bound', () => {
    const endless: Outcome = (arm, trial, block) =>
      arm === 'none' ? limits(1, 1)(arm, trial, block) : { losses: [1], accuracies: [0.7] };
    const found = whole(judged('learning-rates', endless));
    expect(found).toMatchObject({ verdict: 'holds', effect: 2, parts: [{ bound: true }] });
    expect(found.remarks.join(' ')).toContain(
      'batch normalization was tried at the largest rate of the grid, which was too short.',
    );
  });

  it('a grid that goes far enough is not called too short, though its largest rate was tried', () => {
    const outcome: Outcome = (arm, trial) => limits(1, 30)(arm, trial, 'edges');
    const found = whole(judged('learning-rates', outcome));
    expect(found.remarks).toContain('batch normalization: the limit lies between 30 and 100.');
    expect(found.remarks.join(' ')).not.toContain('too short');
  });

  it('a run that diverged did not train', () => {
    const outcome: Outcome = (arm, trial, block) => {
      const record = limits(1, 10)(arm, trial, block);
      return arm === 'none' && trial.learningRate > 1 ? { ...record, outcome: 'diverged', accuracies: [0.9] } : record;
    };
    expect(judged('learning-rates', outcome)).toMatchObject({ verdict: 'holds', effect: 1 });
  });
});

describe('final-accuracy', () => {
  const ends = (none: number, batch: number, spread = 0.002): Outcome =>
    after((arm, { seed, epochs }) => {
      const accuracy = (arm === 'none' ? none : batch) + (arm === 'none' ? 0 : spread * jitter(seed));
      const images = Array.from({ length: 1000 }, (_, i) => (i < Math.round(accuracy * 1000) ? '1' : '0')).join('');
      return { images, epochs: Array.from({ length: epochs / 3 }, () => ({ test: { accuracy, loss: 1 } })) };
    });

  it.each([
    [0.88, 0.882, 'holds', 0.2],
    [0.85, 0.89, 'does not hold', 4],
    [0.88, 0.89, 'undecided', 1],
  ])('%d without, %d with', (none, batch, verdict, effect) => {
    const found = whole(judged('final-accuracy', ends(none, batch)));
    expect(found.verdict).toBe(verdict);
    expect(Math.abs((found.effect ?? NaN) - effect)).toBeLessThan(0.2);
  });

  it('the bootstrap over test images is told beside the interval over seeds', () => {
    const found = judged('final-accuracy', ends(0.88, 0.89));
    const { interval } = found.secondary.find(({ name }) => name.includes('bootstrap')) ?? {};
    expect((interval?.high ?? NaN) - (interval?.low ?? NaN)).toBeGreaterThan(0.5);
  });

  it('a run that diverged counts as guessing', () => {
    const found = judged('final-accuracy', (arm, trial, block) =>
      block !== 'tuning' && arm === 'none' ? diverged(trial) : ends(0.88, 0.882)(arm, trial, block),
    );
    expect(found.effect).toBeCloseTo(78.2, 0);
    expect(found).toMatchObject({ verdict: 'does not hold' });
    expect(found.remarks).toContain('5 runs diverged and count as guessing, with an accuracy of 0.1.');
  });
});

describe('noise', () => {
  const shaken =
    (none: number, noisy: number, instability: number): Outcome =>
    (arm, trial) => ({
      losses: lossesReaching(
        trial,
        Math.round((arm === 'noisy' ? noisy : none) * (1 + 0.05 * jitter(trial.seed + none))),
      ),
      instability: Array.from({ length: 300 }, () =>
        arm === 'noisy' ? instability * (1 + 0.1 * jitter(trial.seed)) : 1,
      ),
    });

  it.each([
    [600, 200, 3, 'holds'],
    [200, 200, 3, 'does not hold'],
    [300, 200, 3, 'undecided'],
    [600, 1e9, 3, 'does not hold'],
    [1e9, 200, 3, 'holds'],
  ])('%d steps without, %d with noise, shaken %d times as much', (none, noisy, instability, verdict) =>
    expect(whole(judged('noise', shaken(none, noisy, instability))).verdict).toBe(verdict),
  );

  it('that shakes nothing proves nothing', () => {
    const found = whole(judged('noise', shaken(600, 200, 0.9)));
    expect(found.verdict).toBe('undecided');
    expect(found.remarks.at(-1)).toContain('not put to the test');
  });
});

describe('scale-invariance', () => {
  interface World {
    loss?: number;
    gradient?: number;
    growth?: number;
    curve?: number;
    contrast?: number;
  }
  const world =
    ({ loss = 0, gradient = 0, growth = 1, curve = 0, contrast = 1 }: World): Outcome =>
    (arm, { weightScale = 1, learningRate }) => {
      const change = weightScale === 1 ? 0 : arm === 'none' ? contrast : curve;
      const first = 2.4 * (1 + (weightScale === 100 ? loss : 0));
      const norms = Array.from({ length: 20 }, (_, i) => ({
        weight: Math.sqrt(100 + growth * i * (learningRate * 0.5) ** 2),
        gradient: 0.5,
      }));
      return {
        losses: [first, ...Array.from({ length: 49 }, (_, i) => 2 - i / 50 + change)],
        gradients: [
          {
            step: 0,
            layers: [1, 2, 3].map((layer) => ({
              layer,
              weight: 1,
              outputGradient: 1,
              weightGradient: layer === 3 ? 9 : (1 + (weightScale === 100 ? gradient : 0)) / weightScale,
            })),
          },
        ],
        norms,
      };
    };

  it.each<[string, World, string]>([
    ['nothing changes', {}, 'holds'],
    ['the loss changes', { loss: 1e-3 }, 'does not hold'],
    ['a gradient changes', { gradient: 1e-3 }, 'does not hold'],
    ['the weights grow otherwise', { growth: 1.1 }, 'does not hold'],
    ['training changes', { curve: 2e-3 }, 'does not hold'],
    ['nothing changes without batch normalization either', { contrast: 0 }, 'undecided'],
  ])('%s', (_, of, verdict) => expect(whole(judged('scale-invariance', world(of))).verdict).toBe(verdict));

  it('a run that diverged is surely different', () => {
    const found = judged('scale-invariance', (arm, trial, block) =>
      arm === 'batch' && trial.weightScale === 10
        ? { ...world({})(arm, trial, block), outcome: 'diverged', losses: [2.4] }
        : world({})(arm, trial, block),
    );
    expect(whole(found).verdict).toBe('does not hold');
  });
});

describe('regularization', () => {
  /** Training losses that fall linearly to `lowest`, test losses that are larger by a gap that grows as they fall. */
  const falls = (lowest: Record<string, number>, gap: Record<string, number>, spread = 0.002): Outcome =>
    after((arm, { seed }) => ({
      epochs: Array.from({ length: 10 }, (_, i) => {
        const train = 2 - ((2 - (lowest[arm] ?? NaN)) * i) / 9;
        const extra = (gap[arm] ?? NaN) * (2 - train) + (arm === 'batch' ? spread * jitter(seed) : 0);
        const test = { accuracy: 0.5, loss: train + extra };
        return {
          test: arm === 'batch' ? { accuracy: 0, loss: 99 } : test,
          ...(arm === 'batch' ? { testPopulation: test } : {}),
          trainingSet: { accuracy: 0.5, loss: train },
        };
      }),
    }));

  it.each([
    [{ none: 0.1, batch: 0.05 }, 'holds', -0.075],
    [{ none: 0.1, batch: 0.1 }, 'does not hold', 0],
    [{ none: 0.1, batch: 0.0867 }, 'undecided', -0.02],
  ])('gaps of %j', (gap, verdict, effect) => {
    // Compared at 0.5, the lowest that `none` reaches, whatever batch normalization goes on to.
    const found = whole(judged('regularization', falls({ none: 0.5, batch: 0.1 }, gap)));
    expect(found.verdict).toBe(verdict);
    expect(Math.abs((found.effect ?? NaN) - effect)).toBeLessThan(0.002);
    expect(found.secondary[0]?.value).toBeCloseTo(0.5, 12);
  });

  it('curves without a training loss in common decide nothing', () => {
    const apart = falls({ none: 2.1, batch: 0.1 }, { none: 0.1, batch: 0.05 });
    const found = whole(judged('regularization', apart));
    expect(found).toMatchObject({ verdict: 'undecided', effect: null });
    expect(found.remarks[1]).toContain('no training loss in common');
  });

  it('a run that diverged before it was evaluated decides nothing', () => {
    const found = judged('regularization', (arm, trial, block) =>
      block !== 'tuning' && trial.seed === 2
        ? diverged(trial)
        : falls({ none: 0.5, batch: 0.1 }, { none: 0.1, batch: 0.05 })(arm, trial, block),
    );
    expect(whole(found).verdict).toBe('undecided');
    expect(found.remarks).toContain('2 runs diverged; they count with the epochs before.');
  });
});

describe('small-batches', () => {
  const accuracies =
    (batch: number, group: number): Outcome =>
    (arm, { batchSize, seed }) => {
      const lost = batchSize === 2 ? (arm === 'batch' ? batch : group) : 0;
      const accuracy = 0.8 - lost + 0.002 * jitter(seed + batchSize);
      return {
        epochs: [
          {
            test: { accuracy: arm === 'batch' ? accuracy - 0.1 : accuracy, loss: 1 },
            ...(arm === 'batch' ? { testPopulation: { accuracy, loss: 1 } } : {}),
          },
        ],
      };
    };

  it.each([
    [0.1, 0, 'holds'],
    [0.1, 0.1, 'does not hold'],
    [0.03, 0.01, 'undecided'],
    [0, -0.1, 'does not hold'],
  ])('batch normalization loses %d, group normalization %d', (batch, group, verdict) => {
    const found = whole(judged('small-batches', accuracies(batch, group)));
    expect(found.verdict).toBe(verdict);
    expect(Math.abs((found.effect ?? NaN) - 100 * (batch - group))).toBeLessThan(0.5);
  });

  it('a run that diverged counts as guessing', () => {
    const found = judged('small-batches', (arm, trial, block) =>
      arm === 'batch' && trial.batchSize === 2 ? { outcome: 'diverged' } : accuracies(0, 0)(arm, trial, block),
    );
    expect(found.effect).toBeCloseTo(70, 0);
    expect(found.verdict).toBe('holds');
  });
});

/** The rules by which intervals become verdicts: margins, bounds, missing seeds, identities, several parts. */
import { describe, expect, it } from 'vitest';
import type { RegisteredPart } from '../../src/study/registration.js';
import { compound, criterionOf, judgePart, type SeedValue } from '../../src/study/verdict.js';

const part = (rule: RegisteredPart['rule'], ...margins: number[]): RegisteredPart => ({
  measure: 'made up',
  unit: 'nats',
  mean: 'arithmetic',
  rule,
  margins,
});
const exact = (...values: number[]): SeedValue[] =>
  values.map((value, i) => ({ seed: i + 1, value, low: value, high: value }));
const verdict = (of: RegisteredPart, values: SeedValue[], asked = values.length) =>
  judgePart(of, { asked, values }, 0.95).verdict;

describe('one criterion', () => {
  it.each<[string, RegisteredPart, number[]]>([
    ['holds', part('above', 1), [1.9, 2, 2.1]],
    ['does not hold', part('above', 1), [0.4, 0.5, 0.6]],
    ['undecided', part('above', 1), [0.5, 2, 1]],
    ['undecided', part('above', 1), [0, 2, 4]],
    ['holds', part('below', -0.02), [-0.1, -0.11, -0.09]],
    ['does not hold', part('below', -0.02), [0.1, 0.11, 0.09]],
    ['undecided', part('below', -0.02), [-0.1, 0.1, -0.02]],
    ['holds', part('inside', -1, 1), [0.1, 0, -0.1]],
    ['does not hold', part('inside', -1, 1), [1.9, 2, 2.1]],
    ['does not hold', part('inside', -1, 1), [-1.9, -2, -2.1]],
    ['undecided', part('inside', -1, 1), [0.9, 1, 1.1]],
    ['undecided', part('inside', -1, 1), [-5, 0, 5]],
    ['undecided', part('above', 1), [9]],
    ['holds', part('each-below', 1), [0.1]],
    ['does not hold', part('each-below', 1), [0.1, 1]],
    ['holds', part('each-above', 1), [2, 3]],
    ['does not hold', part('each-above', 1), [2, 1]],
  ])('%s: %j of %j', (expected, of, values) => expect(verdict(of, exact(...values))).toBe(expected));

  it('is undecided while a seed is missing, and without any', () => {
    expect(verdict(part('above', 1), exact(2, 2.1, 1.9), 4)).toBe('undecided');
    expect(verdict(part('each-below', 1), exact(0.1), 2)).toBe('undecided');
    expect(verdict(part('each-below', 1), [])).toBe('undecided');
    expect(judgePart(part('above', 1), { asked: 0, values: [] }, 0.95)).toMatchObject({
      effect: null,
      interval: null,
      seeds: [],
    });
  });

  it('is held against the level asked for, with the 95 % interval beside it', () => {
    const found = judgePart(part('above', 1), { asked: 3, values: exact(1.5, 2, 2.5) }, 0.995);
    expect(found.verdict).toBe('undecided');
    expect(found.interval?.low).toBeCloseTo(2 - (14.08904727555528 * 0.5) / Math.sqrt(3), 8);
    expect(found.interval95?.low).toBeCloseTo(2 - (4.302652729749464 * 0.5) / Math.sqrt(3), 8);
  });

  it('takes ratios by their logarithms', () => {
    const found = judgePart({ ...part('above', 1.5), mean: 'geometric' }, { asked: 2, values: exact(2, 8) }, 0.95);
    expect(found.effect).toBeCloseTo(4, 12);
  });
});

describe('bounds', () => {
  const least = (of: SeedValue) => ({ ...of, high: Infinity });
  const most = (of: SeedValue) => ({ ...of, low: -Infinity });

  it('that are this or more can hold, and never fail', () => {
    expect(verdict(part('above', 1), exact(1.9, 2, 2.1).map(least))).toBe('holds');
    expect(verdict(part('above', 1), exact(0.4, 0.5, 0.6).map(least))).toBe('undecided');
    expect(verdict(part('inside', -1, 1), exact(0.1, 0, -0.1).map(least))).toBe('undecided');
    expect(verdict(part('inside', -1, 1), exact(1.9, 2, 2.1).map(least))).toBe('does not hold');
  });

  it('that are this or less can fail, and never hold', () => {
    const [first, ...others] = exact(1.9, 2, 2.1);
    expect(verdict(part('above', 1), [most(first as SeedValue), ...others])).toBe('undecided');
    expect(verdict(part('above', 1), exact(0.4, 0.5, 0.6).map(most))).toBe('does not hold');
    expect(verdict(part('below', 1), exact(0.4, 0.5, 0.6).map(most))).toBe('holds');
  });

  it('are told', () => {
    const found = judgePart(part('above', 1), { asked: 3, values: exact(1.9, 2, 2.1).map(least) }, 0.95);
    expect(found.bound).toBe(true);
    expect(found.seeds).toEqual([1.9, 2, 2.1].map((value, i) => ({ seed: i + 1, value, bound: true })));
    expect(judgePart(part('above', 1), { asked: 3, values: exact(1, 2, 3) }, 0.95).bound).toBe(false);
  });

  it('on both sides widen the interval', () => {
    const values = exact(1, 1, 1).map((of) => ({ ...of, low: 0.75, high: 1.25 }));
    const found = judgePart(part('above', 0.5), { asked: 3, values }, 0.95);
    expect([found.interval?.low, found.interval?.high, found.verdict, found.bound]).toEqual([
      0.75,
      1.25,
      'holds',
      false,
    ]);
    expect(verdict(part('above', 1), values)).toBe('undecided');
    expect(verdict(part('above', 1.5), values)).toBe('does not hold');
  });
});

describe('several criteria', () => {
  const parts = (...verdicts: [verdict: 'holds' | 'does not hold' | 'undecided', check?: boolean][]) =>
    compound(verdicts.map(([of, check = false]) => ({ verdict: of, check })));

  it('hold together, and fail by one', () => {
    expect(parts(['holds'], ['holds'])).toBe('holds');
    expect(parts(['holds'], ['undecided'])).toBe('undecided');
    expect(parts(['undecided'], ['does not hold'])).toBe('does not hold');
  });

  it('are undecided where the check fails that they were put to the test', () => {
    expect(parts(['holds'], ['does not hold', true])).toBe('undecided');
    expect(parts(['does not hold'], ['undecided', true])).toBe('undecided');
    expect(parts(['does not hold'], ['holds', true])).toBe('does not hold');
  });
});

it.each<[RegisteredPart, string]>([
  [part('above', 1.5), 'interval wholly above 1.5 nats'],
  [{ ...part('above', 1), unit: 'percentage points' }, 'interval wholly above 1 percentage point'],
  [{ ...part('above', 1), unit: 'times' }, 'interval wholly above 1 times'],
  [part('below', -0.02), 'interval wholly below -0.02 nats'],
  [{ ...part('inside', -1, 1), unit: '' }, 'interval wholly between -1 and 1'],
  [part('each-below', 1e-4), 'every seed below 0.0001 nats'],
  [part('each-above', 0.1), 'every seed above 0.1 nats'],
])('a criterion in words: %j', (of, words) => expect(criterionOf(of)).toBe(words));

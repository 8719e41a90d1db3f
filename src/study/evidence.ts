/** What a claim is judged from: its blocks' finished trials, by arm and seed, and the numbers made of them. */
import type { ClaimId, Registration } from './registration.js';
import type { ClaimResult, Picture } from './result.js';
import type { Trial, TrialRecord } from './trial.js';
import type { Measured, SeedValue } from './verdict.js';

/** A finished trial, and the arm of its block. */
export interface Run {
  arm: string;
  trial: Trial;
  record: TrialRecord;
}

/** What is there of one block. */
export interface BlockRuns {
  seeds: readonly number[];
  runs: readonly Run[];
}

export interface Evidence<Id extends ClaimId> {
  claim: Registration['claims'][Id];
  /** A block that a quick study leaves out, or whose rates are not known yet, has no runs. */
  block: (name: string) => BlockRuns;
}

/** What the trials say of a claim, before it is held against the criteria. */
export interface Finding<Id extends ClaimId> {
  measured: { [Part in keyof Registration['claims'][Id]['parts']]: Measured };
  secondary: ClaimResult['secondary'];
  pictures: Picture[];
  remarks: string[];
}

/** One value a seed; where it is undefined or not finite, none. */
export function perSeed(
  seeds: readonly number[],
  valueOf: (seed: number) => number | Omit<SeedValue, 'seed'> | undefined,
): Measured {
  const values = seeds.flatMap((seed) => {
    const found = valueOf(seed);
    if (found === undefined) return [];
    const range = typeof found === 'number' ? { value: found, low: found, high: found } : found;
    return Number.isFinite(range.value) ? [{ seed, ...range }] : [];
  });
  return { asked: seeds.length, values };
}

/** The run of an arm from a seed, and `where` more is asked of its trial. */
export function runOf(
  { runs }: BlockRuns,
  arm: string,
  seed: number,
  where: (trial: Trial) => boolean = () => true,
): TrialRecord | undefined {
  return runs.find((run) => run.arm === arm && run.trial.seed === seed && where(run.trial))?.record;
}

/** All runs of an arm, in the order of the seeds. */
export function recordsOf(
  { runs }: BlockRuns,
  arm: string,
  where: (trial: Trial) => boolean = () => true,
): TrialRecord[] {
  return runs.filter((run) => run.arm === arm && where(run.trial)).map(({ record }) => record);
}

/** Trials that nobody ran, with outcomes that a test makes up, judged as a study's are. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { judge } from '../../src/study/judge.js';
import { plannedOf, trialKey } from '../../src/study/plan.js';
import { type ClaimId, parseRegistration } from '../../src/study/registration.js';
import type { ClaimResult } from '../../src/study/result.js';
import type { Trial, TrialRecord } from '../../src/study/trial.js';
import { root } from './program.js';
import type { Identity } from '../../src/study/identity.js';

/** Of a made-up place where trials are computed. */
export const IDENTITY: Identity = {
  code: 'c',
  tensorflow: '2.18.1',
  device: 'cpu',
  addon: 'a',
  kernels: 'k',
  threads: 1,
  data: 'd',
};

export const REGISTRATION_BYTES = readFileSync(path.join(root, 'data/claims.json'));
export const registration = parseRegistration(REGISTRATION_BYTES);

/** What a trial of an arm leaves behind; undefined where it is missing. */
export type Outcome = (arm: string, trial: Trial, block: string) => Partial<TrialRecord> | undefined;

export function record(trial: Trial, outcome: Partial<TrialRecord> = {}): TrialRecord {
  return {
    trial,
    outcome: 'finished',
    losses: [],
    accuracies: [],
    epochs: [],
    seconds: 1,
    trainingSeconds: 1,
    ...outcome,
  };
}

/** The verdict on a claim, all of whose trials, and the tuning ones before, end as `outcome` has it. */
export function judged(id: ClaimId, outcome: Outcome, quick = false): ClaimResult {
  const records = new Map<string, TrialRecord>();
  for (const block of ['tuning', ...registration.claims[id].blocks]) {
    for (const { arm, trial } of plannedOf(registration, block, quick, [...records.values()])) {
      const found = outcome(arm, trial, block);
      if (found !== undefined) records.set(trialKey(trial), record(trial, found));
    }
  }
  const [claim] = judge(registration, [id], quick, [...records.values()], trialKey).claims;
  if (claim === undefined) throw new Error(`${id} is left out`);
  return claim;
}

export function stepsOf({ epochs, examples, batchSize }: Trial): number {
  return epochs * Math.ceil(examples / batchSize);
}

/** Losses from ln 10 down to half a nat, such that the mean of the last 50 first is 1 or less after `target` steps. */
export function lossesReaching(trial: Trial, target: number): number[] {
  return Array.from({ length: stepsOf(trial) }, (_, i) => (i < target - 50 ? 2.3 : 1));
}

/** A number between −1 and 1 that the seed decides. */
export function jitter(seed: number): number {
  return Math.sin(seed * 78.233);
}

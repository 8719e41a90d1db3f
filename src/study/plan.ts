/** Which trials a study needs: those of the first stage, and those whose learning rates the first stage decides. */
import { cannot } from '../common/errors.js';
import type { Block, ClaimId, Extent, Registration } from './registration.js';
import type { Trial, TrialRecord } from './trial.js';
import { bestRate, edgeRates } from './tuning.js';

/** The block by whose training losses rates are chosen. */
export const TUNING = 'tuning';

/** A trial of a block, and which of its arms it belongs to. */
export interface Planned {
  arm: string;
  trial: Trial;
}

/** The trials of the asked claims whose rates are known beforehand, each once. */
export function firstStage(registration: Registration, claims: readonly ClaimId[], quick: boolean): Trial[] {
  const blocks = blocksOf(registration, claims, quick);
  const tuning = blocks.some(isTuned) ? [blockNamed(registration, TUNING)] : [];
  return unique([...tuning, ...blocks].flatMap((block) => (isTuned(block) ? [] : planned(block, quick))));
}

/**
 * The trials whose rates follow from the records of the first stage, each once, without those that are among the first.
 * Throws a BnTrainError where a record is missing.
 */
export function secondStage(
  registration: Registration,
  claims: readonly ClaimId[],
  quick: boolean,
  records: readonly TrialRecord[],
): Trial[] {
  const known = new Set(records.map(({ trial }) => trialKey(trial)));
  const first = firstStage(registration, claims, quick);
  const missing = first.filter((trial) => !known.has(trialKey(trial))).length;
  if (missing > 0) {
    throw cannot("plan the study's second stage", {
      expected: `the ${first.length} trials of the first to be finished`,
      got: `${first.length - missing}`,
    });
  }
  const blocks = blocksOf(registration, claims, quick).filter(isTuned);
  const second = blocks.flatMap((block) => planned(block, quick, tunedRates(registration, block, quick, records)));
  const before = new Set(first.map(trialKey));
  return unique(second).filter((trial) => !before.has(trialKey(trial)));
}

/** Trials that cost what those of the second stage will, while their rates are not known. */
export function likelyStage(registration: Registration, claims: readonly ClaimId[], quick: boolean): Trial[] {
  const blocks = blocksOf(registration, claims, quick).filter(isTuned);
  // No rates of a grid, so that none is among the first stage's.
  return unique(blocks.flatMap((block) => planned(block, quick, () => (block.rates === 'best' ? [1.5] : [1.5, 2]))));
}

/** The trials of one block, with those rates that the records decide; a quick study may have none of them. */
export function plannedOf(
  registration: Registration,
  name: string,
  quick: boolean,
  records: readonly TrialRecord[],
): Planned[] {
  const block = blockNamed(registration, name);
  return runsOf(block, quick, isTuned(block) ? tunedRates(registration, block, quick, records) : undefined);
}

/** The same text for the same trial, in whatever order its fields stand. */
export function trialKey(trial: Trial): string {
  return JSON.stringify(sorted(trial));
}

export function isLeft({ claims }: Registration, claim: ClaimId, quick: boolean): boolean {
  return quick && claims[claim].quickLeaves !== null;
}

export function blockNamed({ blocks }: Registration, name: string): Block {
  const block = blocks[name];
  // A registration that was parsed has every block that it names.
  if (block === undefined) throw new RangeError(`no block ${name}`);
  return block;
}

export function extentOf(block: Block, quick: boolean): Extent | null {
  return quick ? block.quick : block.full;
}

function blocksOf(registration: Registration, claims: readonly ClaimId[], quick: boolean): Block[] {
  const asked = claims.filter((claim) => !isLeft(registration, claim, quick));
  const names = new Set(asked.flatMap((claim) => registration.claims[claim].blocks));
  return [...names].map((name) => blockNamed(registration, name));
}

function isTuned({ rates }: Block): boolean {
  return rates !== 'given';
}

type Rates = (arm: string) => readonly number[];

/** For an arm the rates that its tuning trials decide; none while one of them is missing. */
function tunedRates(registration: Registration, block: Block, quick: boolean, records: readonly TrialRecord[]): Rates {
  const tuning = runsOf(blockNamed(registration, TUNING), quick);
  const known = new Map(records.map((record) => [trialKey(record.trial), record]));
  return (arm) => {
    const trials = tuning.filter((run) => run.arm === arm);
    const runs = trials.flatMap(({ trial }) => known.get(trialKey(trial)) ?? []);
    if (runs.length < trials.length || runs.length === 0) return [];
    if (block.rates === 'best') return [bestRate(runs)];
    return edgeRates(runs, registration.claims['learning-rates'].constants['accuracy'] ?? NaN);
  };
}

function planned(block: Block, quick: boolean, rates?: Rates): Trial[] {
  return runsOf(block, quick, rates).map(({ trial }) => trial);
}

function runsOf(block: Block, quick: boolean, rates?: Rates): Planned[] {
  const extent = extentOf(block, quick);
  if (extent === null) return [];
  const { batchSizes, weightScales = [1], learningRates = [], seeds, examples, epochs, decayAt, watchEvery } = extent;
  return Object.entries(block.arms).flatMap(([arm, { model, watch }]) => {
    const cells = (rates?.(arm) ?? learningRates).flatMap((rate) =>
      batchSizes.flatMap((batchSize) => weightScales.map((weightScale) => ({ rate, batchSize, weightScale }))),
    );
    return cells.flatMap(({ rate, batchSize, weightScale }) =>
      seeds.map((seed) => {
        const learningRate = block.ratesFor === undefined ? rate : (rate * batchSize) / block.ratesFor;
        const trial: Trial = { model, learningRate, batchSize, examples, epochs, seed, watch };
        if (decayAt !== undefined) trial.decayAt = decayAt;
        if (weightScale !== 1) trial.weightScale = weightScale;
        if (watchEvery !== undefined) trial.watchEvery = watchEvery;
        return { arm, trial };
      }),
    );
  });
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

function unique(trials: readonly Trial[]): Trial[] {
  return [...new Map(trials.map((trial) => [trialKey(trial), trial])).values()];
}

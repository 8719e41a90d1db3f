/** Which trials a study needs: those of the first stage, and those whose learning rates the first stage decides. */
import type { Block, ClaimId, Extent, Registration } from './registration.js';
import type { Trial, TrialRecord } from './trial.js';
import { bestRate, edgeRates } from './tuning.js';

/** The trials of the asked claims whose rates are known beforehand, each once. */
export function firstStage(registration: Registration, claims: readonly ClaimId[], quick: boolean): Trial[] {
  const asked = blocksOf(registration, claims, quick);
  const tuning = asked.some(([, { rates }]) => rates !== 'given') ? blockNamed(registration, TUNING, quick) : [];
  return unique([...tuning, ...asked].flatMap(([, block]) => (block.rates === 'given' ? trialsOf(block, quick) : [])));
}

/** The trials whose rates follow from the records of the first stage, each once; all of these records must be there. */
export function secondStage(
  registration: Registration,
  claims: readonly ClaimId[],
  quick: boolean,
  records: readonly TrialRecord[],
): Trial[] {
  return unique(
    blocksOf(registration, claims, quick).flatMap(([, block]) =>
      block.rates === 'given' ? [] : trialsOf(block, quick, tunedRates(registration, block, quick, records)),
    ),
  );
}

/** Trials that cost what those of the second stage will, while their rates are not known. */
export function likelyStage(registration: Registration, claims: readonly ClaimId[], quick: boolean): Trial[] {
  return unique(
    blocksOf(registration, claims, quick).flatMap(([, block]) =>
      block.rates === 'given' ? [] : trialsOf(block, quick, () => (block.rates === 'best' ? [1] : [1, 2])),
    ),
  );
}

/** The block by whose training losses rates are chosen. */
export const TUNING = 'tuning';

type Named = [name: string, block: Block];

function blocksOf(registration: Registration, claims: readonly ClaimId[], quick: boolean): Named[] {
  const names = new Set(
    claims.flatMap((claim) => (isLeft(registration, claim, quick) ? [] : registration.claims[claim].blocks)),
  );
  return [...names].flatMap((name) => blockNamed(registration, name, quick));
}

function blockNamed({ blocks }: Registration, name: string, quick: boolean): Named[] {
  const block = blocks[name];
  return block === undefined || extentOf(block, quick) === null ? [] : [[name, block]];
}

export function isLeft({ claims }: Registration, claim: ClaimId, quick: boolean): boolean {
  return quick && claims[claim].quickLeaves !== null;
}

export function extentOf(block: Block, quick: boolean): Extent | null {
  return quick ? block.quick : block.full;
}

/** For each arm of a block, the rates at which it runs. */
export type Rates = (arm: string) => readonly number[];

/** The rates that the tuning trials among the records decide; none for an arm whose tuning trials are not all there. */
export function tunedRates(
  registration: Registration,
  block: Block,
  quick: boolean,
  records: readonly TrialRecord[],
): Rates {
  const tuning = registration.blocks[TUNING];
  const known = new Map(records.map((record) => [trialKey(record.trial), record]));
  return (arm) => {
    if (tuning === undefined) return [];
    const trials = trialsOf(tuning, quick).filter(({ model }) => sameModel(model, tuning.arms[arm]?.model));
    const runs = trials.flatMap((trial) => known.get(trialKey(trial)) ?? []);
    if (runs.length < trials.length || runs.length === 0) return [];
    return block.rates === 'best' ? [bestRate(runs)] : edgeRates(runs, registration.claims['learning-rates'].constants);
  };
}

/** All trials of a block. */
export function trialsOf(block: Block, quick: boolean, rates?: Rates): Trial[] {
  const extent = extentOf(block, quick);
  if (extent === null) return [];
  return Object.entries(block.arms).flatMap(([arm, { model, watch }]) =>
    (rates?.(arm) ?? extent.learningRates ?? []).flatMap((rate) =>
      extent.batchSizes.flatMap((batchSize) =>
        (extent.weightScales ?? [1]).flatMap((weightScale) =>
          extent.seeds.map((seed) => ({
            model,
            learningRate: block.ratesFor === undefined ? rate : (rate * batchSize) / block.ratesFor,
            ...(extent.decayAt === undefined ? {} : { decayAt: extent.decayAt }),
            batchSize,
            examples: extent.examples,
            epochs: extent.epochs,
            seed,
            ...(weightScale === 1 ? {} : { weightScale }),
            watch,
            ...(extent.watchEvery === undefined ? {} : { watchEvery: extent.watchEvery }),
          })),
        ),
      ),
    ),
  );
}

/** The same text for the same trial, in whatever order its fields stand. */
export function trialKey(trial: Trial): string {
  return JSON.stringify(sorted(trial));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

function sameModel(a: Trial['model'], b: Trial['model'] | undefined): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function unique(trials: readonly Trial[]): Trial[] {
  return [...new Map(trials.map((trial) => [trialKey(trial), trial])).values()];
}

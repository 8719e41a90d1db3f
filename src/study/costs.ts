/** What trials cost, by a table of measured times: which are begun first, and what is told before any was run. */
import type { Trial, Watch } from './trial.js';

/**
 * In seconds of a process with one thread on an AMD EPYC with AVX-512: opening TensorFlow and data, a kind of trial whose
 * steps are compiled, a trial, and a step whatever its batch.
 */
const [PROCESS, KIND, TRIAL, STEP] = [1.5, 0.9, 0.1, 0.0009];

/** Examples per second of training in large batches, and of evaluation by one kind of statistics. */
const [LENET, STACK, EVALUATED] = [
  { none: 33_000, batch: 26_000, builtin: 20_000, noisy: 20_000, group: 16_000 },
  { none: 60_000, batch: 20_000 },
  40_000,
];

/** How much longer a step takes that is watched. */
const WATCHED: Partial<Record<Watch, number>> = { instability: 1.25, norms: 1.1 };

const [TEST_IMAGES, MOMENTA] = [10_000, 9];

/** In seconds, but for what trials of one kind share. */
export function costOf({ model, examples, epochs, batchSize, watch, watchEvery = 1 }: Trial): number {
  const speed = model.kind === 'lenet' ? LENET[model.norm] : STACK[model.norm];
  const slower = watch.reduce((factor, each) => factor * (WATCHED[each] ?? 1), 1);
  // By moving averages, by population statistics, which are taken first, and by the batch's.
  const passes = model.norm === 'none' || model.norm === 'group' ? 1 : 4;
  const images =
    (watch.includes('epochs') ? passes * TEST_IMAGES : 0) +
    (watch.includes('momenta') ? MOMENTA * TEST_IMAGES : 0) +
    (watch.includes('training-set') ? examples : 0);
  const steps = Math.ceil(examples / batchSize) * STEP + examples / speed;
  return TRIAL + epochs * (steps * slower + images / EVALUATED / watchEvery);
}

/** Trials of one kind run the same compiled steps. */
export function kindOf({ model, examples, batchSize, watch }: Trial): string {
  return JSON.stringify([model, batchSize, examples % batchSize, watch]);
}

/** In seconds, of several processes at once. */
export function costOfAll(trials: readonly Trial[], jobs: number): number {
  const kinds = new Set(trials.map(kindOf)).size;
  return PROCESS + (trials.reduce((sum, trial) => sum + costOf(trial), 0) + KIND * kinds) / jobs;
}

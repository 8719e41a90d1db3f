/** What trials cost, by a table of measured speeds: the order in which they are begun, and the time that is told before any was run. */
import type { Trial } from './trial.js';

/** In seconds, of one process with one thread: bench/NOTES.md has the machine. */
const [TRIAL, EVALUATION, STEP] = [0.4, 0.35, 0.0012];

/** Examples per second in large batches, by what is normalized. */
const SPEEDS: Record<Trial['model']['norm'], number> = {
  none: 30_000,
  batch: 17_000,
  builtin: 15_000,
  noisy: 14_000,
  group: 12_000,
};

/** In seconds. */
export function costOf({ model, examples, epochs, batchSize, watch }: Trial): number {
  const steps = epochs * Math.ceil(examples / batchSize);
  const evaluations = watch.includes('epochs') ? epochs * EVALUATION : 0;
  return TRIAL + steps * STEP + (epochs * examples) / SPEEDS[model.norm] + evaluations;
}

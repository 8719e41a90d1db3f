/** What the tuning trials of one arm decide, by training alone: its best learning rate, and the largest at which it trains. */
import type { TrialRecord } from './trial.js';

/** A loss at the end of training, or an accuracy: that of so many last batches. */
export const LAST = 100;

/** The rate of the lowest training loss in the end, on average over the tuning seeds; a run that diverged has none. Of two, the smaller. */
export function bestRate(runs: readonly TrialRecord[]): number {
  const [best] = byRate(runs)
    .map(([rate, of]) => ({ rate, loss: mean(of.map(lastLoss)) }))
    .sort((a, b) => (a.loss === b.loss ? a.rate - b.rate : a.loss - b.loss));
  return best?.rate ?? NaN;
}

/**
 * The largest rate of the grid at which more than half of the seeds train, and the next one, where they do not; only one
 * of them where the grid ends.
 */
export function edgeRates(runs: readonly TrialRecord[], accuracy: number): number[] {
  const grid = byRate(runs);
  const last = grid.findLastIndex(([, of]) => of.filter((run) => trains(run, accuracy)).length > of.length / 2);
  return grid.slice(Math.max(last, 0), last + 2).map(([rate]) => rate);
}

/** Whether a run that did not diverge classifies its last batches well enough. */
export function trains({ outcome, accuracies }: TrialRecord, accuracy: number): boolean {
  return outcome === 'finished' && mean(accuracies.slice(-LAST)) >= accuracy;
}

function lastLoss({ outcome, losses }: TrialRecord): number {
  return outcome === 'diverged' ? Infinity : mean(losses.slice(-LAST));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** From the smallest rate to the largest. */
function byRate(runs: readonly TrialRecord[]): [rate: number, runs: TrialRecord[]][] {
  const rates = new Map<number, TrialRecord[]>();
  for (const run of runs) rates.set(run.trial.learningRate, [...(rates.get(run.trial.learningRate) ?? []), run]);
  return [...rates].sort(([a], [b]) => a - b);
}

/** How many steps a run takes to a training loss, and what is known of it where it never gets there. */
import { mean } from './intervals.js';
import type { TrialRecord } from './trial.js';
import type { SeedValue } from './verdict.js';

interface Reached {
  /** All of the trial's, where it never got there. */
  steps: number;
  reached: boolean;
}

/** The first step after which the mean loss of the last `window` batches is no more than `target`. */
function stepsTo({ trial, losses }: TrialRecord, target: number, window: number): Reached {
  for (let steps = window; steps <= losses.length; steps++) {
    if (mean(losses.slice(steps - window, steps)) <= target) return { steps, reached: true };
  }
  return { steps: trial.epochs * Math.ceil(trial.examples / trial.batchSize), reached: false };
}

/** How many times as many steps `slow` takes; a bound where one of them never gets there, undefined where neither does. */
export function ratioOfSteps(
  slow: TrialRecord | undefined,
  fast: TrialRecord | undefined,
  target: number,
  window: number,
): Omit<SeedValue, 'seed'> | undefined {
  if (slow === undefined || fast === undefined) return undefined;
  const [a, b] = [stepsTo(slow, target, window), stepsTo(fast, target, window)];
  if (!a.reached && !b.reached) return undefined;
  const value = a.steps / b.steps;
  return { value, low: b.reached ? value : -Infinity, high: a.reached ? value : Infinity };
}

/** What a reader must know of runs that never got to the target. */
export function censoredRemarks(
  name: string,
  runs: readonly (TrialRecord | undefined)[],
  target: number,
  window: number,
): string[] {
  const there = runs.filter((run) => run !== undefined);
  const missed = there.filter((run) => !stepsTo(run, target, window).reached);
  if (missed.length === 0) return [];
  const diverged = missed.filter(({ outcome }) => outcome === 'diverged').length;
  const why = diverged === 0 ? '' : `, ${diverged} of them diverged`;
  return [
    `${missed.length} of ${there.length} runs of ${name} never reached a training loss of ${target}${why}; their steps are bounds.`,
  ];
}

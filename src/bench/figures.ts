/** From turns to the figures that are reported: speeds, ratios, and what fresh processes told. */
import type { FreshRun } from './fresh.js';
import type { Series } from './measure.js';
import { type Summary, summarize, summarizeRatios } from './statistics.js';

/** Which contestant of which program. */
export interface Named {
  program: string;
  name: string;
}

export const normOf = ({ name }: Named) => name.split('/')[0] ?? '';
export const modeOf = ({ name }: Named) => name.split('/')[1] ?? '';

/** What a figure is of, without the figure. */
export const nameOf = ({ program, name }: Named): Named => ({ program, name });

export interface Speed extends Named {
  examplesPerSecond: Summary;
  millisecondsPerStep: Summary;
  /** Examples per second of each turn: turns of one number ran beside each other. */
  turns: number[];
}

export function speedOf(series: Series): Speed {
  const turns = rates(series);
  const milliseconds = series.turns.map(({ seconds, steps }) => (1000 * seconds) / steps);
  const [examplesPerSecond, millisecondsPerStep] = [summarize(turns), summarize(milliseconds)];
  return { ...nameOf(series), examplesPerSecond, millisecondsPerStep, turns };
}

const rates = ({ turns }: Series) => turns.map(({ examples, seconds }) => examples / seconds);

/** Examples per second of one contestant over another's, divided turn by turn. */
export interface Ratio extends Summary {
  of: Named;
  to: Named;
}

/**
 * This project's scratch layer against everything else with batch normalization, and its model without against
 * everything else without; in the mode that training takes, which is that of the first of `series`.
 */
export function ratiosOf(series: Series[]): Ratio[] {
  const [first] = series;
  const isOwn = (one: Named) => one.program === first?.program && modeOf(one) === modeOf(first);
  return series
    .filter((own) => isOwn(own) && normOf(own) !== 'builtin')
    .flatMap((own) =>
      series
        .filter((other) => other !== own && (normOf(other) === 'none') === (normOf(own) === 'none'))
        .map((other) => ({ of: nameOf(own), to: nameOf(other), ...summarizeRatios(rates(own), rates(other)) })),
    );
}

/** All fresh runs of one contestant. */
export type FreshSummary = Named & Record<keyof FreshRun, Summary>;

export function freshSummary(named: Named, runs: FreshRun[]): FreshSummary {
  const over = (figure: keyof FreshRun) => summarize(runs.map((run) => run[figure]));
  return {
    ...named,
    firstStepSeconds: over('firstStepSeconds'),
    peakMemory: over('peakMemory'),
    loss: over('loss'),
    accuracy: over('accuracy'),
  };
}

/** English words of a study's page; its claims bring their own. */
import { formatBytes, formatCount, formatSeconds } from '../../../common/format.js';
import type { Machine } from '../../../common/machine.js';
import type { ClaimResult, Verdict } from '../../../study/result.js';

const verdicts: Record<Verdict, string> = {
  holds: 'holds',
  'does not hold': 'does not hold',
  undecided: 'undecided',
};

const titles: Record<string, string> = {
  'moving-average': 'The moving average lags',
  'vanishing-gradients': 'Gradients stay alive under sigmoids',
  'exploding-gradients': 'Gradients explode under ReLUs',
  convergence: 'It converges in fewer steps',
  'learning-rates': 'It tolerates larger learning rates',
  'final-accuracy': 'In the end both are as accurate',
  noise: 'Stable distributions are not why',
  'scale-invariance': 'The scale of weights is a learning rate',
  regularization: 'It regularizes',
  'small-batches': 'Small batches hurt it',
};

export const study = {
  title: 'What does batch normalization do?',
  lead: (claims: number, trials: number) =>
    `${claims} claims about batch normalization, each held against trainings by a rule that was written down before any of them began: ${formatCount(trials)} trainings in all.`,
  counts: { holds: 'claims hold', 'does not hold': 'do not hold', undecided: 'are undecided' },
  quick:
    'A quick look: fewer seeds and epochs, each verdict at 95 % with no allowance for there being several. The full study decides.',
  quickLook: 'quick look',
  verdicts,
  titles,
  verdictsTitle: 'The verdicts',
  verdictsNote: (level: string) =>
    `A claim holds where the whole ${level} interval over seeds lies where its criterion wants it, does not hold where none of it does, and is undecided in between.`,
  headings: {
    claim: 'Claim',
    verdict: 'Verdict',
    effect: 'Effect',
    interval: 'Interval',
    interval95: '95 % interval',
    criterion: 'Criterion',
    literature: 'Literature',
    measure: 'Measure',
    also: 'Also measured',
    value: 'Value',
  },
  leftOut: (title: string, why: string) => `Left out: ${title}. ${why}`,
  claimed: 'Claim: ',
  numbers: 'The numbers',
  numbersOf: (title: string) => `Numbers: ${title}`,
  secondary: 'Beside it, without a verdict',
  secondaryOf: (title: string) => `Beside it: ${title}`,
  literature: 'Literature: ',
  provenance: 'Where this comes from',
  effectLabel: (title: string) =>
    `${title}: each seed a dot, the mean and its intervals as bars, margins as dashed lines`,
  margin: (value: string) => `margin ${value}`,
  published: (value: string) => `literature ${value}`,
  facts: {
    seeds: 'Seeds',
    trials: 'Trials',
    trialsOf: (count: number) => `${formatCount(count)} trainings, each a file of the folder trials`,
    registration: 'Registration',
    data: 'Data',
    machine: 'Machine',
    machineOf: ({ cpu, cores, memory, platform }: Machine) =>
      `${cpu}, ${cores} cores, ${formatBytes(memory)}, ${platform}`,
    versions: 'Versions',
    seconds: 'Computing time',
    secondsOf: formatSeconds,
    finished: 'Finished',
    command: 'To have it computed again:',
  },
  explorer: {
    title: 'Every learning rate, every network',
    lead: 'Trainings that were already run. The number in a cell is the training accuracy at the end, as the mean over its seeds; below, the loss of every batch of each seed, not smoothed.',
    play: 'Press a number to see its curves below.',
    norms: {
      none: 'without normalization',
      batch: 'batch normalization',
      builtin: 'built-in batch normalization',
      noisy: 'batch normalization, then noise',
      group: 'group normalization',
    },
    corner: 'Learning rate',
    cell: (norm: string, rate: string, accuracy: string) =>
      `${norm}, learning rate ${rate}: training accuracy ${accuracy}`,
    curves: (norm: string, rate: string) => `Training loss: ${norm}, learning rate ${rate}`,
    diverged: (count: number) => `${count} diverged`,
    step: 'batch',
    guessing: 'guessing',
    loss: 'loss',
    nats: 'nats',
    table: 'Every training of the grid',
    columns: ['Network', 'Learning rate', 'Seed', 'Training accuracy at the end', 'Loss at the end (nats)', 'Outcome'],
    outcomes: { finished: 'finished', diverged: 'diverged' },
    recipe: (epochs: number, batchSize: number, examples: number) =>
      `LeNet, ${epochs} epochs of ${formatCount(examples)} images in batches of ${batchSize}.`,
  },
  /** A claim's own sentences. */
  said: ({ text, question, hypothesis, literature }: ClaimResult) => ({
    ...{ text, question, hypothesis },
    literature: literature.text,
  }),
  /** Any other words that a result brings: names of measures, axes and lines, units, criteria, remarks. */
  phrase: signed,
};

/** With the minus sign that the page's other numbers have. */
export function signed(text: string): string {
  return text.replaceAll(/(?<!\w)-(?=\d)/g, '−');
}

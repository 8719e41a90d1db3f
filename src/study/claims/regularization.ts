/** Regularization: the gap between test and training loss, both networks compared where their training losses are equal. */
import { epochLine, EPOCHS } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import type { Picture } from '../result.js';
import { average, signs } from '../secondary.js';
import type { TrialEpoch, TrialRecord } from '../trial.js';

const ARMS: [arm: string, name: string][] = [
  ['none', 'none'],
  ['batch', 'batch normalization'],
];

/** Losses of one evaluation, both in inference. */
interface Losses {
  train: number;
  test: number;
}

export function regularization({ block }: Evidence<'regularization'>): Finding<'regularization'> {
  const runs = block('regularization');
  const level = lowestOfAll(runs.runs.map(({ record }) => record));
  const gap = (arm: string, seed: number) => gapAt(lossesOf(runOf(runs, arm, seed)), level);
  const difference = perSeed(runs.seeds, (seed) => (gap('batch', seed) ?? NaN) - (gap('none', seed) ?? NaN));
  const diverged = runs.runs.filter(({ record }) => record.outcome === 'diverged').length;
  const values = difference.values.map(({ value }) => value);
  return {
    measured: { gap: difference },
    secondary: [
      {
        name: 'training loss at which the networks are compared',
        value: Number.isFinite(level) ? level : null,
        unit: 'nats',
        interval: null,
      },
      ...ARMS.map(([arm, name]) =>
        average(
          `gap there, ${name}`,
          'nats',
          runs.seeds.flatMap((seed) => gap(arm, seed) ?? []),
        ),
      ),
      ...ARMS.map(([arm, name]) =>
        average(
          `gap after the last epoch, ${name}`,
          'nats',
          recordsOf(runs, arm).flatMap((record) => lastGap(record)),
        ),
      ),
      signs(values),
    ],
    pictures: [byEpoch(runs), dots(runs, gap)],
    remarks: [
      'Compared at the lowest training loss that every run reaches, in inference and with population statistics.',
      ...(values.length < runs.seeds.length && runs.runs.length > 0
        ? ['The curves of some seeds have no training loss in common, so that they give no number.']
        : []),
      ...(diverged === 0 ? [] : [`${diverged} runs diverged; they count with the epochs before.`]),
    ],
  };
}

function lossesOf(record: TrialRecord | undefined): Losses[] {
  return (record?.epochs ?? []).flatMap(({ trainingSet, test, testPopulation }) =>
    trainingSet === undefined ? [] : [{ train: trainingSet.loss, test: (testPopulation ?? test).loss }],
  );
}

/** The lowest training loss that all runs reach. */
function lowestOfAll(records: readonly TrialRecord[]): number {
  return Math.max(...records.map((record) => Math.min(...lossesOf(record).map(({ train }) => train))));
}

/** Where the training loss first comes down to a level, linearly between the two evaluations around it; else undefined. */
function gapAt(curve: readonly Losses[], level: number): number | undefined {
  const after = curve.findIndex(({ train }) => train <= level);
  const [a, b] = [curve[after - 1], curve[after]];
  if (a === undefined || b === undefined) return undefined;
  const share = (a.train - level) / (a.train - b.train);
  return a.test + share * (b.test - a.test) - level;
}

function lastGap(record: TrialRecord): number[] {
  const last = lossesOf(record).at(-1);
  return last === undefined ? [] : [last.test - last.train];
}

function byEpoch(runs: BlockRuns): Picture {
  const losses: [string, (epoch: TrialEpoch) => number | undefined][] = [
    ['training images', ({ trainingSet }) => trainingSet?.loss],
    ['test images', ({ test, testPopulation }) => (testPopulation ?? test).loss],
  ];
  return {
    kind: 'lines',
    name: 'Loss in inference on images that were learned from, and on others',
    x: EPOCHS,
    y: { name: 'loss', unit: 'nats', logarithmic: false },
    series: ARMS.flatMap(([arm, name]) =>
      losses.map(([of, loss]) => epochLine(`${name}, ${of}`, recordsOf(runs, arm), loss)),
    ),
    references: [],
  };
}

function dots(runs: BlockRuns, gap: (arm: string, seed: number) => number | undefined): Picture {
  return {
    kind: 'dots',
    name: 'Gap at equal training loss',
    y: { name: 'test loss − training loss', unit: 'nats', logarithmic: false },
    groups: ARMS.map(([arm, name]) => ({ name, values: runs.seeds.flatMap((seed) => gap(arm, seed) ?? []) })),
    references: [],
  };
}

/** The moving average lags: how much more accurate the same weights are with statistics of the population. */
import { ACCURACY, EPOCHS, epochLine, meanLine } from '../seedLines.js';
import { type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import { mean } from '../intervals.js';
import type { Picture } from '../result.js';
import { average, signs } from '../secondary.js';
import type { TrialEpoch, TrialRecord } from '../trial.js';

export function movingAverage({ claim, block }: Evidence<'moving-average'>): Finding<'moving-average'> {
  const [equal, lag] = [block('equal'), block('lag')];
  const records = recordsOf(equal, 'batch');
  const gap = perSeed(equal.seeds, (seed) => gapOf(runOf(equal, 'batch', seed)));
  const slow = perSeed(lag.seeds, (seed) => gapOf(runOf(lag, 'batch', seed)));
  const values = gap.values.map(({ value }) => value);
  const moving = records.flatMap(({ epochs }) => epochs.map(({ test }) => test.accuracy));
  const references = [
    { name: 'reference run, from scratch', y: claim.constants['reference scratch'] ?? NaN },
    { name: 'reference run, built-in', y: claim.constants['reference builtin'] ?? NaN },
  ];
  const percent = (of: (epochs: TrialEpoch[]) => number) => records.map(({ epochs }) => 100 * of(epochs));
  return {
    measured: { gap },
    secondary: [
      average(
        'deviation over epochs, moving average',
        'percentage points',
        percent((epochs) => deviation(epochs.map(movingOf))),
      ),
      average(
        'deviation over epochs, population statistics',
        'percentage points',
        percent((epochs) => deviation(epochs.map(populationOf))),
      ),
      average(
        'epochs at which population statistics are better',
        '%',
        percent((epochs) => mean(epochs.map((epoch) => (populationOf(epoch) > movingOf(epoch) ? 1 : 0)))),
      ),
      average(
        'the same gap at learning rate 0.1',
        'percentage points',
        slow.values.map(({ value }) => value),
      ),
      ...references.map(({ name, y }) => ({
        name: `${name}: moving averages here that are lower than its ${y}`,
        unit: '%',
        value: moving.length === 0 ? null : 100 * mean(moving.map((accuracy) => (accuracy < y ? 1 : 0))),
        interval: null,
      })),
      signs(values),
    ],
    pictures: [
      byEpoch(records, references),
      ...byMomentum(recordsOf(block('momenta'), 'batch')),
      {
        kind: 'dots',
        name: 'Gap by learning rate',
        y: { name: 'population statistics − moving average', unit: 'percentage points', logarithmic: false },
        groups: [
          { name: 'learning rate 1', values },
          { name: 'learning rate 0.1', values: slow.values.map(({ value }) => value) },
        ],
        references: claim.parts.gap.margins.map((y) => ({ name: 'margin', y })),
      },
    ],
    remarks: records.some(({ outcome }) => outcome === 'diverged')
      ? ['A run that diverged counts with the epochs before.']
      : [],
  };
}

function movingOf({ test }: TrialEpoch): number {
  return test.accuracy;
}

function populationOf({ testPopulation }: TrialEpoch): number {
  return testPopulation?.accuracy ?? NaN;
}

/** In percentage points. */
function gapOf(record: TrialRecord | undefined): number | undefined {
  if (record === undefined || record.epochs.length === 0) return undefined;
  return 100 * mean(record.epochs.map((epoch) => populationOf(epoch) - movingOf(epoch)));
}

function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}

function byEpoch(records: readonly TrialRecord[], references: { name: string; y: number }[]): Picture {
  return {
    kind: 'lines',
    name: 'Test accuracy of the same weights by whose statistics',
    x: EPOCHS,
    y: ACCURACY,
    series: [
      epochLine('moving average', records, movingOf),
      epochLine('population', records, populationOf),
      epochLine("each batch's own", records, ({ testBatch }) => testBatch?.accuracy),
    ],
    references,
  };
}

/** How many batches an average remembers, 1 ÷ (1 − momentum), against the accuracy on average over epochs. */
function byMomentum(records: readonly TrialRecord[]): Picture[] {
  const momenta = (records[0]?.epochs[0]?.momenta ?? []).map(({ momentum }) => momentum);
  if (momenta.length === 0) return [];
  const x = momenta.map((momentum) => Number((1 / (1 - momentum)).toPrecision(6)));
  const line = (name: string, of: 'accuracy' | 'corrected') => {
    const overEpochs = ({ epochs }: TrialRecord, i: number) =>
      mean(epochs.map(({ momenta: all }) => all?.[i]?.[of] ?? NaN));
    return meanLine(
      name,
      x,
      records.map((record) => ({ seed: record.trial.seed, y: momenta.map((_, i) => overEpochs(record, i)) })),
    );
  };
  return [
    {
      kind: 'lines',
      name: 'Test accuracy by momentum of the moving average, mean over epochs',
      x: { name: 'batches that it remembers, 1 ÷ (1 − momentum)', unit: '', logarithmic: true },
      y: ACCURACY,
      series: [line('as it is', 'accuracy'), line('corrected for its start at 0 and 1', 'corrected')],
      references: [],
    },
  ];
}

/** Final accuracy: whether the two networks end within a margin of each other, each at its own best learning rate. */
import { crossedBootstrap } from '../bootstrap.js';
import { ACCURACY, EPOCHS, epochLine } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import { mean } from '../intervals.js';
import { average, signs } from '../secondary.js';
import type { TrialEpoch, TrialRecord } from '../trial.js';

export function finalAccuracy({ claim, block }: Evidence<'final-accuracy'>): Finding<'final-accuracy'> {
  const { chance = NaN } = claim.constants;
  const best = block('best');
  const of = (arm: string) => (seed: number) => accuracyOf(runOf(best, arm, seed), chance);
  const difference = perSeed(best.seeds, (seed) => 100 * ((of('batch')(seed) ?? NaN) - (of('none')(seed) ?? NaN)));
  const values = difference.values.map(({ value }) => value);
  const [none, batch] = [recordsOf(best, 'none'), recordsOf(best, 'batch')];
  const crossed = crossedBootstrap(
    best.seeds.flatMap((seed) => imageDifferences(best, seed)),
    0.95,
  );
  const diverged = [...none, ...batch].filter(({ outcome }) => outcome === 'diverged').length;
  return {
    measured: { difference },
    secondary: [
      average(
        'test accuracy, none',
        '%',
        none.map((record) => 100 * (accuracyOf(record, chance) ?? NaN)),
      ),
      average(
        'test accuracy, batch normalization',
        '%',
        batch.map((record) => 100 * (accuracyOf(record, chance) ?? NaN)),
      ),
      average(
        'difference half-way',
        'percentage points',
        best.seeds.flatMap((seed) => halfWay(best, seed)),
      ),
      {
        name: 'difference, with the test images drawn anew as well as the seeds (bootstrap)',
        unit: 'percentage points',
        value: values.length === 0 ? null : mean(values),
        interval: crossed && { low: 100 * crossed.low, high: 100 * crossed.high, level: crossed.level },
      },
      signs(values),
    ],
    pictures: [
      {
        kind: 'lines',
        name: 'Test accuracy, each at its own best learning rate',
        x: EPOCHS,
        y: ACCURACY,
        series: [
          epochLine('none', none, inferred),
          epochLine('batch normalization, population statistics', batch, inferred),
        ],
        references: [],
      },
      {
        kind: 'dots',
        name: 'Difference after the last epoch, seed by seed',
        y: { name: 'batch normalization − none', unit: 'percentage points', logarithmic: false },
        groups: [{ name: 'test accuracy', values }],
        references: claim.parts.difference.margins.map((y) => ({ name: 'margin', y })),
      },
    ],
    remarks: [
      'The interval over seeds does not contain that other test images would give other accuracies; the bootstrap does.',
      ...(diverged === 0 ? [] : [`${diverged} runs diverged and count as guessing, with an accuracy of ${chance}.`]),
    ],
  };
}

/** By population statistics where there are some. */
function inferred({ test, testPopulation }: TrialEpoch): number {
  return (testPopulation ?? test).accuracy;
}

/** After the last epoch; undefined where nobody looked. */
function accuracyOf(record: TrialRecord | undefined, chance: number): number | undefined {
  if (record?.outcome === 'diverged') return chance;
  return record?.images === undefined ? undefined : mean(Array.from(record.images, Number));
}

/** In the middle of training, before the rate decays. */
function halfWay(best: BlockRuns, seed: number): number[] {
  const [none, batch] = ['none', 'batch'].map((arm) => {
    const epochs = runOf(best, arm, seed)?.epochs ?? [];
    return epochs[Math.ceil(epochs.length / 2) - 1];
  });
  return none === undefined || batch === undefined ? [] : [100 * (inferred(batch) - inferred(none))];
}

function imageDifferences(best: BlockRuns, seed: number): number[][] {
  const [none, batch] = [runOf(best, 'none', seed)?.images, runOf(best, 'batch', seed)?.images];
  if (none === undefined || batch === undefined) return [];
  return [Array.from(batch, (digit, i) => Number(digit) - Number(none[i]))];
}

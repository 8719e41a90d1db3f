/** Noise after batch normalization: whether it still saves steps where its distributions are shaken at every one. */
import { STEPS, stepLine } from '../seedLines.js';
import { type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import { mean } from '../intervals.js';
import { geometricAverage, signs } from '../secondary.js';
import { censoredRemarks, ratioOfSteps } from '../target.js';
import type { TrialRecord } from '../trial.js';

export function noise({ claim, block }: Evidence<'noise'>): Finding<'noise'> {
  const { target = NaN, window = NaN } = claim.constants;
  const [equal, noisy] = [block('equal'), block('noise')];
  const none = (seed: number) => runOf(equal, 'none', seed);
  const shaken = (seed: number) => runOf(noisy, 'noisy', seed);
  const ratio = perSeed(noisy.seeds, (seed) => ratioOfSteps(none(seed), shaken(seed), target, window));
  const plain = perSeed(noisy.seeds, (seed) => ratioOfSteps(none(seed), runOf(equal, 'batch', seed), target, window));
  const among = ({ seed }: { seed: number }) => noisy.seeds.includes(seed);
  const arms: [string, TrialRecord[]][] = [
    ['none', recordsOf(equal, 'none', among)],
    ['batch normalization', recordsOf(equal, 'batch', among)],
    ['batch normalization with noise', recordsOf(noisy, 'noisy')],
  ];
  return {
    measured: { noisy: ratio, instability: perSeed(noisy.seeds, (seed) => moreUnstable(shaken(seed), none(seed))) },
    secondary: [
      geometricAverage(
        'steps, none ÷ batch normalization without noise',
        'times',
        plain.values.map(({ value }) => value),
      ),
      signs(ratio.values.map(({ value }) => Math.log(value))),
    ],
    pictures: [
      {
        kind: 'lines',
        name: 'Training loss at learning rate 1',
        x: STEPS,
        y: { name: `training loss, mean of the last ${window} batches`, unit: 'nats', logarithmic: false },
        series: arms.map(([name, records]) => stepLine(name, records, ({ losses }) => losses, window)),
        references: [{ name: 'target', y: target }],
      },
      {
        kind: 'lines',
        name: "How far the statistics of the layers' inputs move from one step to the next",
        x: STEPS,
        y: { name: `|Δ mean| + |Δ deviation|, mean of the last ${window} steps`, unit: '', logarithmic: true },
        series: arms.flatMap(([name, records]) =>
          records.some(({ instability }) => instability)
            ? [stepLine(name, records, ({ instability = [] }) => instability, window)]
            : [],
        ),
        references: [],
      },
    ],
    remarks: arms.flatMap(([name, records]) => censoredRemarks(name, records, target, window)),
  };
}

/** How many times as far its inputs move, over the steps that both took. */
function moreUnstable(record: TrialRecord | undefined, other: TrialRecord | undefined): number | undefined {
  const [a, b] = [record?.instability ?? [], other?.instability ?? []];
  const steps = Math.min(a.length, b.length);
  return steps === 0 ? undefined : mean(a.slice(0, steps)) / mean(b.slice(0, steps));
}

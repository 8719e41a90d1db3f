/** Fewer steps: how many times as many a network without batch normalization needs to a training loss. */
import { meanLine, STEPS, stepLine } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import type { Picture } from '../result.js';
import { geometricAverage, signs } from '../secondary.js';
import { censoredRemarks, ratioOfSteps } from '../target.js';
import type { TrialRecord } from '../trial.js';
import type { Measured, SeedValue } from '../verdict.js';

/** Between the loss of guessing, ln 10, and less than what both networks reach in the end. */
const LEVELS = [2, 1.8, 1.6, 1.4, 1.2, 1.1, 1, 0.9, 0.8, 0.7, 0.6, 0.5];

export function convergence({ claim, block }: Evidence<'convergence'>): Finding<'convergence'> {
  const { target = NaN, window = NaN } = claim.constants;
  const best = block('best');
  const ratios = (of: BlockRuns, loss: number) =>
    perSeed(of.seeds, (seed) => ratioOfSteps(runOf(of, 'none', seed), runOf(of, 'batch', seed), loss, window));
  const measured = ratios(best, target);
  const values = measured.values.map(({ value }) => value);
  const [none, batch] = [recordsOf(best, 'none'), recordsOf(best, 'batch')];
  return {
    measured: { best: measured },
    secondary: [
      geometricAverage(
        'the same, both at learning rate 1',
        'times',
        ratios(block('equal'), target).values.map(({ value }) => value),
      ),
      signs(values.map(Math.log)),
    ],
    pictures: [lossCurves([none, batch], target, window), profile(best.seeds, (loss) => ratios(best, loss))],
    remarks: [
      ...censoredRemarks('none', none, target, window),
      ...censoredRemarks('batch normalization', batch, target, window),
    ],
  };
}

function lossCurves([none, batch]: [TrialRecord[], TrialRecord[]], target: number, window: number): Picture {
  return {
    kind: 'lines',
    name: 'Training loss, each at its own best learning rate',
    x: STEPS,
    y: { name: `training loss, mean of the last ${window} batches`, unit: 'nats', logarithmic: false },
    series: [
      stepLine('none', none, ({ losses }) => losses, window),
      stepLine('batch normalization', batch, ({ losses }) => losses, window),
    ],
    references: [{ name: 'target', y: target }],
  };
}

/** The ratio at every target, so that nobody must trust the one that was registered. */
function profile(seeds: readonly number[], ratiosAt: (loss: number) => Measured): Picture {
  const exact = LEVELS.map(
    (loss) =>
      new Map(
        ratiosAt(loss)
          .values.filter(isExact)
          .map(({ seed, value }) => [seed, value]),
      ),
  );
  return {
    kind: 'lines',
    name: 'Ratio of steps by target',
    x: { name: 'target: training loss', unit: 'nats', logarithmic: false },
    y: { name: 'steps, none ÷ batch normalization', unit: 'times', logarithmic: true },
    series: [
      meanLine(
        'each at its own best learning rate',
        LEVELS,
        seeds.map((seed) => ({ seed, y: exact.map((at) => at.get(seed) ?? null) })),
      ),
    ],
    references: [{ name: 'the same', y: 1 }],
  };
}

function isExact({ low, high }: SeedValue): boolean {
  return low === high;
}

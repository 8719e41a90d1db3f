/** Larger learning rates: how far apart the largest ones lie at which each network trains. */
import { type Evidence, type Finding, perSeed, recordsOf } from '../evidence.js';
import { mean } from '../intervals.js';
import type { Picture } from '../result.js';
import { signs } from '../secondary.js';
import type { TrialRecord } from '../trial.js';
import { LAST, trains } from '../tuning.js';

const ARMS = { none: 'none', batch: 'batch normalization' };
type Arm = keyof typeof ARMS;
const NAMES: Arm[] = ['none', 'batch'];

/** The largest rate at which a run trains, and the next one of the grid; Infinity where there is none. */
interface Limit {
  trains: number;
  fails: number;
}

export function learningRates({ claim, block }: Evidence<'learning-rates'>): Finding<'learning-rates'> {
  const { accuracy = NaN } = claim.constants;
  const [tuning, edges] = [block('tuning'), block('edges')];
  const grid = ratesOf(tuning.runs.map(({ record }) => record));
  const limits = (arm: Arm, seed: number) =>
    limitOf(
      recordsOf(edges, arm, (trial) => trial.seed === seed),
      grid,
      accuracy,
    );
  const range = perSeed(edges.seeds, (seed) => {
    const [none, batch] = [limits('none', seed), limits('batch', seed)];
    if (none === undefined || batch === undefined) return undefined;
    return {
      value: Math.log10(batch.trains / none.trains),
      low: Math.log10(batch.trains / none.fails),
      high: Math.log10(batch.fails / none.trains),
    };
  });
  const all = {
    none: [...recordsOf(tuning, 'none'), ...recordsOf(edges, 'none')],
    batch: [...recordsOf(tuning, 'batch'), ...recordsOf(edges, 'batch')],
  };
  return {
    measured: { range },
    secondary: [signs(range.values.map(({ value }) => value))],
    pictures: [heat(all, grid)],
    remarks: [
      'The grid leaves open where between two of its rates the limit lies; the interval is as wide as that, too.',
      ...NAMES.flatMap((arm) =>
        remarksOf(
          arm,
          edges.seeds.map((seed) => limits(arm, seed)),
          recordsOf(edges, arm),
        ),
      ),
    ],
  };
}

function ratesOf(records: readonly TrialRecord[]): number[] {
  return [...new Set(records.map(({ trial }) => trial.learningRate))].sort((a, b) => a - b);
}

/**
 * One seed's, of the rates that its arm ran at. Beyond them, what the tuning seeds did is taken to go for this one: it
 * trains below, and does not above the next rate.
 */
function limitOf(runs: readonly TrialRecord[], grid: readonly number[], accuracy: number): Limit | undefined {
  if (runs.length === 0) return undefined;
  const trained = ratesOf(runs.filter((run) => trains(run, accuracy)));
  const below = grid[grid.indexOf(ratesOf(runs)[0] ?? NaN) - 1] ?? 0;
  const largest = trained.at(-1) ?? below;
  return { trains: largest, fails: grid.find((rate) => rate > largest) ?? Infinity };
}

function remarksOf(arm: Arm, limits: readonly (Limit | undefined)[], runs: readonly TrialRecord[]): string[] {
  const there = limits.filter((limit) => limit !== undefined);
  if (there.length === 0) return [];
  const between = (of: Limit) =>
    of.fails === Infinity ? `${of.trains} or above` : `between ${of.trains} and ${of.fails}`;
  const words = [...new Set(there.map(between))].join(', or ');
  const tried = ratesOf(runs);
  const outside = there.filter(
    (of) => of.trains < (tried[0] ?? NaN) || (of.fails > (tried.at(-1) ?? NaN) && of.fails !== Infinity),
  ).length;
  return [
    `${ARMS[arm]}: the limit lies ${words}.`,
    ...(there.some(({ fails }) => fails === Infinity)
      ? [`${ARMS[arm]} was tried at the largest rate of the grid, which was too short.`]
      : []),
    ...(outside === 0
      ? []
      : [
          `${ARMS[arm]}: for ${outside} of ${there.length} seeds the limit lies outside the rates that they ran at; the tuning seeds' is taken there.`,
        ]),
  ];
}

function heat(records: Record<Arm, readonly TrialRecord[]>, grid: readonly number[]): Picture {
  const cellOf = (arm: Arm, row: number) =>
    grid.map((rate, column) => {
      const seeds = records[arm].filter(({ trial }) => trial.learningRate === rate).map(accuracyOf);
      return { column, row, value: seeds.length === 0 ? null : mean(seeds), seeds };
    });
  return {
    kind: 'heat',
    name: `Training accuracy of the last ${LAST} batches; 0 where a run diverged`,
    x: { name: 'learning rate', unit: '', logarithmic: true },
    y: { name: 'network', unit: '', logarithmic: false },
    columns: grid.map(String),
    rows: NAMES.map((arm) => ARMS[arm]),
    cells: NAMES.flatMap(cellOf),
  };
}

function accuracyOf({ outcome, accuracies }: TrialRecord): number {
  return outcome === 'diverged' ? 0 : mean(accuracies.slice(-LAST));
}

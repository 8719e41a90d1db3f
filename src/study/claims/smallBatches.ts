/** Small batches: what going down to two images a batch costs batch normalization, and what it costs group normalization. */
import { meanLine } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, runOf } from '../evidence.js';
import { average, signs } from '../secondary.js';
import type { TrialEpoch } from '../trial.js';

export function smallBatches({ claim, block }: Evidence<'small-batches'>): Finding<'small-batches'> {
  const { large = NaN, small = NaN } = claim.constants;
  const runs = block('small-batches');
  const lost = (of: Statistics, arm: string, seed: number) =>
    accuracy(runs, of, arm, large, seed) - accuracy(runs, of, arm, small, seed);
  const more = (of: Statistics, seed: number) => lost(of, 'batch', seed) - lost(of, 'group', seed);
  const interaction = perSeed(runs.seeds, (seed) => more(population, seed));
  const over = (of: (seed: number) => number) => runs.seeds.map(of).filter(Number.isFinite);
  return {
    measured: { interaction, drop: perSeed(runs.seeds, (seed) => lost(population, 'batch', seed)) },
    secondary: [
      average(
        `lost from batches of ${large} to ${small}, group normalization`,
        'percentage points',
        over((seed) => lost(population, 'group', seed)),
      ),
      average(
        `lost from batches of ${large} to ${small}, batch normalization with the moving average`,
        'percentage points',
        over((seed) => lost(moving, 'batch', seed)),
      ),
      average(
        'batch − group normalization, with the moving average',
        'percentage points',
        over((seed) => more(moving, seed)),
      ),
      signs(interaction.values.map(({ value }) => value)),
    ],
    pictures: [
      {
        kind: 'lines',
        name: 'Test accuracy after equally many images',
        x: { name: 'images a batch', unit: '', logarithmic: true },
        y: { name: 'test accuracy', unit: '%', logarithmic: false },
        series: [
          bySize(runs, 'batch normalization, population statistics', population, 'batch'),
          bySize(runs, 'batch normalization, moving average', moving, 'batch'),
          bySize(runs, 'group normalization', population, 'group'),
        ],
        references: [],
      },
    ],
    remarks: [
      'The learning rate is in proportion to the batch size, so that equally many images move the weights about equally far. A run that diverged counts as guessing.',
    ],
  };
}

type Statistics = (epoch: TrialEpoch) => number;

const moving: Statistics = ({ test }) => test.accuracy;
/** Group normalization has no statistics but each image's own. */
const population: Statistics = ({ test, testPopulation }) => (testPopulation ?? test).accuracy;

/** In per cent. */
function accuracy(runs: BlockRuns, of: Statistics, arm: string, batchSize: number, seed: number): number {
  const record = runOf(runs, arm, seed, (trial) => trial.batchSize === batchSize);
  if (record?.outcome === 'diverged') return 10;
  const last = record?.epochs.at(-1);
  return last === undefined ? NaN : 100 * of(last);
}

function bySize(runs: BlockRuns, name: string, of: Statistics, arm: string) {
  const sizes = [...new Set(runs.runs.map(({ trial }) => trial.batchSize))].sort((a, b) => a - b);
  return meanLine(
    name,
    sizes,
    runs.seeds.map((seed) => ({ seed, y: sizes.map((size) => accuracy(runs, of, arm, size, seed)) })),
  );
}

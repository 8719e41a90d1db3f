/** The lines of text that a comparison is shown by, made from its figures alone. */
import type { LayerSpeed } from '../bench/layerSpeed.js';
import { formatCount, formatMetric } from '../common/format.js';
import type { FinalResult } from '../train/events.js';
import { type Compared, type ComparedRun, type Comparison, type Figure, FIGURES } from '../study/comparison.js';
import { REFERENCE_RUNS, type ReferencePlace } from '../study/referenceRuns.js';
import type { Spread } from '../study/spread.js';
import { align } from './columns.js';

const NAMES: Record<Figure, string> = {
  loss: 'loss',
  trainAccuracy: 'train acc',
  testAccuracy: 'test acc (moving avg)',
  testAccuracyPopulation: 'test acc (population)',
  examplesPerSecond: 'examples/sec',
};

const shown = (figure: Figure, value: number) =>
  figure === 'examplesPerSecond' ? formatCount(value) : formatMetric(value);

/** "1/15 scratch, seed 1" is what comes before it: "scratch, seed 1   loss 0.266   train acc 0.902   test acc 0.867 …". */
export function runLineOf({ norm, seed, final }: ComparedRun): string {
  const name = `${norm}, seed ${seed}`;
  if (!final) return `${name}   diverged: a loss was not finite`;
  const { loss, trainAccuracy, testAccuracy, testAccuracyPopulation: population, examplesPerSecond } = final;
  const beside = population === null ? '' : ` moving avg, ${formatMetric(population)} population`;
  return [
    name,
    `loss ${formatMetric(loss)}`,
    `train acc ${formatMetric(trainAccuracy)}`,
    `test acc ${formatMetric(testAccuracy)}${beside}`,
    `${formatCount(examplesPerSecond)} examples/sec`,
  ].join('   ');
}

/** "seeds 1 to 5", "seed 1". */
export function seedsWords(seeds: readonly number[]): string {
  const [first = 0, last = first] = [seeds[0], seeds.at(-1)];
  return first === last ? `seed ${first}` : `seeds ${first} to ${last}`;
}

/** The table, and in words what stands in it. */
export function comparisonLines(comparison: Comparison, columns?: number): string[] {
  const { config, seeds, figures, reference, speed } = comparison;
  const { epochs, learningRate, batchSize, data } = config;
  const recipe = `${epochs} epoch${epochs === 1 ? '' : 's'}: lr ${learningRate}, batch size ${batchSize}`;
  return [
    `LeNet on ${data?.name ?? 'Fashion-MNIST'}, ${recipe}, ${seedsWords(seeds)}`,
    ...align(tableOf(figures, reference !== undefined), columns),
    ...figures.flatMap(divergedLines),
    ...(reference === undefined ? [OTHERWISE] : ['', ...referenceLines(reference, seeds.length)]),
    ...(speed ? ['', speedLine(speed)] : []),
  ];
}

const OTHERWISE =
  'the reference runs (10 epochs on Fashion-MNIST: lr 1, batch size 256) were trained otherwise, and are not held against these';

/** One figure a row, and beside each kind of normalization the reference run of it. */
function tableOf(figures: Compared[], withReference: boolean): string[][] {
  const referenceOf = ({ norm }: Compared) => (withReference && norm !== 'none' ? REFERENCE_RUNS[norm] : undefined);
  const head = figures.flatMap((one) => [one.norm, ...(referenceOf(one) ? ['reference'] : [])]);
  const rows = FIGURES.map((figure) => [
    NAMES[figure],
    ...figures.flatMap((one) => {
      const reference: Partial<Record<Figure, number>> | undefined = referenceOf(one);
      const value = reference?.[figure];
      const beside = value === undefined ? '–' : shown(figure, value);
      return [spreadCell(figure, one[figure]), ...(reference ? [beside] : [])];
    }),
  ]);
  return [['mean [range] over seeds', ...head], ...rows];
}

function spreadCell(figure: Figure, spread: Spread | null): string {
  if (!spread) return '–';
  const { mean, min, max, deviation } = spread;
  const range = deviation === null ? '' : ` [${shown(figure, min)}–${shown(figure, max)}]`;
  return `${shown(figure, mean)}${range}`;
}

function divergedLines({ norm, diverged }: Compared): string[] {
  if (diverged.length === 0) return [];
  return [
    `${norm} diverged (a loss was not finite) from seed${diverged.length === 1 ? '' : 's'} ${diverged.join(', ')}: not in its figures`,
  ];
}

/** Whether each reference run's test accuracy is one that might have been our own. */
function referenceLines(places: ReferencePlace[], seeds: number): string[] {
  const count = `${seeds} seed${seeds === 1 ? '' : 's'}`;
  const told = ({ min, max, lower, count: of }: ReferencePlace['late']) =>
    `${formatMetric(min)} to ${formatMetric(max)}, ${lower} of ${of} lower`;
  return [
    'the reference is one published run of each, on one GPU, with PyTorch; its test acc beside ours with the moving average:',
    ...places.map(({ norm, testAccuracy, epochs, late, last }) =>
      [
        `${formatMetric(testAccuracy)} (${norm}) is ${late.within ? 'within' : 'outside'} the range of ours`,
        `after each of the last ${epochs} epochs of ${count} (${told(late)}),`,
        `${last.within === late.within ? 'and' : 'but'} ${last.within ? 'within' : 'outside'} that after the last alone (${told(last)})`,
      ].join(' '),
    ),
  ];
}

function speedLine({ ratio, turns, steps }: LayerSpeed): string {
  const times = `${ratio.median.toFixed(2)} [${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}]`;
  const published = REFERENCE_RUNS.scratch.examplesPerSecond / REFERENCE_RUNS.builtin.examplesPerSecond;
  const faster = ratio.min > 1 ? 'scratch' : ratio.max < 1 ? 'builtin' : 'neither';
  const verdicts = {
    scratch: 'the layer from scratch is the faster one here; in the reference it is the other way round',
    builtin: 'the built-in layer is the faster one, as in the reference',
    neither: 'neither is the faster one in every turn; in the reference the built-in layer is',
  };
  return (
    `scratch trains ${times} times as fast as builtin, divided turn by turn (median [range] of ${turns} turns of ${steps} steps): ` +
    `${verdicts[faster]} (${published.toFixed(2)})`
  );
}

/** Each seed's own figures, kind by kind. */
export function seedLines({ runs, figures }: Comparison, columns?: number): string[] {
  const cell = (figure: Figure, { [figure]: value }: FinalResult) => (value === null ? '–' : shown(figure, value));
  const rows = figures.flatMap(({ norm }) =>
    runs
      .filter((run) => run.norm === norm)
      .map(({ seed, final }) => [
        `${norm}, seed ${seed}`,
        ...FIGURES.map((figure) => (final ? cell(figure, final) : 'diverged')),
      ]),
  );
  return align([['each seed', ...FIGURES.map((figure) => NAMES[figure])], ...rows], columns);
}

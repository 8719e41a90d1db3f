/** Exploding gradients: by how much each ReLU layer with batch normalization makes the gradient grow towards the input. */
import { type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import { hiddenLayers, layerLine, LAYERS } from '../stacks.js';
import type { Picture } from '../result.js';
import { geometricAverage } from '../secondary.js';
import type { LayerNorms, TrialRecord } from '../trial.js';

/** The layers between which the growth is taken; the first ones see real images, whose pixels are correlated. */
interface Range {
  first: number;
  last: number;
}

/** The rate that follows for wide layers and large batches, √(π/(π − 1)). */
const THEORY = Math.sqrt(Math.PI / (Math.PI - 1));

export function explodingGradients({ claim, block }: Evidence<'exploding-gradients'>): Finding<'exploding-gradients'> {
  const range = { first: claim.constants['first layer'] ?? NaN, last: claim.constants['last layer'] ?? NaN };
  const relu = block('relu');
  const small = block('relu-batches');
  const measuredOf = (norm: string) => perSeed(relu.seeds, (seed) => growth(runOf(relu, norm, seed), range, 0));
  const [batch, none] = [recordsOf(relu, 'batch'), recordsOf(relu, 'none')];
  const rates = (records: readonly TrialRecord[], step: number) =>
    records.map((record) => growth(record, range, step) ?? NaN).filter(Number.isFinite);
  return {
    measured: { batch: measuredOf('batch'), none: measuredOf('none') },
    secondary: [
      ...[...new Set(small.runs.map(({ trial }) => trial.batchSize))].map((size) =>
        geometricAverage(
          `growth with batches of ${size}`,
          'per layer',
          rates(
            recordsOf(small, 'batch', ({ batchSize }) => batchSize === size),
            0,
          ),
        ),
      ),
      ...[1, 10].map((step) =>
        geometricAverage(
          `growth after ${step} ${step === 1 ? 'step' : 'steps'} at learning rate 0.1`,
          'per layer',
          rates(batch, step),
        ),
      ),
    ],
    pictures: [atStart(batch, none, range), alongTraining(batch)],
    remarks: ['At initialization only: how it goes on is in the last picture.'],
  };
}

/** A layer, as a geometric mean; undefined where the trial did not get to the step. */
function growth(record: TrialRecord | undefined, { first, last }: Range, step: number): number | undefined {
  if (record === undefined) return undefined;
  const layers = hiddenLayers(record, step);
  const [from, to] = [layers[last - 1], layers[first - 1]];
  if (from === undefined || to === undefined) return undefined;
  return (to.outputGradient / from.outputGradient) ** (1 / (last - first));
}

/** Every layer's, in units of the last that counts. */
function relative(last: number) {
  return (layer: LayerNorms, all: readonly LayerNorms[]) =>
    layer.outputGradient / (all[Math.min(last, all.length) - 1]?.outputGradient ?? NaN);
}

const Y = { name: "norm of the gradient of the layer's output", unit: '', logarithmic: true };

function atStart(batch: readonly TrialRecord[], none: readonly TrialRecord[], { last }: Range): Picture {
  const lines = [
    layerLine('with batch normalization', batch, relative(last)),
    layerLine('without', none, relative(last)),
  ];
  const x = lines[0]?.x ?? [];
  return {
    kind: 'lines',
    name: `Gradient of each ReLU layer at initialization, ÷ that of layer ${last}`,
    x: LAYERS,
    y: Y,
    series: [
      ...lines,
      { name: 'theory, √(π/(π − 1)) a layer', x, y: x.map((layer) => THEORY ** (last - layer)), seeds: [] },
    ],
    references: [],
  };
}

function alongTraining(batch: readonly TrialRecord[]): Picture {
  const line = (step: number) =>
    layerLine(
      `after ${step} ${step === 1 ? 'step' : 'steps'}`,
      batch,
      (layer, all) => layer.outputGradient / (all.at(-1)?.outputGradient ?? NaN),
      step,
    );
  return {
    kind: 'lines',
    name: 'The same with batch normalization while it trains, ÷ that of the last layer',
    x: LAYERS,
    y: Y,
    series: [0, 1, 10].map(line),
    references: [],
  };
}

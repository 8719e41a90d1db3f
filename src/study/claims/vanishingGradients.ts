/** Vanishing gradients: what each sigmoid layer leaves of the gradient on its way to the input, at initialization. */
import { meanLine } from '../seedLines.js';
import { type BlockRuns, type Evidence, type Finding, perSeed, recordsOf, runOf } from '../evidence.js';
import { mean } from '../intervals.js';
import { hiddenLayers, layerLine, LAYERS } from '../stacks.js';
import type { Picture } from '../result.js';
import { average, geometricAverage } from '../secondary.js';
import type { LayerNorms, TrialRecord } from '../trial.js';
import { LAST } from '../tuning.js';

const ARMS = { none: 'without batch normalization', batch: 'with batch normalization' };
type Norm = keyof typeof ARMS;
const NORMS: Norm[] = ['none', 'batch'];

export function vanishingGradients({ claim, block }: Evidence<'vanishing-gradients'>): Finding<'vanishing-gradients'> {
  const { depth = NaN } = claim.constants;
  const sigmoid = block('sigmoid');
  const measuredOf = (norm: Norm) =>
    perSeed(sigmoid.seeds, (seed) => attenuation(runOf(sigmoid, `${norm} ${depth}`, seed)));
  const ends = (norm: Norm, of: (layer: LayerNorms) => number) =>
    recordsOf(sigmoid, `${norm} ${depth}`).map((record) => firstToLast(record, of));
  const training = block('sigmoid-training');
  return {
    measured: { none: measuredOf('none'), batch: measuredOf('batch') },
    secondary: [
      ...NORMS.flatMap((norm) => [
        geometricAverage(`gradient of the first layer ÷ of the last, ${ARMS[norm]}`, 'times', ends(norm, gradientOf)),
        geometricAverage(`the same, each ÷ the norm of its weights, ${ARMS[norm]}`, 'times', ends(norm, relativeOf)),
      ]),
      ...depthsOf(training).flatMap((layers) =>
        NORMS.map((norm) =>
          average(
            `training accuracy of ${layers} layers after their first images, ${ARMS[norm]}`,
            '%',
            recordsOf(training, `${norm} ${layers}`).map(({ accuracies }) => 100 * mean(accuracies.slice(-LAST / 10))),
          ),
        ),
      ),
    ],
    pictures: [byLayer(sigmoid, depth), byDepth(sigmoid)],
    remarks: [
      "The gradient's norm is not free of the weights' scale, so the second pair of numbers divides by it. That gradients vanish at initialization does not prove that no training could start: other remedies are other weights to start with, and ReLUs.",
    ],
  };
}

function gradientOf({ weightGradient }: LayerNorms): number {
  return weightGradient;
}

function relativeOf({ weightGradient, weight }: LayerNorms): number {
  return weightGradient / weight;
}

function firstToLast(record: TrialRecord, of: (layer: LayerNorms) => number): number {
  const layers = hiddenLayers(record).map(of);
  return (layers[0] ?? NaN) / (layers.at(-1) ?? NaN);
}

/** The factor a layer towards the input: e to the minus slope of the logarithm over layers, by least squares. */
function attenuation(record: TrialRecord | undefined): number | undefined {
  if (record === undefined) return undefined;
  const logs = hiddenLayers(record).map((layer) => Math.log(gradientOf(layer)));
  const middle = (logs.length - 1) / 2;
  const [up, down] = [mean(logs.map((log, i) => (i - middle) * log)), mean(logs.map((_, i) => (i - middle) ** 2))];
  return Math.exp(-up / down);
}

function depthsOf({ runs }: BlockRuns): number[] {
  const depths = runs.map(({ trial: { model } }) => (model.kind === 'mlp' ? model.depth : NaN));
  return [...new Set(depths)].sort((a, b) => a - b);
}

function byLayer(sigmoid: BlockRuns, depth: number): Picture {
  const line = (norm: Norm) =>
    layerLine(ARMS[norm], recordsOf(sigmoid, `${norm} ${depth}`), (layer, all) => {
      const last = all.at(-1);
      return last === undefined ? NaN : gradientOf(layer) / gradientOf(last);
    });
  return {
    kind: 'lines',
    name: `Gradient of each of ${depth} sigmoid layers, ÷ that of the last`,
    x: LAYERS,
    y: { name: "norm of the weights' gradient", unit: '', logarithmic: true },
    series: NORMS.map(line),
    references: [],
  };
}

function byDepth(sigmoid: BlockRuns): Picture {
  const depths = depthsOf(sigmoid);
  const line = (norm: Norm) => {
    const at = (layers: number, seed: number) => {
      const record = runOf(sigmoid, `${norm} ${layers}`, seed);
      return record === undefined ? null : firstToLast(record, gradientOf);
    };
    return meanLine(
      ARMS[norm],
      depths,
      sigmoid.seeds.map((seed) => ({ seed, y: depths.map((layers) => at(layers, seed)) })),
    );
  };
  return {
    kind: 'lines',
    name: 'Gradient of the first sigmoid layer ÷ that of the last, by depth',
    x: { name: 'hidden layers', unit: '', logarithmic: false },
    y: { name: 'first ÷ last', unit: '', logarithmic: true },
    series: NORMS.map(line),
    references: [{ name: 'the same', y: 1 }],
  };
}

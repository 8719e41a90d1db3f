/** The parameters of a saved model's batch normalization layers, whichever kind they are. */
import { cannot, EXIT } from '../common/errors.js';
import { toType } from '../common/invocation.js';
import type { SavedWeight } from './checkpoint.js';

/** What a layer calls its weights, and this program. */
const NAMES = { gamma: 'gamma', beta: 'beta', moving_mean: 'movingMean', moving_variance: 'movingVariance' } as const;

export interface LayerParameters extends Partial<Record<(typeof NAMES)[keyof typeof NAMES], number[]>> {
  /** Counted from 1, in the model's order. */
  layer: number;
  /** Of so many. */
  layers: number;
  /** What it normalizes: "convolution 5×5, 1→6", "dense 256→120". */
  after: string;
}

export interface Wanted {
  /** The layer with this number, or all. */
  layer: number | 'all';
  /** The moving statistics, too. */
  moving?: boolean;
}

/** What the layers of a run's model have learned. Throws a BnTrainError that names `run` where it has no such layer. */
export function parametersOf(
  weights: SavedWeight[],
  run: string,
  { layer: wanted, moving = false }: Wanted,
): LayerParameters[] {
  const layers = groupByLayer(weights, moving);
  const chosen = wanted === 'all' ? layers : layers.filter(({ layer }) => layer === wanted);
  if (chosen.length > 0) return chosen;
  throw cannot(`inspect ${run}`, {
    expected: layers.length > 0 ? `a layer from 1 to ${layers.length}, or all` : 'a model with batch normalization',
    got: layers.length > 0 ? `${wanted}` : 'one without',
    hint: layers.length > 0 ? 'choose another --layer' : `train one: ${toType('scratch')}`,
    exitCode: layers.length > 0 ? EXIT.usage : EXIT.failed,
  });
}

/** Layers are those that have a moving mean; they need not have γ or β. */
function groupByLayer(weights: SavedWeight[], moving: boolean): LayerParameters[] {
  const names = weights.flatMap(({ name }) => /^(.*)\/moving_mean$/.exec(name)?.[1] ?? []);
  return names.map((layerName, i) => {
    const first = weights.findIndex(({ name }) => name.startsWith(`${layerName}/`));
    const kernel = weights.slice(0, first).findLast(({ name }) => name.endsWith('/kernel'));
    const parameters: LayerParameters = { layer: i + 1, layers: names.length, after: describeKernel(kernel?.shape) };
    for (const [own, key] of Object.entries(NAMES)) {
      const weight = weights.find(({ name }) => name === `${layerName}/${own}`);
      if (weight && (moving || !own.startsWith('moving'))) parameters[key] = [...weight.values];
    }
    return parameters;
  });
}

function describeKernel(shape: number[] = []): string {
  const [inputs, outputs] = shape.slice(-2);
  const channels = `${inputs ?? '?'}→${outputs ?? '?'}`;
  return shape.length === 4 ? `convolution ${shape.slice(0, 2).join('×')}, ${channels}` : `dense ${channels}`;
}

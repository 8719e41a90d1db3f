/** The parameters of a saved model's batch normalization layers, whichever kind they are. */
import { cannot, EXIT } from '../common/errors.js';
import { toType } from '../common/invocation.js';
import type { SavedWeight } from './checkpoint.js';
import { readWeights } from './checkpoints.js';

/** What a layer calls its weights, and this program. */
const NAMES = { gamma: 'gamma', beta: 'beta', moving_mean: 'movingMean', moving_variance: 'movingVariance' } as const;

export interface LayerParameters extends Partial<Record<(typeof NAMES)[keyof typeof NAMES], number[]>> {
  /** Counted from 1, in the model's order. */
  layer: number;
}

export interface Wanted {
  /** The layer with this number, or all. */
  layer: number | 'all';
  /** The moving statistics, too. */
  moving?: boolean;
  /** Of the newest checkpoint, be it of a finished epoch or not. */
  midEpoch?: boolean;
}

/** What a run learned. Throws a BnTrainError where it has no such layer. */
export async function readParameters(
  run: string,
  { layer: wanted, moving = false, midEpoch = false }: Wanted,
): Promise<LayerParameters[]> {
  const layers = groupByLayer(await readWeights(run, midEpoch), moving);
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
  const layers = weights.flatMap(({ name }) => /^(.*)\/moving_mean$/.exec(name)?.[1] ?? []);
  return layers.map((layerName, i) => {
    const parameters: LayerParameters = { layer: i + 1 };
    for (const [own, key] of Object.entries(NAMES)) {
      const weight = weights.find(({ name }) => name === `${layerName}/${own}`);
      if (weight && (moving || !own.startsWith('moving'))) parameters[key] = [...weight.values];
    }
    return parameters;
  });
}

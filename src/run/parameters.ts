/** The parameters of a saved model's batch normalization layers, whichever kind they are. */
import { cannot, EXIT } from '../common/errors.js';
import type { SavedWeight } from './checkpoint.js';
import { readWeights } from './checkpoints.js';

export interface LayerParameters {
  /** Counted from 1, in the model's order. */
  layer: number;
  gamma?: number[];
  beta?: number[];
  movingMean?: number[];
  movingVariance?: number[];
}

const KEYS = new Map<string, 'gamma' | 'beta' | 'movingMean' | 'movingVariance'>([
  ['gamma', 'gamma'],
  ['beta', 'beta'],
  ['moving_mean', 'movingMean'],
  ['moving_variance', 'movingVariance'],
]);

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
    hint: layers.length > 0 ? 'choose another --layer' : 'train one: bn-train scratch',
    exitCode: layers.length > 0 ? EXIT.usage : EXIT.failed,
  });
}

/** Layers are those that have a moving mean; they need not have γ or β. Trainable weights come first in the file. */
function groupByLayer(weights: SavedWeight[], moving: boolean): LayerParameters[] {
  const layerOf = (name: string) => name.slice(0, name.lastIndexOf('/'));
  const names = weights.filter(({ name }) => name.endsWith('/moving_mean')).map(({ name }) => layerOf(name));
  return names.map((layerName, i) => {
    const parameters: LayerParameters = { layer: i + 1 };
    for (const { name, values } of weights) {
      const key = KEYS.get(name.slice(name.lastIndexOf('/') + 1));
      if (layerOf(name) === layerName && key && (moving || !key.startsWith('moving'))) parameters[key] = [...values];
    }
    return parameters;
  });
}

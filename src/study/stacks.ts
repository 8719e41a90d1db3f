/** Gradients layer by layer in a deep stack: those of its hidden layers, and their lines. */
import { meanLine } from './seedLines.js';
import type { Axis, Line } from './result.js';
import type { LayerNorms, TrialRecord } from './trial.js';

export const LAYERS: Axis = { name: 'layer, from the input on', unit: '', logarithmic: false };

/** The hidden layers' norms before the update of a step; empty where the trial did not get there. */
export function hiddenLayers({ trial, gradients }: TrialRecord, step = 0): LayerNorms[] {
  const depth = trial.model.kind === 'mlp' ? trial.model.depth : Infinity;
  return (gradients ?? []).find((at) => at.step === step)?.layers.slice(0, depth) ?? [];
}

export function layerLine(
  name: string,
  records: readonly TrialRecord[],
  of: (layer: LayerNorms, all: readonly LayerNorms[]) => number,
  step = 0,
): Line {
  const layers = records.map((record) => hiddenLayers(record, step));
  const x = (layers[0] ?? []).map((_, i) => i + 1);
  return meanLine(
    name,
    x,
    records.map(({ trial }, i) => ({ seed: trial.seed, y: (layers[i] ?? []).map((layer, _, all) => of(layer, all)) })),
  );
}

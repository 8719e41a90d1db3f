/** The learned parameters of batch normalization layers, as rows of numbers. */
import type { LayerParameters } from '../run/parameters.js';

const NAMES = [
  ['gamma', 'gamma'],
  ['beta', 'beta'],
  ['movingMean', 'moving mean'],
  ['movingVariance', 'moving variance'],
] as const;

/** "gamma   0.4863  2.8573 …" for each layer; with more than one, each under its number. */
export function gammaLines(layers: LayerParameters[]): string[] {
  return layers.flatMap((parameters) => {
    const rows = NAMES.flatMap(([key, name]) => {
      const values = parameters[key];
      return values ? [`${name.padEnd(16)}${values.map((value) => value.toFixed(4).padStart(8)).join(' ')}`] : [];
    });
    return layers.length > 1 ? [`layer ${parameters.layer}`, ...rows] : rows;
  });
}

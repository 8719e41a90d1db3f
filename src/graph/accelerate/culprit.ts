/** Which layer it is that a graph cannot hold. */
import type * as tf from '@tensorflow/tfjs';
import { Exchange } from '../record/host.js';

const culprits = new WeakMap<object, string>();

/** Calls a function of a model, and remembers the innermost layer in which it fails. */
export function namingLayers<T>(layers: readonly tf.layers.Layer[], action: () => T): T {
  const exchange = new Exchange();
  for (const layer of leaves(layers)) {
    const call = layer.call.bind(layer);
    const watched: typeof call = (...given) => {
      try {
        return call(...given);
      } catch (error) {
        if (error instanceof Error && !culprits.has(error))
          culprits.set(error, `the layer ${layer.name} (${layer.getClassName()})`);
        throw error;
      }
    };
    exchange.put(layer, 'call', watched);
  }
  try {
    return action();
  } finally {
    exchange.putBack();
  }
}

/** Undefined where it failed outside of layers, as in a loss or a gradient. */
export const culpritOf = (error: unknown) => culprits.get(error as object);

const leaves = (layers: readonly tf.layers.Layer[]): tf.layers.Layer[] =>
  layers.flatMap((layer) => ('layers' in layer ? leaves(layer.layers as tf.layers.Layer[]) : [layer]));

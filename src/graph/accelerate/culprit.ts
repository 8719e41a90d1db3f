/** What a graph cannot hold of a model, and in which layer. */
import type * as tf from '@tensorflow/tfjs';
import { BnTrainError, messageOf } from '../../common/errors.js';
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

/** "UniqueV2, whose result's shape follows from values, in the layer lambda_1 (Lambda)". */
export function reasonOf(error: unknown): string {
  const message = messageOf(error);
  const got = error instanceof BnTrainError ? (/, got (.*)$/s.exec(message)?.[1] ?? message) : message;
  // None where it failed outside of layers, as in a loss or a gradient.
  const culprit = culprits.get(error as object);
  return culprit === undefined ? got : `${got}, in ${culprit}`;
}

const leaves = (layers: readonly tf.layers.Layer[]): tf.layers.Layer[] =>
  layers.flatMap((layer) => ('layers' in layer ? leaves(layer.layers as tf.layers.Layer[]) : [layer]));

/** Copies of a model, sequential or functional, made from a changed config. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';

/** How tfjs makes a model of a config; its types do not say so. */
interface ModelClass<Model> {
  fromConfig(cls: ModelClass<Model>, config: unknown): Model;
}

/** A model of the same class as `model`. */
export function modelFrom<Model extends tf.LayersModel>(model: Model, config: unknown): Model {
  const modelClass = model.constructor as unknown as ModelClass<Model>;
  // tfjs takes a config apart while it reads it.
  return modelClass.fromConfig(modelClass, copied(config));
}

/** A config's deep copy, with each field's value as `change` has it. */
export function copied(config: unknown, change = (_key: string, value: unknown) => value): unknown {
  if (Array.isArray(config)) return config.map((value) => copied(value, change));
  if (typeof config !== 'object' || config === null) return config;
  const fields = Object.entries(config) as [string, unknown][];
  return Object.fromEntries(fields.map(([key, value]) => [key, copied(change(key, value), change)]));
}

/**
 * The weights of those layers that both models have, nested ones included, layer by layer, as their order in a model
 * depends on what is frozen; and that, as no model's config has it.
 */
export function copyWeights(from: tf.LayersModel, to: tf.LayersModel): void {
  const targets = new Map(to.layers.map((layer) => [layer.name, layer]));
  for (const layer of from.layers) {
    const target = targets.get(layer.name);
    if (target === undefined) continue;
    if (layer instanceof tf.LayersModel) copyWeights(layer, target as tf.LayersModel);
    else for (const [i, weight] of target.weights.entries()) assign(layer.name, weight, layer.weights[i]);
  }
  if (!from.trainable) to.trainable = false;
}

type Weight = tf.layers.Layer['weights'][number];

/** By the variable itself: what tfjs calls setting a weight applies its constraint, though the value had not met it. */
function assign(layer: string, to: Weight, from: Weight | undefined): void {
  // A bias that the layer did not have starts as zeros, or as what it is given next.
  if (from === undefined) return;
  if (from.shape.join() !== to.shape.join())
    throw cannot(`copy the layer ${layer}`, {
      expected: `its config to give it weights of shape [${from.shape.join(', ')}]`,
      got: `[${to.shape.join(', ')}]`,
      hint: 'its getConfig() leaves an option out, as that of separableConv2d leaves out depthMultiplier',
    });
  (to.read() as tf.Variable).assign(from.read());
}

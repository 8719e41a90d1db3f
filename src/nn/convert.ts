/** Models whose built-in batch normalization layers become this project's. */
import * as tf from '@tensorflow/tfjs';
import { BatchNorm } from './layer.js';

/** How tfjs makes a model of a config; its types do not say so. */
interface ModelClass<Model> {
  fromConfig(cls: ModelClass<Model>, config: unknown): Model;
}

/**
 * A copy of a model, sequential or functional, nested models included, in which each tf.layers.batchNormalization is a
 * `BatchNorm` with its configuration and weights. The copy has to be compiled anew. Throws a BnTrainError for a layer
 * that normalizes another axis than the last.
 */
export function withBatchNorm<Model extends tf.LayersModel>(model: Model): Model {
  const modelClass = model.constructor as unknown as ModelClass<Model>;
  const copy = modelClass.fromConfig(modelClass, converted(model.getConfig()));
  carryOver(model, copy);
  return copy;
}

/** A deep copy, as tfjs takes its configs apart while it reads them. */
function converted(config: unknown): unknown {
  if (Array.isArray(config)) return config.map(converted);
  if (typeof config !== 'object' || config === null) return config;
  return Object.fromEntries(
    Object.entries(config).map(([key, value]: [string, unknown]) => [
      key,
      key === 'className' && value === 'BatchNormalization' ? BatchNorm.className : converted(value),
    ]),
  );
}

/** Weights, layer by layer, as their order in a model depends on what is frozen; and that, as no model's config has it. */
function carryOver(from: tf.LayersModel, to: tf.LayersModel): void {
  for (const layer of from.layers) {
    const target = to.getLayer(layer.name);
    if (layer instanceof tf.LayersModel) carryOver(layer, target as tf.LayersModel);
    else target.setWeights(layer.getWeights());
  }
  if (!from.trainable) to.trainable = false;
}

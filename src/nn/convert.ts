/** Models whose built-in batch normalization layers become this project's. */
import type * as tf from '@tensorflow/tfjs';
import { copied, copyWeights, modelFrom } from './copy.js';
import { BatchNorm } from './layer.js';

/**
 * A copy of a model, sequential or functional, nested models included, in which each tf.layers.batchNormalization is a
 * `BatchNorm` with its configuration and weights. The copy has to be compiled anew. Throws a BnTrainError for a layer
 * that normalizes another axis than the last.
 */
export function withBatchNorm<Model extends tf.LayersModel>(model: Model): Model {
  const converted = copied(model.getConfig(), (key, value) =>
    key === 'className' && value === 'BatchNormalization' ? BatchNorm.className : value,
  );
  const copy = modelFrom(model, converted);
  copyWeights(model, copy);
  return copy;
}

/** Accelerates a model of tfjs: it trains, evaluates and predicts as before, by compiled steps instead of op by op. */
import type * as tf from '@tensorflow/tfjs';
import { assertKnown, cannot, kindOf } from '../../common/errors.js';
import type { AccelerateOptions, Acceleration } from './accelerated.js';
import { assertModel } from './privates.js';

const EACH: Record<keyof AccelerateOptions, 0> = { fuse: 0, strict: 0, seed: 0 };
const DOING = 'accelerate the model';

const accelerations = new WeakMap<tf.LayersModel, Acceleration>();

/**
 * Has a sequential or functional model's `fit`, `fitDataset`, `trainOnBatch`, `evaluate`, `evaluateDataset`, `predict` and
 * `predictOnBatch` run compiled steps, each made when a batch of its shape first comes, on the native backend. All else is
 * as before: callbacks, validation, metrics and histories; weights are right whenever they are looked at; another
 * `compile`, other settings of layers and optimizers and other weights are seen at the next batch. A model that is
 * accelerated already starts afresh.
 *
 * Losses, metrics and layers of your own are called at every batch, on tensors without values, to see whether they still
 * compute the same: a number that changes becomes a variable of the graph, anything else is compiled again. For a loss
 * that takes some tenths of a millisecond; a function, or a class, whose property `settled` is true is not looked at.
 *
 * Throws a BnTrainError for other options, for what is no model, and with `strict` for what cannot be compiled.
 */
export async function accelerate(model: tf.LayersModel, options: AccelerateOptions = {}): Promise<Acceleration> {
  assertKnown(DOING, options, Object.keys(EACH));
  const { fuse = true, strict = false, seed } = options;
  for (const [name, value] of Object.entries({ fuse, strict }))
    if (typeof value !== 'boolean')
      throw cannot(DOING, { expected: `${name} to be true or false`, got: kindOf(value), hint: 'leave it out' });
  assertModel(model);
  accelerations.get(model)?.release();
  // What training without it need not load.
  const { Accelerated } = await import('./accelerated.js');
  const acceleration = new Accelerated(model, { fuse, strict, seed });
  accelerations.set(model, acceleration);
  return acceleration;
}

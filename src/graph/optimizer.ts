/** Optimizers of tfjs inside compiled steps: their hidden state made visible, and their learning rate a tensor. */
import * as tf from '@tensorflow/tfjs';
import { cannot, kindOf, messageOf } from '../common/errors.js';
import { variablesIn } from './declarations.js';
import { at, fieldsOf, makeVariable, placesOf } from './optimizerState.js';

const DOING = "list an optimizer's variables";

/** tfjs's own check reads properties of null. */
const isOptimizer = (value: unknown): value is tf.Optimizer => value != null && value instanceof tf.Optimizer;

/**
 * The variables that an optimizer keeps for `trainable`: momenta, moments and the like, which it would only make at its
 * first step, and its constants, which it holds as tensors. List them in `variables` when compiling a step that uses it.
 * Throws a BnTrainError for what is no optimizer, or no list of variables or weights.
 */
export function optimizerVariables(
  optimizer: tf.Optimizer,
  trainable: readonly (tf.Variable | tf.LayerVariable)[],
): tf.Variable[] {
  if (!isOptimizer(optimizer))
    throw cannot(DOING, {
      expected: 'an optimizer of TensorFlow.js',
      got: kindOf(optimizer),
      hint: 'optimizerVariables(tf.train.adam(0.01), model.trainableWeights)',
    });
  const moved = variablesIn([trainable]);
  for (const field of Object.keys(optimizer)) makeVariable(optimizer, field);
  const variables = () => placesOf(optimizer).map((place) => at(optimizer, place) as tf.Variable);
  const changing = variables();
  const before = changing.map((variable) => variable.clone());
  const { iterations } = optimizer;
  // Without a gradient an optimizer makes its slots and moves nothing.
  const none = moved.map(({ name }) => ({ name, tensor: null }));
  try {
    optimizer.applyGradients(none as unknown as Parameters<typeof optimizer.applyGradients>[0]);
  } catch (cause) {
    throw cannot(DOING, {
      expected: "applyGradients to pass over a variable whose gradient is null, as TensorFlow.js's own do",
      got: messageOf(cause),
      hint: 'if (gradient == null) continue;',
      cause,
    });
  }
  fieldsOf(optimizer)['iterations_'] = iterations;
  for (const [i, old] of before.entries()) {
    changing[i]?.assign(old);
    old.dispose();
  }
  return variables();
}

/**
 * `optimizer.minimize` with a learning rate [] that is a tensor, so that it may be an input of a compiled step. tfjs's
 * own is a number, which a graph would hold on to. Make the optimizer with learning rate 1: tfjs's move each variable by
 * a multiple of it, so that going the fraction `learningRate` of its way is a step with that rate. Throws a BnTrainError
 * for the one that does not, RMSProp with momentum, whose momentum remembers earlier rates.
 */
export function minimize(
  optimizer: tf.Optimizer,
  learningRate: tf.Scalar,
  loss: () => tf.Scalar,
  trainable: readonly tf.Variable[],
): tf.Scalar {
  const { momentum } = optimizer as unknown as { momentum?: number };
  if (optimizer.getClassName() === 'RMSProp' && momentum !== 0)
    throw cannot('minimize at a given learning rate', {
      expected: 'an optimizer that forgets its rate',
      got: `RMSProp with momentum ${momentum ?? 'unknown'}`,
      hint: 'use it without momentum, or tf.train.momentum or adam',
    });
  return tf.tidy(() => {
    const before = trainable.map((variable) => variable.clone());
    const value = optimizer.minimize(loss, true, [...trainable]) as tf.Scalar;
    for (const [i, variable] of trainable.entries()) {
      const old = before[i] as tf.Tensor;
      variable.assign(old.add(variable.sub(old).mul(learningRate)));
    }
    return value;
  });
}

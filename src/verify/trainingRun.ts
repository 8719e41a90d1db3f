/** A short training run of one batch normalization layer, with or without a dense layer before it. */
import * as tf from '@tensorflow/tfjs';
import { weightOf } from '../nn/population.js';
import { withWeights } from './apply.js';
import type { Vectors } from './reference.js';

export interface Batch {
  /** The input, flat. */
  x: number[];
  /** What the output should be, flat. */
  target: number[];
}

export interface TrainingRun {
  /** Of the layer's input: [batch, channels] or [batch, height, width, channels]. */
  shape: number[];
  /** How many numbers the dense layer before it takes at each position; 0 for no such layer. */
  inputs: number;
  /** One a step. */
  batches: Batch[];
  start: State;
  learningRate: number;
  epsilon: number;
  momentum: number;
}

/** All that a step changes, and the loss that it found: the mean squared distance from the target. */
export interface State<T = number> extends Vectors<T> {
  /** [inputs·channels]. */
  kernel: T[];
  /** One number. */
  loss: T[];
}

export const PARTS = ['kernel', 'gamma', 'beta', 'movingMean', 'movingVariance', 'loss'] as const;

/** All numbers of a state, in the order of `PARTS`. */
export const flatten = <T>(state: State<T>): T[] => PARTS.flatMap((part) => state[part]);

/** A run under way: plain gradient descent with a layer of the run's own hyperparameters. */
export function trainee(run: TrainingRun, layer: tf.layers.Layer) {
  const { shape, inputs, learningRate, start } = run;
  const channels = shape.at(-1) ?? 0;
  withWeights(layer, shape, start);
  const kernel = inputs === 0 ? undefined : tf.variable(tf.tensor2d(start.kernel, [inputs, channels]));
  const weights = (...names: string[]) => names.map((name) => weightOf(layer, name)?.read() as tf.Variable);
  const trained = [...(kernel ? [kernel] : []), ...weights('gamma', 'beta')];
  const variables = [...trained, ...weights('moving_mean', 'moving_variance')];
  return {
    /** One step on a batch; the loss before it. */
    step: (x: tf.Tensor, target: tf.Tensor): tf.Scalar => {
      const { value, grads } = tf.variableGrads(() => {
        const hidden = kernel ? x.matMul(kernel).reshape(shape) : x;
        const y = layer.apply(hidden, { training: true }) as tf.Tensor;
        return y.sub(target).square().mean<tf.Scalar>();
      }, trained);
      // Not tfjs's optimizer, whose learning rate is a tensor from outside of the step, which no graph can hold.
      for (const variable of trained)
        variable.assign(variable.sub((grads[variable.name] as tf.Tensor).mul(learningRate)));
      return value;
    },
    /** What a step changes. */
    variables,
    /** A batch's input and target. */
    sample: ({ x, target }: Batch): [x: tf.Tensor, target: tf.Tensor] => [
      tf.tensor(x, inputs === 0 ? shape : [x.length / inputs, inputs]),
      tf.tensor(target, shape),
    ],
    /** The flat state after steps that found these losses. */
    end: (losses: number[]) => [...variables.flatMap((variable) => [...variable.dataSync()]), losses.at(-1) ?? NaN],
    dispose: () => {
      tf.dispose(variables);
    },
  };
}

/** The whole run, op by op: the flat state after the last step. Frees the layer. */
export function trainEagerly(run: TrainingRun, layer: tf.layers.Layer): number[] {
  const { step, sample, end, dispose } = trainee(run, layer);
  const state = end(run.batches.map((batch) => tf.tidy(() => step(...sample(batch)).dataSync()[0] ?? NaN)));
  dispose();
  return state;
}

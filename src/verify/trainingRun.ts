/** A short training run of one batch normalization layer, with or without a dense layer before it. */
import * as tf from '@tensorflow/tfjs';
import { weightOf } from '../nn/population.js';
import { freeWeights, withWeights } from './apply.js';

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
export interface State<T = number> {
  /** [inputs·channels]. */
  kernel: T[];
  /** [channels], as the three after it. */
  gamma: T[];
  beta: T[];
  movingMean: T[];
  movingVariance: T[];
  /** One number. */
  loss: T[];
}

export const PARTS = ['kernel', 'gamma', 'beta', 'movingMean', 'movingVariance', 'loss'] as const;

/** All numbers of a state, in the order of `PARTS`. */
export const flatten = <T>(state: State<T>): T[] => PARTS.flatMap((part) => state[part]);

/** The tensors of a run under way. */
export interface Trainee {
  /** One step on a batch; the loss before it. */
  step: (x: tf.Tensor, target: tf.Tensor) => tf.Scalar;
  /** What a step changes. */
  variables: tf.Variable[];
  input: (values: number[]) => tf.Tensor;
  target: (values: number[]) => tf.Tensor;
  state: (loss: number) => State;
  dispose: () => void;
}

const WEIGHTS = { gamma: 'gamma', beta: 'beta', movingMean: 'moving_mean', movingVariance: 'moving_variance' } as const;

/** Plain gradient descent with a layer of the run's own hyperparameters. */
export function trainee(run: TrainingRun, layer: tf.layers.Layer): Trainee {
  const { shape, inputs, learningRate, start } = run;
  const channels = shape.at(-1) ?? 0;
  withWeights(layer, shape, start);
  const kernel = inputs === 0 ? undefined : tf.variable(tf.tensor2d(start.kernel, [inputs, channels]));
  const weight = (name: string) => weightOf(layer, name)?.read() as tf.Variable;
  const trained = [...(kernel ? [kernel] : []), weight('gamma'), weight('beta')];
  const values = (tensor: tf.Tensor) => [...tensor.dataSync()];
  return {
    step: (x, target) => {
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
    variables: [...(kernel ? [kernel] : []), ...Object.values(WEIGHTS).map(weight)],
    input: (x) => tf.tensor(x, inputs === 0 ? shape : [x.length / inputs, inputs]),
    target: (target) => tf.tensor(target, shape),
    state: (loss) => ({
      kernel: kernel ? values(kernel) : [],
      gamma: values(weight(WEIGHTS.gamma)),
      beta: values(weight(WEIGHTS.beta)),
      movingMean: values(weight(WEIGHTS.movingMean)),
      movingVariance: values(weight(WEIGHTS.movingVariance)),
      loss: [loss],
    }),
    dispose: () => {
      kernel?.dispose();
      freeWeights(layer);
    },
  };
}

/** The whole run, op by op: the state after the last step. Frees the layer. */
export function trainEagerly(run: TrainingRun, layer: tf.layers.Layer): State {
  const { step, input, target, state, dispose } = trainee(run, layer);
  const losses = run.batches.map(({ x, target: wanted }) =>
    tf.tidy(() => step(input(x), target(wanted)).dataSync()[0] ?? NaN),
  );
  const end = state(losses.at(-1) ?? NaN);
  dispose();
  return end;
}

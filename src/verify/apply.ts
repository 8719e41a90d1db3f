/** Runs the function or the layer under test on a case, and returns plain numbers. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../graph/record/record.js';
import { weightOf } from '../nn/population.js';
import { analyse, type Analysis, vectorsOf, type Layout } from './bounds/analysis.js';
import { type Bounded, exact } from './bounds/bounded.js';
import type { Case } from './cases.js';
import type { Subject } from './check.js';
import type { Mode, Vectors } from './reference.js';

/** What batch normalization gives; the gradients are those of Σ dy·y. */
export const QUANTITIES = ['y', 'movingMean', 'movingVariance', '∂x', '∂γ', '∂β'] as const;
export type Quantity = (typeof QUANTITIES)[number];
export type Numbers = Record<Quantity, Float32Array>;

/** The mode of a case: its hyperparameters, in training or inference. */
export function modeOf({ epsilon, momentum }: Case, training: boolean): Mode {
  return { training, epsilon, momentum };
}

/** What float32 may make of a case. */
export function analysisOf(example: Case, training: boolean, shift?: Layout['shift']): Record<Quantity, Bounded[]> {
  const { x, shape, vectors, dy } = example;
  const layout = { shape, ...(shift && { shift }) };
  return boundsOf(analyse(x.map(exact), layout, vectorsOf(vectors), modeOf(example, training)), dy);
}

/** An analysis with its gradients for a `dy`. */
export function boundsOf({ gradient, ...forward }: Analysis, dy: number[]): Record<Quantity, Bounded[]> {
  const { x, gamma, beta } = gradient(dy.map(exact));
  return { ...forward, '∂x': x, '∂γ': gamma, '∂β': beta };
}

/** (x, γ, β, moving mean, moving variance, dy) → `QUANTITIES`. */
export function evaluation(batchNorm: Subject['batchNorm'], mode: Mode): StepFunction {
  return (...inputs) => {
    const [x, gamma, beta, movingMean, movingVariance, dy] = inputs as [tf.Tensor, ...tf.Tensor[]] & { length: 6 };
    const apply = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
      batchNorm(x, gamma, beta, movingMean as tf.Tensor, movingVariance as tf.Tensor, mode);
    const differentiated: [tf.Tensor, tf.Tensor, tf.Tensor] = [x, gamma as tf.Tensor, beta as tf.Tensor];
    const result = apply(...differentiated);
    const gradients = tf.grads((...given) => apply(...(given as typeof differentiated)).y)(differentiated, dy);
    return [result.y, result.movingMean, result.movingVariance, ...gradients];
  };
}

/** What `evaluation` takes. */
export function inputsOf({ x, dy, shape, vectors }: Case): tf.Tensor[] {
  return [tf.tensor(x, shape), ...vectorTensors(vectors), tf.tensor(dy, shape)];
}

/** The values of tensors in the order of `QUANTITIES`. */
export function numbersOf(tensors: (tf.Tensor | undefined)[]): Numbers {
  const values = QUANTITIES.map((quantity, i) => [quantity, tensors[i]?.dataSync<'float32'>() ?? new Float32Array()]);
  return Object.fromEntries(values) as Numbers;
}

function vectorTensors({ gamma, beta, movingMean, movingVariance }: Vectors): tf.Tensor1D[] {
  return [gamma, beta, movingMean, movingVariance].map((vector) => tf.tensor1d(vector));
}

/** The function on a case, op by op. */
export function evaluate(batchNorm: Subject['batchNorm'], example: Case, training: boolean): Numbers {
  const step = evaluation(batchNorm, modeOf(example, training));
  return fromTidy(() => numbersOf(step(...inputsOf(example))));
}

/** Frees a layer that was only ever applied to tensors; its own dispose is for layers of a model. */
export function freeWeights(layer: tf.layers.Layer): void {
  tf.dispose(layer.weights.map((weight) => weight.read()));
}

/** A layer built for a shape, with weights of one's own: gamma, beta, moving mean, moving variance. */
export function withWeights<T extends tf.layers.Layer>(layer: T, shape: number[], vectors: Vectors): T {
  layer.build([null, ...shape.slice(1)]);
  tf.tidy(() => layer.setWeights(vectorTensors(vectors)));
  return layer;
}

/** What a layer gives for a case, with the moving statistics that it has after it. Frees the layer. */
export function evaluateLayer(layer: tf.layers.Layer, { x, dy, shape, vectors }: Case, training: boolean): Numbers {
  return fromTidy(() => {
    withWeights(layer, shape, vectors);
    const weight = (name: string) => weightOf(layer, name)?.read() as tf.Variable;
    const differentiated = [tf.variable(tf.tensor(x, shape)), weight('gamma'), weight('beta')];
    let y: tf.Tensor | undefined;
    const { grads } = tf.variableGrads(() => {
      y = tf.keep(layer.apply(differentiated[0] as tf.Variable, { training }) as tf.Tensor);
      return y.mul(tf.tensor(dy, shape)).sum();
    }, differentiated);
    const gradients = differentiated.map(({ name }) => grads[name]);
    const result = numbersOf([y, weight('moving_mean'), weight('moving_variance'), ...gradients]);
    tf.dispose([y, differentiated[0]]);
    freeWeights(layer);
    return result;
  });
}

/** What `action` returns, which is no tensor: tf.tidy would look for some in it, number by number. */
export function fromTidy<T>(action: () => T): T {
  let result: T | undefined;
  tf.tidy(() => {
    result = action();
  });
  return result as T;
}

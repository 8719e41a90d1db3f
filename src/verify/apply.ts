/** Runs the function or the layer under test on a case, and returns plain numbers. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../graph/record/record.js';
import { weightOf } from '../nn/population.js';
import { analyse, type Shift, vectorsOf } from './bounds/analysis.js';
import { type Bounded, exact } from './bounds/bounded.js';
import type { Case } from './cases.js';
import type { Subject } from './check.js';
import { type Mode, reference, referenceGradient, type Vectors } from './reference.js';

/** What batch normalization gives; the gradients are those of Σ dy·y. */
export const QUANTITIES = ['y', 'movingMean', 'movingVariance', '∂x', '∂γ', '∂β'] as const;
export type Quantity = (typeof QUANTITIES)[number];
export type Numbers = Record<Quantity, Float32Array>;

/** The mode of a case: its hyperparameters, in training or inference. */
export function modeOf({ epsilon, momentum }: Case, training: boolean): Mode {
  return { training, epsilon, momentum };
}

/** What float32 may make of a case, whose numbers it holds as `read` has it: by default as they are. */
export function analysisOf(example: Case, training: boolean, shift?: Shift, read = exact): Record<Quantity, Bounded[]> {
  const vectors = vectorsOf(example.vectors, read);
  const mode = modeOf(example, training);
  const { gradient, ...forward } = analyse(example.x.map(read), example.shape, vectors, mode, shift);
  const { x, gamma, beta } = gradient(example.dy.map(exact));
  return { ...forward, '∂x': x, '∂γ': gamma, '∂β': beta };
}

/** What mathematics makes of a case, in float64. */
export function referenceOf(example: Case, training: boolean): Record<Quantity, number[]> {
  const { dy, shape, vectors } = example;
  const [channels, mode] = [shape.at(-1) ?? 0, modeOf(example, training)];
  const { x, gamma, beta } = referenceGradient(example.x, channels, vectors, dy, mode);
  return { ...reference(example.x, channels, vectors, mode), '∂x': x, '∂γ': gamma, '∂β': beta };
}

/** (x, γ, β, moving mean, moving variance, dy) → `QUANTITIES`. */
export function evaluation(batchNorm: Subject['batchNorm'], mode: Mode): StepFunction {
  return (x, gamma, beta, movingMean, movingVariance, dy) => {
    const apply = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) =>
      batchNorm(x, gamma, beta, movingMean, movingVariance, mode);
    const result = apply(x, gamma, beta);
    const gradients = tf.grads((x, gamma, beta) => apply(x, gamma, beta).y)([x, gamma, beta], dy);
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
    // The layer's own dispose is for layers of a model; this one was only ever applied to tensors.
    tf.dispose([y, differentiated[0], ...layer.weights.map((weight) => weight.read())]);
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

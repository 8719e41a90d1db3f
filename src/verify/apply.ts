/** Runs the function or the layer under test on a case, and returns plain numbers. */
import * as tf from '@tensorflow/tfjs';
import type { StepFunction } from '../graph/record/record.js';
import { weightOf } from '../nn/population.js';
import { analyse, type Analysis, exactVectors, type Layout } from './bounds/analysis.js';
import { exact } from './bounds/bounded.js';
import type { Case } from './cases.js';
import type { Subject } from './check.js';
import type { Mode, Vectors } from './reference.js';

export interface Forward {
  y: Float32Array;
  movingMean: Float32Array;
  movingVariance: Float32Array;
}

/** Of Σ dy·y. */
export interface Gradients {
  x: Float32Array;
  gamma: Float32Array;
  beta: Float32Array;
}

export type Numbers = Forward & { gradient: Gradients };

/** The mode of a case: its hyperparameters, in training or inference. */
export function modeOf({ epsilon, momentum }: Case, training: boolean): Mode {
  return { training, epsilon, momentum };
}

/** What float32 may make of a case. */
export function analysisOf(example: Case, training: boolean, shift?: Layout['shift']): Analysis {
  const { x, shape, vectors } = example;
  return analyse(x.map(exact), { shape, ...(shift && { shift }) }, exactVectors(vectors), modeOf(example, training));
}

/** (x, γ, β, moving mean, moving variance, dy) → y, moving mean, moving variance, ∂x, ∂γ, ∂β. */
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

/** What `evaluation` gave. */
export function numbersOf(outputs: tf.Tensor[]): Numbers {
  const [y, movingMean, movingVariance, x, gamma, beta] = outputs.map(values);
  return {
    y: y ?? NONE,
    movingMean: movingMean ?? NONE,
    movingVariance: movingVariance ?? NONE,
    gradient: { x: x ?? NONE, gamma: gamma ?? NONE, beta: beta ?? NONE },
  };
}

const NONE = new Float32Array();
const values = (tensor: tf.Tensor | undefined): Float32Array => tensor?.dataSync<'float32'>() ?? NONE;

function vectorTensors({ gamma, beta, movingMean, movingVariance }: Vectors): tf.Tensor1D[] {
  return [gamma, beta, movingMean, movingVariance].map((vector) => tf.tensor1d(vector));
}

/** The function on a case, op by op. */
export function evaluate(batchNorm: Subject['batchNorm'], example: Case, training: boolean): Numbers {
  const step = evaluation(batchNorm, modeOf(example, training));
  return fromTidy(() => numbersOf(step(...inputsOf(example))));
}

/** The outputs alone. */
export function forward(batchNorm: Subject['batchNorm'], example: Case, training: boolean): Float32Array {
  return tf.tidy(() => {
    const [x, gamma, beta, mean, variance] = inputsOf(example) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    return values(batchNorm(x, gamma, beta, mean, variance, modeOf(example, training)).y);
  });
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

/** What a layer gives for a case, and its moving statistics after it. Frees the layer. */
export function layerForward(layer: tf.layers.Layer, { x, shape, vectors }: Case, training: boolean): Forward {
  return fromTidy(() => {
    const y = withWeights(layer, shape, vectors).apply(tf.tensor(x, shape), { training }) as tf.Tensor;
    const weight = (name: string) => values(weightOf(layer, name)?.read());
    const result = { y: values(y), movingMean: weight('moving_mean'), movingVariance: weight('moving_variance') };
    freeWeights(layer);
    return result;
  });
}

/** The gradients that training would take. Frees the layer. */
export function layerGradients(layer: tf.layers.Layer, { x, dy, shape, vectors }: Case): Gradients {
  return fromTidy(() => {
    withWeights(layer, shape, vectors);
    const input = tf.variable(tf.tensor(x, shape));
    const [gamma, beta] = ['gamma', 'beta'].map((name) => weightOf(layer, name)?.read() as tf.Variable);
    const upstream = tf.tensor(dy, shape);
    const loss = () => (layer.apply(input, { training: true }) as tf.Tensor).mul(upstream).sum<tf.Scalar>();
    const { grads } = tf.variableGrads(loss, [input, gamma as tf.Variable, beta as tf.Variable]);
    const of = (variable: tf.Variable | undefined) => values(grads[variable?.name ?? '']);
    const result = { x: of(input), gamma: of(gamma), beta: of(beta) };
    input.dispose();
    freeWeights(layer);
    return result;
  });
}

/** tf.tidy's type asks for tensors inside what is returned, where it lets all else through. */
function fromTidy<T>(action: () => T): T {
  return tf.tidy(action as unknown as () => tf.TensorContainer) as T;
}

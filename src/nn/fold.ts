/** Batch normalization folded into the convolutions and dense layers before it, for inference alone. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { copyWeights, modelFrom } from './copy.js';
import { type ModelConfig, type Plan, planFold } from './foldPlan.js';
import { isBatchNorm, weightOf } from './population.js';
import { assertLastAxis } from './recalibrate.js';

/**
 * A copy of a model, sequential or functional, nested models included, that computes the same in inference without batch
 * normalization: y = γ·(W·x + b − mean)/√(variance + ε) + β is W'·x + b' with scale = γ/√(variance + ε), W' = scale·W and
 * b' = scale·(b − mean) + β (Jacob et al. 2018, arXiv 1712.05877, section 3.2), computed in float64 and rounded once. The
 * copy has no layer of this project's and is not for training; the model is left as it was.
 *
 * Throws a BnTrainError that names the layer for batch normalization that does not stand right after a dense layer or a
 * convolution (of any kind, dropout aside), whose input has other readers, or that normalizes another axis than the last;
 * and for weights that would not be finite.
 */
export async function fold<Model extends tf.LayersModel>(model: Model): Promise<Model> {
  assertAxes(model);
  const plan = planFold(model.getConfig() as unknown as ModelConfig);
  const copy = modelFrom(model, plan.config);
  copyWeights(model, copy);
  await foldWeights(model, copy, plan);
  return copy;
}

function assertAxes(model: tf.LayersModel): void {
  for (const layer of model.layers)
    if (layer instanceof tf.LayersModel) assertAxes(layer);
    else if (isBatchNorm(layer)) assertLastAxis(`fold ${layer.name}`, layer);
}

async function foldWeights(from: tf.LayersModel, to: tf.LayersModel, { into, nested }: Plan): Promise<void> {
  for (const [name, plan] of nested)
    await foldWeights(from.getLayer(name) as tf.LayersModel, to.getLayer(name) as tf.LayersModel, plan);
  for (const [name, normalizers] of into) {
    const affines = await Promise.all(normalizers.map((normalizer) => affineOf(from.getLayer(normalizer))));
    await foldLayer(innerOf(from.getLayer(name)), innerOf(to.getLayer(name)), affines.reduce(compose));
  }
}

/** x ↦ scale·x + shift, channel by channel. */
interface Affine {
  scale: Float64Array;
  shift: Float64Array;
}

/** What a batch normalization layer does in inference. */
async function affineOf(layer: tf.layers.Layer): Promise<Affine> {
  const { epsilon } = layer.getConfig() as { epsilon: number };
  const names = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
  const [gamma, beta, mean, variance] = await Promise.all(names.map((name) => valuesOf(weightOf(layer, name))));
  const scale = Float64Array.from(variance ?? [], (value, c) => (gamma?.[c] ?? 1) / Math.sqrt(value + epsilon));
  return { scale, shift: scale.map((value, c) => (beta?.[c] ?? 0) - value * (mean?.[c] ?? 0)) };
}

type Weight = tf.layers.Layer['weights'][number];

async function valuesOf(weight: Weight | undefined): Promise<Float32Array | undefined> {
  return weight?.read().data<'float32'>();
}

/** `second` after `first`. */
function compose(first: Affine, second: Affine): Affine {
  return {
    scale: first.scale.map((value, c) => value * (second.scale[c] ?? NaN)),
    shift: first.shift.map((value, c) => value * (second.scale[c] ?? NaN) + (second.shift[c] ?? NaN)),
  };
}

/** What a timeDistributed layer computes with at each time; any other layer itself. */
function innerOf(layer: tf.layers.Layer): tf.layers.Layer {
  const { layer: wrapped } = layer as { layer?: tf.layers.Layer };
  return wrapped ? innerOf(wrapped) : layer;
}

/** The weight that makes a layer's output channels: the last one that is not the bias. */
const kernelOf = (layer: tf.layers.Layer) => weightOf(layer, 'pointwise_kernel') ?? layer.weights[0];

async function foldLayer(from: tf.layers.Layer, to: tf.layers.Layer, { scale, shift }: Affine): Promise<void> {
  const [kernel, target] = [kernelOf(from), kernelOf(to)];
  const [weights, bias] = await Promise.all([kernel, weightOf(from, 'bias')].map(valuesOf));
  // A transposed convolution's kernel ends with [output channels, input channels], any other with the output channels.
  const inner = /Transpose$/.test(to.getClassName()) ? (target?.shape.at(-1) ?? 1) : 1;
  const channelOf = (i: number) => Math.floor(i / inner) % scale.length;
  write(
    to,
    target,
    Float32Array.from(weights ?? [], (value, i) => value * (scale[channelOf(i)] ?? NaN)),
  );
  write(
    to,
    weightOf(to, 'bias'),
    Float32Array.from(shift, (value, c) => (bias?.[c] ?? 0) * (scale[c] ?? NaN) + value),
  );
}

function write(layer: tf.layers.Layer, weight: Weight | undefined, values: Float32Array): void {
  const wrong = values.find((value) => !Number.isFinite(value));
  if (wrong !== undefined)
    throw cannot(`fold batch normalization into ${layer.name}`, {
      expected: 'weights and statistics that give finite ones',
      got: String(wrong),
    });
  tf.tidy(() => {
    weight?.write(tf.tensor(values, weight.shape as number[]));
  });
}

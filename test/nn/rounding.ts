/** How far a folded model's outputs may be from the given one's: a bound on float32's rounding in both, for the very input. */
import * as tf from '@tensorflow/tfjs';
import { isBatchNorm, weightOf } from '../../src/nn/population.js';

const UNIT = 2 ** -24;

/** A tensor as the given model has it, and how far the folded one's may be from it. */
interface Bounded {
  value: tf.Tensor;
  error: tf.Tensor;
  /** Of a linear layer's result: the sum of its terms' magnitudes, which the rounding of a sum is bounded by, and how many. */
  sum?: { magnitude: tf.Tensor; terms: number };
}

interface Node {
  outboundLayer: tf.layers.Layer;
  inputTensors: tf.SymbolicTensor[];
  outputTensors: tf.SymbolicTensor[];
}

/** The outputs of a model for `inputs`, each with its bound; the layers are those of the models in the tests. */
export function boundsOf(model: tf.LayersModel, inputs: tf.Tensor[]): Bounded[] {
  return throughModel(
    model,
    inputs.map((value) => ({ value, error: value.zerosLike() })),
  );
}

function throughModel(model: tf.LayersModel, inputs: Bounded[]): Bounded[] {
  if (model instanceof tf.Sequential)
    return model.layers.reduce((bounded, layer) => [throughLayer(layer, bounded)].flat(), inputs);
  const known = new Map(model.inputs.map((tensor, i) => [tensor.id, inputs[i] as Bounded]));
  const { nodesByDepth } = model as unknown as { nodesByDepth: Record<string, Node[]> };
  const depths = Object.keys(nodesByDepth).sort((a, b) => Number(b) - Number(a));
  for (const node of depths.flatMap((depth) => nodesByDepth[depth] ?? [])) {
    if (node.inputTensors.length === 0 || node.outboundLayer.getClassName() === 'InputLayer') continue;
    const given = node.inputTensors.map(({ id }) => known.get(id) as Bounded);
    for (const [i, result] of throughLayer(node.outboundLayer, given).entries())
      known.set((node.outputTensors[i] as tf.SymbolicTensor).id, result);
  }
  return model.outputs.map(({ id }) => known.get(id) as Bounded);
}

function throughLayer(layer: tf.layers.Layer, given: Bounded[]): Bounded[] {
  if (layer instanceof tf.LayersModel) return throughModel(layer, given);
  const call = (tensors: tf.Tensor[]) => layer.call(tensors, {}) as tf.Tensor;
  const value = [
    layer.call(
      given.map((one) => one.value),
      {},
    ),
  ].flat()[0] as tf.Tensor;
  if (isBatchNorm(layer)) return [throughNormalizer(layer, given[0] as Bounded, value)];
  if (weightOf(layer, 'kernel') ?? weightOf(layer, 'depthwise_kernel'))
    return [throughLinear(layer, given[0] as Bounded, value)];
  const errors = given.map(({ error }) => error);
  switch (layer.getClassName()) {
    case 'Dropout':
      return given;
    case 'InputLayer':
    case 'Flatten':
    case 'MaxPooling2D':
    case 'UpSampling2D':
    case 'Concatenate':
      return [{ value, error: call(errors) }];
    case 'Add':
    case 'AveragePooling2D':
    case 'GlobalAveragePooling2D': {
      const terms = given.length * given.reduce((most, one) => Math.max(most, one.value.size), 1) ** 0.5 + 4;
      const magnitude = call(given.map((one) => one.value.abs().add(one.error)));
      return [{ value, error: call(errors).add(magnitude.mul(2 * terms * UNIT)) }];
    }
    // None of these is steeper than 1, and each is within some units of its own size, which is at most the input's or 1.
    case 'ReLU':
    case 'Activation':
      return [
        {
          value,
          error: (errors[0] as tf.Tensor).add(
            value
              .abs()
              .add(1)
              .mul(16 * UNIT),
          ),
        },
      ];
    default:
      throw new Error(`no bound for ${layer.getClassName()}`);
  }
}

/** |W|·error, and the rounding of W·x + b in both models. */
function throughLinear(layer: tf.layers.Layer, { value: x, error: dx }: Bounded, value: tf.Tensor): Bounded {
  const weights = layer.getWeights().map((weight) => weight.clone());
  const kernels = layer.weights.map(({ originalName }) => !originalName.endsWith('bias'));
  const withWeights = (of: (weight: tf.Tensor, isKernel: boolean) => tf.Tensor, input: tf.Tensor) => {
    layer.setWeights(weights.map((weight, i) => of(weight, kernels[i] ?? false)));
    return layer.call([input], {}) as tf.Tensor;
  };
  const error = withWeights((weight, isKernel) => (isKernel ? weight.abs() : weight.zerosLike()), dx);
  const magnitude = withWeights((weight) => weight.abs(), x.abs().add(dx));
  layer.setWeights(weights);
  // No sum is over more terms than the kernels have weights per output channel.
  const terms = weights.reduce((sum, weight) => sum + weight.size, 0) / (value.shape.at(-1) ?? 1);
  const bounded = { magnitude, terms: Math.max(terms, weights[0]?.shape.slice(0, 3).reduce((a, b) => a * b, 1) ?? 1) };
  return { value, error: error.add(magnitude.mul(2 * (bounded.terms + 2) * UNIT)), sum: bounded };
}

/** In the folded model the layer before has other weights: its rounding is felt anew, and that of the folding. */
function throughNormalizer(layer: tf.layers.Layer, { error, sum, value: x }: Bounded, value: tf.Tensor): Bounded {
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) =>
    weightOf(layer, name)?.read(),
  );
  const { epsilon } = layer.getConfig() as { epsilon: number };
  const scale = (gamma ?? tf.scalar(1)).abs().div((variance as tf.Tensor).add(epsilon).sqrt());
  const { magnitude, terms } = sum ?? { magnitude: x.abs(), terms: 1 };
  const all = magnitude
    .add((mean as tf.Tensor).abs())
    .mul(scale)
    .add((beta ?? tf.scalar(0)).abs());
  const own = all.mul(2 * (terms + 10) * UNIT);
  return { value, error: error.mul(scale).add(own), sum: { magnitude: all, terms } };
}

/** Models with batch normalization that other programs have, small, their weights and statistics far from where they start. */
import * as tf from '@tensorflow/tfjs';
import { BatchNorm } from '../../src/nn/layer.js';

type Layer = tf.layers.Layer;
type Symbol = tf.SymbolicTensor;

const { layers } = tf;
let made = 0;
const normalized = (config: object = {}) =>
  made++ % 2 === 0 ? layers.batchNormalization(config) : new BatchNorm(config);
const chain = (start: Symbol, ...rest: Layer[]) => rest.reduce((x, layer) => layer.apply(x) as Symbol, start);
const relu = () => layers.reLU();
const sigmoid = () => layers.activation({ activation: 'sigmoid' });
const same = { kernelSize: 3, padding: 'same' } as const;

/** Howard et al. 2017: depthwise and pointwise convolutions without a bias, each before batch normalization and ReLU6. */
function mobileNet(): tf.LayersModel {
  const block = (filters: number, strides: number) => [
    layers.depthwiseConv2d({ ...same, strides, useBias: false, depthMultiplier: 2 }),
    normalized({ epsilon: 1e-3 }),
    layers.reLU({ maxValue: 6 }),
    layers.conv2d({ filters, kernelSize: 1, useBias: false }),
    normalized({ epsilon: 1e-3 }),
    layers.reLU({ maxValue: 6 }),
  ];
  return tf.sequential({
    layers: [
      layers.conv2d({ ...same, filters: 4, useBias: false, inputShape: [8, 8, 3] }),
      normalized(),
      layers.reLU({ maxValue: 6 }),
      ...block(6, 1),
      ...block(8, 2),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 5 }),
    ],
  });
}

/** He et al. 2015: two convolutions around which the input is carried, through a convolution of its own. */
function residual(): tf.LayersModel {
  const input = tf.input({ shape: [8, 8, 3] });
  const start = chain(input, layers.conv2d({ ...same, filters: 4 }), normalized(), relu());
  const inner = chain(start, layers.conv2d({ ...same, filters: 6, strides: 2 }), normalized(), relu());
  const branch = chain(inner, layers.conv2d({ ...same, filters: 6 }), normalized({ scale: false }));
  const carried = chain(start, layers.conv2d({ filters: 6, kernelSize: 1, strides: 2 }), normalized({ center: false }));
  const sum = chain(layers.add().apply([branch, carried]) as Symbol, relu());
  return tf.model({
    inputs: input,
    outputs: chain(sum, layers.globalAveragePooling2d({}), layers.dense({ units: 5 })),
  });
}

/** Ronneberger et al. 2015: down and up again by transposed convolutions, beside which the finer image is kept. */
function uNet(): tf.LayersModel {
  const input = tf.input({ shape: [8, 8, 1] });
  const fine = chain(input, layers.conv2d({ ...same, filters: 4 }), normalized(), relu());
  const coarse = chain(
    fine,
    layers.maxPooling2d({ poolSize: 2 }),
    layers.conv2d({ ...same, filters: 6 }),
    layers.dropout({ rate: 0.5 }),
    normalized(),
    relu(),
  );
  const up = chain(
    coarse,
    layers.conv2dTranspose({ filters: 4, kernelSize: 2, strides: 2, useBias: false }),
    normalized(),
    relu(),
  );
  const both = layers.concatenate().apply([fine, up]) as Symbol;
  return tf.model({ inputs: input, outputs: chain(both, layers.conv2d({ filters: 1, kernelSize: 1 }), sigmoid()) });
}

/** Dense layers down to a code, which is an output too, and up again. */
function autoencoder(): tf.LayersModel {
  const input = tf.input({ shape: [12] });
  const encoder = tf.sequential({
    layers: [layers.dense({ units: 8, inputShape: [12] }), normalized(), sigmoid(), layers.dense({ units: 3 })],
  });
  const code = chain(input, encoder, sigmoid());
  const decoded = chain(
    code,
    layers.dense({ units: 8 }),
    normalized(),
    sigmoid(),
    layers.dense({ units: 12 }),
    normalized(),
  );
  return tf.model({ inputs: input, outputs: [code, decoded] });
}

/** Two inputs through the same layers. */
function siamese(): tf.LayersModel {
  const inputs = [tf.input({ shape: [6] }), tf.input({ shape: [6] })];
  const [shared, bn] = [layers.dense({ units: 4 }), normalized()];
  const sides = inputs.map((input) => chain(input, shared, bn, sigmoid()));
  const sum = layers.add().apply(sides) as Symbol;
  return tf.model({ inputs, outputs: chain(sum, layers.dense({ units: 2 }), normalized()) });
}

/** A dense layer at each time, and two batch normalizations in a row. */
function sequence(): tf.LayersModel {
  return tf.sequential({
    layers: [
      layers.timeDistributed({ layer: layers.dense({ units: 4, useBias: false }), inputShape: [5, 3] }),
      normalized(),
      normalized(),
      relu(),
      layers.conv1d({ filters: 3, kernelSize: 2 }),
      normalized(),
    ],
  });
}

function separable(): tf.LayersModel {
  return tf.sequential({
    layers: [layers.separableConv2d({ filters: 4, kernelSize: 3, inputShape: [6, 6, 2] }), normalized(), relu()],
  });
}

/** Each image of a film made larger. */
function frames(): tf.LayersModel {
  const larger = layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 2 });
  return tf.sequential({
    layers: [layers.timeDistributed({ layer: larger, inputShape: [2, 3, 3, 2] }), new BatchNorm()],
  });
}

/** Far from 0 and 1, and of either sign where a value may be. */
function move(model: tf.LayersModel): tf.LayersModel {
  for (const [i, weight] of model.weights.entries())
    tf.tidy(() => {
      const [shape, isVariance] = [weight.shape as number[], weight.name.includes('moving_variance')];
      const [low, high] = isVariance ? [0.01, 4] : [-1, 1];
      weight.write(tf.randomUniform(shape, low, high, 'float32', i + 1));
    });
  return model;
}

const MAKERS = { mobileNet, residual, uNet, autoencoder, siamese, sequence, separable, frames };
export const MODELS = Object.keys(MAKERS) as (keyof typeof MAKERS)[];

export function modelOf(name: keyof typeof MAKERS): tf.LayersModel {
  return move(MAKERS[name]());
}

export function inputsOf(model: tf.LayersModel, batch = 3): tf.Tensor[] {
  return model.inputs.map(({ shape }, i) =>
    tf.randomUniform([batch, ...(shape.slice(1) as number[])], -1, 2, 'float32', 70 + i),
  );
}

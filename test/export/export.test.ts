/** Exported networks give the same probabilities over the whole test set in their own runtimes: ONNX Runtime, TensorFlow. */
import '../support/native.js';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { type Network, networkOf } from '../../src/export/network.js';
import { encodeOnnx } from '../../src/export/onnx.js';
import { encodeServing } from '../../src/export/serving.js';
import { fold } from '../../src/nn/fold.js';
import { lenet, type Norm } from '../../src/nn/lenet.js';
import { predictionsOf } from '../../src/train/predictions.js';
import { amount, firstOf } from '../support/amount.js';

const { layers } = tf;
const { test } = await loadFashionMnist();
const count = amount(test.count, 1000);
const images = test.images.subarray(0, count * test.height * test.width);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bn-train-export-'));
const imagesFile = path.join(folder, 'images');

/** A Python of each runtime. CI has both and names them; elsewhere there is nothing to say without. */
const RUNTIMES = [
  { name: 'ONNX Runtime', variable: 'BN_TRAIN_ONNX', script: 'run_onnx.py', write: writeOnnx },
  { name: 'TensorFlow', variable: 'BN_TRAIN_TENSORFLOW', script: 'run_serving.py', write: writeServing },
];

function writeOnnx(network: Network, name: string): string {
  const file = path.join(folder, `${name}.onnx`);
  writeFileSync(file, encodeOnnx(network, '1.2.3'));
  return file;
}

function writeServing(network: Network, name: string): string {
  const saved = path.join(folder, name);
  mkdirSync(saved);
  writeFileSync(path.join(saved, 'saved_model.pb'), encodeServing(network));
  return saved;
}

/** Weights that make every class likely somewhere, and statistics that are not those it starts from. */
function moved(norm: Norm): tf.Sequential {
  const model = lenet({ norm, seed: 1 });
  for (const [i, weight] of model.weights.entries())
    tf.tidy(() => {
      const value = weight.read();
      if (weight.name.endsWith('moving_variance')) weight.write(tf.randomUniform(value.shape, 0.05, 0.5, 'float32', i));
      else weight.write(value.add(tf.randomNormal(value.shape, 0, 0.3, 'float32', i)));
    });
  return model;
}

/** Every kind of step that an export knows and LeNet has not. */
function others(): tf.Sequential {
  return tf.sequential({
    layers: [
      layers.conv2d({
        filters: 3,
        kernelSize: [3, 2],
        strides: 2,
        padding: 'same',
        useBias: false,
        inputShape: [28, 28, 1],
      }),
      layers.activation({ activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
      layers.conv2d({ filters: 5, kernelSize: 2, activation: 'tanh' }),
      layers.averagePooling2d({ poolSize: [2, 3], strides: [1, 2], padding: 'same' }),
      layers.flatten(),
      layers.dense({ units: 10, useBias: false }),
    ],
  });
}

beforeAll(() => writeFileSync(imagesFile, images));

describe.each(RUNTIMES)('$name', ({ name, variable, script, write }) => {
  const python = process.env[variable];

  it.runIf(process.env['CI'] !== undefined)('is named by CI', () => {
    expect(python, `${variable}: a Python with it`).toBeTruthy();
  });

  it
    .runIf(python !== undefined)
    .each([
      ...firstOf(['scratch', 'builtin', 'none'] as const, 1).map((norm) => [norm, () => moved(norm)] as const),
      ['others', others] as const,
    ])('gives the probabilities of a folded model: %s', async (kind, make) => {
    const model = make();
    const network = await networkOf(await fold(model));
    const written = write(network, kind);
    const args = [path.join(import.meta.dirname, script), written, imagesFile, `${test.height}`, `${test.width}`];
    const { stdout, stderr, status } = spawnSync(python ?? '', args, { maxBuffer: 1e8 });
    expect(status, stderr.toString()).toBe(0);
    const got = new Float32Array(new Uint8Array(stdout).buffer);
    const { height, width } = test;
    const { probabilities } = await predictionsOf(model, { height, width, count, images });
    expect(got.length).toBe(probabilities.length);
    const difference = probabilities.reduce((most, value, i) => Math.max(most, Math.abs(value - (got[i] ?? NaN))), 0);
    expect(difference).toBeLessThan(1e-5);
    expect(new Set(probabilities).size).toBeGreaterThan(count);
    console.info(`${name}, ${kind}: ${count} images, largest difference ${difference}`);
  });
});

it.each<[string, tf.layers.Layer, string]>([
  [
    'a layer that it does not know',
    layers.layerNormalization({ name: 'l' }),
    'Conv2D, Dense, AveragePooling2D, MaxPooling2D, Flatten, Activation, got LayerNormalization',
  ],
  ['another activation', layers.activation({ name: 'l', activation: 'elu' }), 'one of sigmoid, relu, tanh, got elu'],
  [
    'channels first',
    layers.conv2d({ name: 'l', filters: 1, kernelSize: 1, dataFormat: 'channelsFirst' }),
    'channels last, got channelsFirst',
  ],
  ['dilation', layers.conv2d({ name: 'l', filters: 1, kernelSize: 1, dilationRate: 2 }), 'no dilation, got 2 by 2'],
])('refuses %s by name', async (_, layer, message) => {
  const model = tf.sequential({ layers: [layers.conv2d({ filters: 4, kernelSize: 1, inputShape: [4, 4, 4] }), layer] });
  await expect(networkOf(model)).rejects.toThrow(`Cannot export the layer l: expected ${message}`);
});

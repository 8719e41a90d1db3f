/** The SavedModel in Python's TensorFlow: it loads there, and runs the same step on the same variables. */
import '../support/native.js';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { random } from '../../src/graph/index.js';
import { INPUT_TYPES } from '../../src/graph/record/inputTypes.js';
import { lenet } from '../../src/nn/lenet.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { compileStep } from '../support/compiled.js';

/** A Python with TensorFlow. CI has one and names it; elsewhere this file has nothing to say without it. */
const python = process.env['BN_TRAIN_TENSORFLOW'];

interface Answer {
  version: string;
  outputs: number[][][];
  variables: number[][];
}

const describeTensor = (tensor: tf.Tensor) => ({
  shape: tensor.shape,
  dtype: tensor.dtype as string,
  values: [...tensor.dataSync()],
});

/** What the SavedModel in the folder, which is removed, gives there. */
function askPython(folder: string, request: unknown): Answer {
  const script = path.join(import.meta.dirname, 'run_saved_model.py');
  const { stdout, stderr, status } = spawnSync(python ?? '', [script, folder], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  rmSync(folder, { recursive: true });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Answer;
}

it.runIf(process.env['CI'] !== undefined)('CI names a Python with TensorFlow', () => {
  expect(python, 'BN_TRAIN_TENSORFLOW: a Python with tensorflow-cpu').toBeTruthy();
});

it.runIf(python !== undefined)('the types of ops are as in the registry of Python’s TensorFlow', () => {
  const script = path.join(import.meta.dirname, 'input_types.py');
  const input = Object.values(INPUT_TYPES).join(' ');
  const { stdout, stderr, status } = spawnSync(python ?? '', [script], { input, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const listed = Object.entries(INPUT_TYPES).map(([types, ops]) => [types, ops.match(/\w+/g)]);
  expect(Object.fromEntries(listed)).toEqual(JSON.parse(stdout));
});

describe.runIf(python !== undefined)('a SavedModel in Python', () => {
  it('runs LeNet’s training step to the same losses and weights', async () => {
    const count = 64;
    const bytes = (length: number, most: number) => Uint8Array.from({ length }, (_, i) => (i * 7919) % most);
    const set = { count, height: 28, width: 28, images: bytes(count * 784, 256), labels: bytes(count, 10) };
    const model = lenet({ norm: 'scratch', seed: 1 });
    const data = new DeviceDataset(set);
    const weights = model.weights.map((weight) => weight.read() as tf.Variable);
    const rows = tf.range(0, 32, 1, 'int32');
    const rate = tf.scalar(0.1);
    const compiled = await compileStep(trainingStep(model, data), {
      inputs: [rows, rate],
      variables: [...weights, ...data.variables],
    });
    const folder = mkdtempSync(path.join(os.tmpdir(), 'bn-train-python-'));
    await compiled.save(folder);
    const variables = [
      ...weights.map(describeTensor),
      // As ByteRows holds them.
      { shape: [count, 98 * 8], dtype: 'uint8', as: 'int64', values: [...set.images] },
      {
        shape: [count, 8],
        dtype: 'uint8',
        as: 'int64',
        values: [...set.labels].flatMap((label) => [label, 0, 0, 0, 0, 0, 0, 0]),
      },
    ];
    const [one, three] = [
      [rows, rate],
      [tf.stack([rows, rows, rows]), tf.stack([rate, rate, rate])],
    ];
    const request = {
      variables,
      calls: [
        { step: 'step_0', inputs: one.map(describeTensor) },
        { step: 'step_0_many', inputs: three.map(describeTensor) },
        { step: 'step_0', inputs: one.map(describeTensor) },
      ],
    };
    const answer = askPython(folder, request);
    const values = (outputs: tf.Tensor[]) => outputs.map((tensor) => [...tensor.dataSync()]);
    const expected = tf.tidy(() => [
      values(compiled.run(...one)),
      values(compiled.runMany(...three)),
      values(compiled.run(...one)),
    ]);
    for (const [i, [losses, correct]] of expected.entries()) {
      // The same graph on the same TensorFlow; only its threads and their sums may differ.
      for (const [j, loss] of (losses ?? []).entries()) expect(answer.outputs[i]?.[0]?.[j]).toBeCloseTo(loss, 5);
      expect(answer.outputs[i]?.[1]).toEqual(correct);
    }
    compiled.read();
    for (const [i, weight] of weights.entries())
      for (const [j, value] of weight.dataSync().entries()) expect(answer.variables[i]?.[j]).toBeCloseTo(value, 4);
    compiled.dispose();
  });

  it('draws what it draws here for the same state', async () => {
    const [own, input] = [random.generator(3), tf.ones([40])];
    const layer = tf.layers.dropout({ rate: 0.5 });
    const step = (x: tf.Tensor) => [layer.apply(x, { training: true }) as tf.Tensor, own.normal([5])];
    const compiled = await compileStep(step, { inputs: [input], variables: [own.state], seed: own });
    const folder = mkdtempSync(path.join(os.tmpdir(), 'bn-train-python-'));
    await compiled.save(folder);
    const request = {
      variables: [own.state].map(describeTensor),
      calls: [1, 2].map(() => ({ step: 'step_0', inputs: [input].map(describeTensor) })),
    };
    const answer = askPython(folder, request);
    const expected = [1, 2].map(() => tf.tidy(() => compiled.run(input).map((tensor) => [...tensor.dataSync()])));
    expect(answer.outputs).toEqual(expected);
    compiled.dispose();
  });
});

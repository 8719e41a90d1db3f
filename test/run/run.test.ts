import '../support/native.js';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { lenet } from '../../src/nn/lenet.js';
import { parseCheckpoint, readCheckpoint, restoreWeights, saveCheckpoint } from '../../src/run/checkpoint.js';
import { describeMachine, parseConfig } from '../../src/run/config.js';
import { createRunFolder, defaultRunFolder, newestRun } from '../../src/run/folder.js';
import { loadModel, saveModel } from '../../src/run/model.js';
import { readWeights } from '../../src/run/weights.js';
import { startOf } from '../../src/train/events.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-run-'));
afterAll(() => rm(work, { recursive: true }));
const folder = (name: string) => path.join(work, name);

const config = {
  ...{ norm: 'scratch', learningRate: 1, epochs: 10, batchSize: 256, seed: 1, momentum: 0.9, epsilon: 1e-5 },
  ...{ backend: 'native', device: 'cpu', mode: 'eager', versions: {}, machine: describeMachine(), started: 'now' },
};

describe('config.json', () => {
  it('is read back as it was written', () => {
    expect(parseConfig(JSON.stringify(config), 'c')).toEqual(config);
  });

  it.each([
    { change: { norm: 'batch' }, message: 'Cannot read c: expected norm to be scratch, builtin or none, got "batch"' },
    { change: { epochs: 0 }, message: 'Cannot read c: expected epochs to be a whole number from 1, got 0' },
    { change: { learningRate: '1' }, message: 'Cannot read c: expected learningRate to be a number above 0, got "1"' },
    { change: { momentum: 2 }, message: 'Cannot read c: expected momentum to be a number from 0 to 1, got 2' },
    { change: { seed: undefined }, message: 'Cannot read c: expected seed to be a whole number from 0, got nothing' },
    { change: { mode: 'fast' }, message: 'Cannot read c: expected mode to be eager or graph, got "fast"' },
    { change: { started: 7 }, message: 'Cannot read c: expected started to be text, got 7' },
  ])('is refused with $change', ({ change, message }) => {
    expect(() => parseConfig(JSON.stringify({ ...config, ...change }), 'c')).toThrow(message);
  });

  it.each([
    { text: '{', message: /^Cannot read c: expected JSON, got / },
    { text: '[1]', message: /^Cannot read c: expected a JSON object, got \[1\]$/ },
  ])('is refused when it is $text', ({ text, message }) => {
    expect(() => parseConfig(text, 'c')).toThrow(message);
  });
});

describe('the run folder', () => {
  it('is named after date, time and norm, and is new', async () => {
    expect(defaultRunFolder('builtin', new Date(2026, 0, 2, 3, 4, 5))).toBe('runs/20260102-030405-builtin');
    expect(await createRunFolder('none', folder('new'))).toBe(folder('new'));
  });

  it('found is the one whose config.json is newest', async () => {
    for (const name of ['runs/b', 'runs/a', 'runs/no-run']) await mkdir(folder(name), { recursive: true });
    writeFileSync(folder('runs/b/config.json'), '');
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(folder('runs/a/config.json'), '');
    expect(await newestRun(folder('runs'))).toBe(folder('runs/a'));
  });
});

describe.each(['scratch', 'builtin', 'none'] as const)('a model with norm %s', (norm) => {
  const model = lenet({ norm, seed: 4 });
  for (const weight of model.weights) weight.write(tf.randomNormal(weight.shape as number[], 1, 0.1));
  const values = (m: tf.LayersModel) => m.weights.map((weight) => weight.read().dataSync());

  it('comes back from its folder, with and without TensorFlow', async () => {
    await saveModel(model, folder(norm));
    expect(values(await loadModel(folder(norm)))).toEqual(values(model));
    expect((await readWeights(folder(norm))).map((weight) => weight.values)).toEqual(values(model));
  });

  it('comes back from a checkpoint with position and history', async () => {
    const progressed = { position: { ...startOf(3), batch: 7, loss: 1.5 }, history: [] };
    await saveCheckpoint(folder(norm), model, progressed);
    const { weights, ...rest } = await readCheckpoint(folder(norm));
    const other = lenet({ norm, seed: 5 });
    restoreWeights(other, weights);
    expect(rest).toEqual(progressed);
    expect(values(other)).toEqual(values(model));
  });
});

describe('a damaged file is refused by name', () => {
  it('weights of another length', async () => {
    await saveModel(lenet({ norm: 'none', seed: 1 }), folder('cut'));
    const file = folder('cut/model/weights.bin');
    writeFileSync(file, readFileSync(file).subarray(1));
    await expect(readWeights(folder('cut'))).rejects.toThrow(
      `Cannot read ${file}: expected 177704 bytes of weights, got 177703`,
    );
  });

  it.each([
    { json: '{}', message: /^Cannot read .*model.json: expected a tfjs model with a weights manifest, got / },
    {
      json: '{"weightsManifest":[{"weights":[{"name":"w","dtype":"int32","shape":[1]}]}]}',
      message: /expected float32 weights with name and shape, got \[\{"name":"w"/,
    },
  ])('a model.json of $json', async ({ json, message }) => {
    writeFileSync(folder('cut/model/model.json'), json);
    await expect(readWeights(folder('cut'))).rejects.toThrow(message);
  });

  it('a checkpoint', async () => {
    await saveCheckpoint(folder('ckpt'), lenet({ norm: 'none', seed: 1 }), { position: startOf(1), history: [] });
    const whole = readFileSync(folder('ckpt/checkpoint/latest.ckpt'));
    const flipped = Buffer.from(whole);
    flipped[whole.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    expect(() => parseCheckpoint(flipped, 'f')).toThrow(
      /^Cannot read f: expected weights with SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}$/,
    );
    expect(() => parseCheckpoint(whole.subarray(0, -4), 'f')).toThrow(/^Cannot read f: expected weights with SHA-256/);
    expect(() => parseCheckpoint(Buffer.from('nonsense\n'), 'f')).toThrow(
      /^Cannot read f: expected a checkpoint, got /,
    );
    expect(() => parseCheckpoint(Buffer.from('{"position":{},"history":[]}\n'), 'f')).toThrow(
      'Cannot read f: expected a position and a history, got {"position"',
    );
  });

  it('a checkpoint that is not there', async () => {
    await expect(readCheckpoint(folder('new'))).rejects.toThrow(
      `Cannot resume ${folder('new')}: expected a checkpoint, got none`,
    );
  });
});

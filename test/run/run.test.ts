import '../support/native.js';
import { createHash } from 'node:crypto';
import fs, { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { lenet } from '../../src/nn/lenet.js';
import { assertBatchSize, encodeCheckpoint, parseCheckpoint, restoreWeights } from '../../src/run/checkpoint.js';
import { Checkpoints, loadModel, readLearned, readNewestCheckpoint } from '../../src/run/checkpoints.js';
import { parseConfig } from '../../src/run/config.js';
import { describeMachine } from '../../src/common/machine.js';
import { createRunFolder, defaultRunFolder, newestRun } from '../../src/run/folder.js';
import { exportModel } from '../../src/run/recorder.js';
import { startOf } from '../../src/train/loop.js';
import { progressedTo } from '../support/progressed.js';

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
    {
      change: { seed: undefined },
      message: 'Cannot read c: expected seed to be a whole number from 0 to 2147483647, got nothing',
    },
    {
      change: { seed: 2 ** 31 },
      message: 'Cannot read c: expected seed to be a whole number from 0 to 2147483647, got',
    },
    { change: { epochs: { a: 'b'.repeat(99) } }, message: /got \{"a":"b{54}…$/ },
    {
      change: { versions: { node: 20 } },
      message: 'Cannot read c: expected versions to be texts by name, got {"node":20}',
    },
    {
      change: { machine: null },
      message: 'expected machine to be platform and cpu as text, cores and memory as numbers, got null',
    },
    { change: { mode: 'fast' }, message: 'Cannot read c: expected mode to be fused, graph or eager, got "fast"' },
    {
      change: { deterministic: 'yes' },
      message: 'Cannot read c: expected deterministic to be true or false, got "yes"',
    },
    {
      change: { checkpointSteps: 0 },
      message: 'Cannot read c: expected checkpointSteps to be a whole number from 1, got 0',
    },
    {
      change: { stepsPerCall: 1.5 },
      message: 'Cannot read c: expected stepsPerCall to be a whole number from 1, got 1.5',
    },
    { change: { population: 1 }, message: 'Cannot read c: expected population to be true or false, got 1' },
    { change: { xla: 'yes' }, message: 'Cannot read c: expected xla to be true or false, got "yes"' },
    {
      change: { resumed: {} },
      message: 'Cannot read c: expected resumed to be a list of places, got {}',
    },
    { change: { resumed: [7] }, message: 'Cannot read c: expected resumed.0 to be a place, got 7' },
    {
      change: { resumed: [{ ...config, device: 'gpu', at: 'then' }] },
      message: 'Cannot read c: expected resumed.0.device to be cpu or cuda[:N], got "gpu"',
    },
    { change: { resumed: [config] }, message: 'Cannot read c: expected resumed.0.at to be text, got nothing' },
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

  it('has a number of its own where two runs begin in the same second', async () => {
    vi.useFakeTimers({ now: new Date(2026, 0, 2, 3, 4, 5), toFake: ['Date'] });
    const home = process.cwd();
    process.chdir(work);
    const names = await Promise.all([createRunFolder('none'), createRunFolder('none')]);
    process.chdir(home);
    vi.useRealTimers();
    expect(names.sort()).toEqual(['runs/20260102-030405-none', 'runs/20260102-030405-none-2']);
  });

  it('found is the one whose config.json is newest', async () => {
    for (const name of ['runs/b', 'runs/a', 'runs/no-run']) await mkdir(folder(name), { recursive: true });
    writeFileSync(folder('runs/b/config.json'), '');
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(folder('runs/a/config.json'), '');
    expect(await newestRun(folder('runs'))).toBe(folder('runs/a'));
  });
});

/** Keeps the model as a run does at the end of its first epoch. */
async function saveEpoch(run: string, model: tf.LayersModel): Promise<void> {
  await (await Checkpoints.open(folder(run))).save(model, progressedTo(2));
}

/** What any tfjs program would do with the folder. */
async function loadPlainly(run: string): Promise<tf.LayersModel> {
  const { modelTopology, weightsManifest } = JSON.parse(
    readFileSync(path.join(run, 'model/model.json'), 'utf8'),
  ) as tf.io.ModelJSON;
  const weightData = new Uint8Array(readFileSync(path.join(run, 'model/weights.bin'))).buffer;
  const weightSpecs = tf.io.getWeightSpecs(weightsManifest);
  return tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
}

describe.each(['scratch', 'builtin', 'none'] as const)('a model with norm %s', (norm) => {
  const model = lenet({ norm, seed: 4 });
  for (const weight of model.weights) weight.write(tf.randomNormal(weight.shape as number[], 1, 0.1));
  const values = (m: tf.LayersModel) => m.weights.map((weight) => weight.read().dataSync());

  it('comes back from the checkpoint of its epoch, with and without TensorFlow', async () => {
    await saveEpoch(norm, model);
    expect(values((await loadModel(folder(norm), { norm })).model)).toEqual(values(model));
    expect((await readLearned(folder(norm))).weights.map((weight) => weight.values)).toEqual(values(model));
  });

  it('is exported for any other program', async () => {
    await exportModel(model, folder(norm));
    expect(values(await loadPlainly(folder(norm)))).toEqual(values(model));
  });

  it('comes back from a checkpoint with position and history', async () => {
    const progressed = progressedTo(3, 7);
    const { weights, ...rest } = parseCheckpoint(await encodeCheckpoint(model, progressed), 'f');
    const other = lenet({ norm, seed: 5 });
    restoreWeights(other, weights, 'run');
    expect(rest).toEqual(progressed);
    expect(values(other)).toEqual(values(model));
  });
});

describe('a damaged file is refused by name', () => {
  it('a checkpoint', async () => {
    const whole = await encodeCheckpoint(lenet({ norm: 'none', seed: 1 }), { position: startOf(1), history: [] });
    const signed = (text: string) => Buffer.from(`${createHash('sha256').update(text).digest('hex')}\n${text}`);
    for (const place of [70, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      expect(() => parseCheckpoint(flipped, 'f')).toThrow(
        /^Cannot read f: expected content with SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}$/,
      );
    }
    expect(() => parseCheckpoint(whole.subarray(0, -4), 'f')).toThrow(/^Cannot read f: expected content with SHA-256/);
    expect(() => parseCheckpoint(Buffer.alloc(0), 'f')).toThrow('Cannot read f: expected a checkpoint, got ""');
    expect(() => parseCheckpoint(Buffer.from('text\n'), 'f')).toThrow(
      'Cannot read f: expected a checkpoint, got "text"',
    );
    expect(() => parseCheckpoint(signed('text\n'), 'f')).toThrow(/^Cannot read f: expected a header of JSON, got /);
    expect(() => parseCheckpoint(signed('[]'), 'f')).toThrow('Cannot read f: expected a header of JSON, got []');
    expect(() => parseCheckpoint(signed('{"position":{},"history":[]}\n'), 'f')).toThrow(
      'Cannot read f: expected a position and a history, got {"position"',
    );
    const header = { ...progressedTo(2), weights: [{ name: 'w', dtype: 'float32', shape: [1] }] };
    const weights = (specs: unknown) => signed(`${JSON.stringify({ ...header, weights: specs })}\n123`);
    expect(() => parseCheckpoint(weights(header.weights), 'f')).toThrow(
      'Cannot read f: expected 4 bytes of weights, got 3',
    );
    expect(() => parseCheckpoint(weights([{ name: 'w', dtype: 'int32', shape: [1] }]), 'f')).toThrow(
      'Cannot read f: expected float32 weights with name and shape, got [{"name":"w"',
    );
    expect(() => parseCheckpoint(weights(undefined), 'f')).toThrow(
      'Cannot read f: expected float32 weights with name and shape, got null',
    );
  });

  it('weights of another model, and a checkpoint of another batch size', async () => {
    await saveEpoch('other', lenet({ norm: 'none', seed: 1 }));
    await expect(loadModel(folder('other'), { norm: 'scratch' })).rejects.toThrow(
      `Cannot use the weights of ${folder('other')}: expected the shape [6] for weight 3, got [5, 5, 6, 16]`,
    );
    const [first] = (await readLearned(folder('other'))).weights;
    const one = tf.sequential({
      layers: [tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, useBias: false })],
    });
    if (first) restoreWeights(one, [first], 'r');
    expect(() => restoreWeights(one, first ? [first, first] : [], 'r')).toThrow(
      'Cannot use the weights of r: expected 1 of them, got 2',
    );
    const position = { ...startOf(1), batch: 7, examples: 7 * 256 };
    expect(() => assertBatchSize(position, 128, 'r')).toThrow(
      'Cannot resume r: expected 7 batches of 128, as config.json says, in its checkpoint, got 1792 examples',
    );
  });
});

describe('the checkpoints of a run', () => {
  const model = lenet({ norm: 'none', seed: 1 });
  const names = (run: string) => readdirSync(folder(`${run}/checkpoint`)).sort();
  const damage = (run: string, name: string) => writeFileSync(folder(`${run}/checkpoint/${name}`), 'damaged');
  const newest = async (run: string) => {
    const notices: string[] = [];
    const checkpoint = await readNewestCheckpoint(folder(run), (line) => notices.push(line));
    return { position: checkpoint?.position, notices };
  };
  const make = async (run: string, ...progress: ReturnType<typeof progressedTo>[]) => {
    const checkpoints = await Checkpoints.open(folder(run));
    for (const progressed of progress) await checkpoints.save(model, progressed);
  };

  it('are none at first', async () => {
    expect(await newest('none-yet')).toEqual({ position: undefined, notices: [] });
    for (const midEpoch of [false, true])
      await expect(readLearned(folder('none-yet'), midEpoch)).rejects.toMatchObject({
        message: `Cannot read the model of ${folder('none-yet')}: expected the checkpoint of a finished epoch, got none`,
        hint: `it has not finished an epoch yet; to train it, go on with --resume '${folder('none-yet')}'`,
      });
  });

  it('are the last two, in the order of training, whatever their names’', async () => {
    await make(
      'two',
      progressedTo(9),
      progressedTo(9, 100),
      progressedTo(10),
      progressedTo(10, 20),
      progressedTo(10, 20),
    );
    expect(names('two')).toEqual(['epoch-10-batch-0.ckpt', 'epoch-10-batch-20.ckpt']);
    expect((await newest('two')).position).toEqual(progressedTo(10, 20).position);
  });

  it('are also that of the last finished epoch, which tells what was learned, where two stand in mid-epoch', async () => {
    await make('mid', progressedTo(1), progressedTo(1, 9), progressedTo(1, 18), progressedTo(1, 27));
    expect(names('mid')).toEqual(['epoch-1-batch-18.ckpt', 'epoch-1-batch-27.ckpt']);
    await expect(readLearned(folder('mid'))).rejects.toMatchObject({
      message: `Cannot read the model of ${folder('mid')}: expected the checkpoint of a finished epoch, got only those of its first epoch under way, the newest epoch-1-batch-27.ckpt`,
      hint: `to take it as it is: --mid-epoch; to finish the epoch, go on with --resume '${folder('mid')}'`,
    });
    expect((await readLearned(folder('mid'), true)).weights).toHaveLength(model.weights.length);
    const going = await Checkpoints.open(folder('mid'), progressedTo(1, 27).position);
    for (const batch of [0, 9, 18, 27]) await going.save(model, progressedTo(2, batch));
    const kept = ['epoch-2-batch-0.ckpt', 'epoch-2-batch-18.ckpt', 'epoch-2-batch-27.ckpt'];
    expect(names('mid')).toEqual(kept);
    expect((await readLearned(folder('mid'))).weights.map(({ name }) => name)).toEqual(
      model.weights.map(({ name }) => name),
    );
    await Checkpoints.open(folder('mid'), progressedTo(2, 27).position);
    expect(names('mid')).toEqual(kept);
    await going.save(model, progressedTo(3));
    expect(names('mid')).toEqual(['epoch-2-batch-27.ckpt', 'epoch-3-batch-0.ckpt']);
  });

  it('are two again when a run goes on that was killed before it removed the third', async () => {
    await make('three', progressedTo(2), progressedTo(3));
    cpSync(folder('two/checkpoint/epoch-10-batch-0.ckpt'), folder('three/checkpoint/epoch-4-batch-0.ckpt'));
    await Checkpoints.open(folder('three'), progressedTo(4).position);
    expect(names('three')).toEqual(['epoch-3-batch-0.ckpt', 'epoch-4-batch-0.ckpt']);
  });

  it('give way: a damaged one to the one before it, aloud, and it is gone when the next is written', async () => {
    await make('fall', progressedTo(2), progressedTo(3));
    damage('fall', 'epoch-3-batch-0.ckpt');
    const { position, notices } = await newest('fall');
    expect(position).toEqual(progressedTo(2).position);
    expect(notices).toEqual([
      `passing over a damaged checkpoint (Cannot read ${folder('fall/checkpoint/epoch-3-batch-0.ckpt')}: expected a checkpoint, got "damaged")`,
    ]);
    const goingOn = await Checkpoints.open(folder('fall'), position);
    expect(names('fall')).toHaveLength(2);
    await goingOn.save(model, progressedTo(2, 5));
    expect(names('fall')).toEqual(['epoch-2-batch-0.ckpt', 'epoch-2-batch-5.ckpt']);
  });

  it('are an error where all are damaged', async () => {
    await make('lost', progressedTo(2), progressedTo(3));
    for (const name of names('lost')) damage('lost', name);
    await expect(newest('lost')).rejects.toMatchObject({
      message: `Cannot resume ${folder('lost')}: expected a whole checkpoint, got 2 damaged`,
      hint: 'start a new run with the same flags and seed, which config.json tells',
    });
    rmSync(folder('lost/checkpoint/epoch-2-batch-0.ckpt'));
    symlinkSync('nothing', folder('lost/checkpoint/epoch-4-batch-0.ckpt'));
    await expect(readLearned(folder('lost'))).rejects.toThrow(
      `Cannot read ${folder('lost/checkpoint/epoch-4-batch-0.ckpt')}: expected a checkpoint, got no such file or folder`,
    );
    rmSync(folder('lost/checkpoint/epoch-4-batch-0.ckpt'));
    await expect(readLearned(folder('lost'))).rejects.toThrow(
      `Cannot read ${folder('lost/checkpoint/epoch-3-batch-0.ckpt')}: expected a checkpoint, got "damaged"`,
    );
  });

  it('are an error with words where they cannot be listed', async () => {
    await mkdir(folder('listed'));
    writeFileSync(folder('listed/checkpoint'), '');
    await expect(newest('listed')).rejects.toThrow(
      `Cannot read the checkpoints of ${folder('listed')}: expected a folder of them, got a file where a folder belongs`,
    );
  });
});

it('a reader finds the weights of the next epoch where those it was about to read are removed', async () => {
  const model = lenet({ norm: 'none', seed: 1 });
  const checkpoints = await Checkpoints.open(folder('busy'));
  const fill = (value: number) =>
    model.weights.forEach((weight) => weight.write(tf.fill(weight.shape as number[], value)));
  for (const [epoch, batch] of [
    [2, 0],
    [2, 9],
  ])
    await checkpoints.save(model, progressedTo(epoch ?? 0, batch));
  const { readdir } = fs.promises;
  const listed: string[][] = [];
  // The run saves its next epoch between the reader's look at the folder and its opening of a file.
  fs.promises.readdir = (async (place: string) => {
    const names = await readdir(place);
    listed.push(names);
    if (listed.length > 1) return names;
    fill(3);
    await checkpoints.save(model, progressedTo(3));
    return names;
  }) as typeof readdir;
  syncBuiltinESMExports();
  const { weights } = await readLearned(folder('busy')).finally(() => {
    fs.promises.readdir = readdir;
    syncBuiltinESMExports();
  });
  expect(listed[0]?.sort()).toEqual(['epoch-2-batch-0.ckpt', 'epoch-2-batch-9.ckpt']);
  expect(new Set(weights.flatMap(({ values }) => [...values]))).toEqual(new Set([3]));
});

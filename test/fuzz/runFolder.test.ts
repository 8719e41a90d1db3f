/** Run folders with pieces missing, changed, or another run's: what was kept, or an error that names the file; never another run's values. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lenet, type Norm } from '../../src/nn/lenet.js';
import { openBackend } from '../../src/runtime/open.js';
import { type Checkpoint, parseCheckpoint } from '../../src/run/checkpoint.js';
import { Checkpoints, loadModel, readLearned, readNewestCheckpoint } from '../../src/run/checkpoints.js';
import { readConfig, type RunConfig } from '../../src/run/config.js';
import { parametersOf } from '../../src/run/parameters.js';
import { Recorder } from '../../src/run/recorder.js';
import { amount } from '../support/amount.js';
import { type Outcome, outcomeLater } from '../support/fuzz.js';
import { progressedTo } from '../support/progressed.js';
import { runProgram } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-runs-'));
const run = path.join(work, 'run');
const other = path.join(work, 'other');
const pipe = path.join(work, 'pipe');
const [EPOCH, STEP] = ['checkpoint/epoch-2-batch-0.ckpt', 'checkpoint/epoch-2-batch-7.ckpt'] as const;
const PIECES = ['config.json', EPOCH, STEP, 'model/model.json', 'model/weights.bin'] as const;
type Piece = (typeof PIECES)[number];

const configOf = (norm: Norm): RunConfig => ({
  ...{ norm, learningRate: 1, epochs: 2, batchSize: 256, seed: 1, momentum: 0.9, epsilon: 1e-5 },
  ...{ backend: 'js', device: 'cpu', mode: 'eager', versions: {}, started: '2026-11-24T01:30:00.000Z' },
  machine: { platform: 'linux-x64', cpu: 'any', cores: 2, memory: 1e9 },
});

/** A run that was stopped in its second epoch, as training keeps it. */
async function makeRun(folder: string, norm: Norm): Promise<void> {
  mkdirSync(folder);
  const recorder = await Recorder.open(folder, configOf(norm), lenet({ norm, seed: 1 }));
  const { position, history } = progressedTo(2, 7);
  for (const epoch of history) await recorder.record({ type: 'epoch', ...epoch });
  await recorder.record({ type: 'interrupted', position });
}

beforeAll(async () => {
  await openBackend('js');
  await makeRun(run, 'scratch');
  await makeRun(other, 'none');
  execFileSync('mkfifo', [pipe]);
});
afterAll(() => rm(work, { recursive: true }));

type Change = (file: string, piece: Piece) => void;
const flip =
  (at: number, bit: number): Change =>
  (file) => {
    const bytes = readFileSync(file);
    const i = at % bytes.length;
    bytes[i] = (bytes[i] ?? 0) ^ (1 << bit);
    writeFileSync(file, bytes);
  };
const replace =
  (make: Change): Change =>
  (file, piece) => {
    rmSync(file);
    make(file, piece);
  };

const CHANGES: Record<string, Change> = {
  kept: () => undefined,
  missing: (file) => rmSync(file),
  empty: (file) => truncateSync(file, 0),
  huge: (file) => truncateSync(file, 3e9),
  'a folder': replace((file) => mkdirSync(file)),
  'a pipe': replace((file) => symlinkSync(pipe, file)),
  'a link to nothing': replace((file) => symlinkSync('nothing', file)),
  'a link to itself': replace((file) => symlinkSync(path.basename(file), file)),
  "another run's": replace((file, piece) => cpSync(path.join(other, piece), file)),
};

interface Damage {
  what: string;
  change: Change;
  /** Shown by fast-check. */
  at?: number;
}

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ what: 'kept', change: () => undefined }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(...Object.keys(CHANGES)).map((what) => ({ what, change: CHANGES[what] ?? flip(0, 0) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(), fc.nat({ max: 7 }))
      .map(([at, bit]) => ({ what: 'flipped', at, change: flip(at, bit) })),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map((at): Damage => ({
      what: 'cut',
      at,
      change: (file) => truncateSync(file, at % (readFileSync(file).length - 1)),
    })),
  },
);

const newest = (folder: string) => readNewestCheckpoint(folder, () => undefined);

function damaged(damages: Damage[]): string {
  const folder = mkdtempSync(path.join(work, 'damaged-'));
  cpSync(run, folder, { recursive: true });
  damages.forEach(({ change }, i) => {
    const piece = PIECES[i] ?? 'config.json';
    change(path.join(folder, piece), piece);
  });
  return folder;
}

/** A value is the run's own, or wholly the other run's where all its pieces are; everything else is an error. */
async function expectOwn<T>(
  folder: string,
  kinds: (string | undefined)[],
  read: (folder: string) => Promise<T>,
): Promise<Outcome<T>> {
  const outcome = await outcomeLater(folder, () => read(folder));
  const source = kinds.every((what) => what === 'kept')
    ? run
    : kinds.every((what) => what === "another run's")
      ? other
      : undefined;
  assert.equal(
    'value' in outcome,
    source !== undefined,
    `${kinds.join(', ')}: ${'error' in outcome ? outcome.error.message : 'accepted'}`,
  );
  if ('value' in outcome && source !== undefined) assert.deepEqual(outcome.value, await read(source));
  return outcome;
}

/** The checkpoint of whichever run it is, undefined where it is damaged. */
function read(what: string | undefined, piece: Piece): Checkpoint | undefined {
  if (what !== 'kept' && what !== "another run's") return undefined;
  return parseCheckpoint(readFileSync(path.join(what === 'kept' ? run : other, piece)), piece);
}

it('any mix of pieces', async () => {
  await fc.assert(
    fc.asyncProperty(fc.tuple(damage, damage, damage, damage, damage), async (damages) => {
      const [config, epoch, step] = damages.map(({ what }) => what);
      const folder = damaged(damages);
      if (config === 'flipped') await outcomeLater(folder, () => readConfig(folder));
      else await expectOwn(folder, [config], readConfig);
      // What was exported to model/ changes nothing.
      await expectOwn(folder, [epoch], readLearned);
      // Where the newest is damaged, the one before it is taken.
      const whole = [read(step, STEP), read(epoch, EPOCH)].find((checkpoint) => checkpoint !== undefined);
      const outcome = await outcomeLater(folder, () => newest(folder));
      if (whole !== undefined || (step === 'missing' && epoch === 'missing'))
        assert.deepEqual(outcome, { value: whole });
      else assert.ok('error' in outcome);
      rmSync(folder, { recursive: true });
    }),
    { numRuns: amount(700, 50) },
  );
});

describe('a model is loaded as the run that config.json describes', () => {
  const values = (model: tf.LayersModel) => model.weights.map((weight) => weight.read().dataSync());

  it("and not where its weights are another run's", async () => {
    const folder = damaged([]);
    const config = await readConfig(folder);
    expect(values((await loadModel(folder, config)).model)).toEqual(
      (await readLearned(run)).weights.map((weight) => weight.values),
    );
    CHANGES["another run's"]?.(path.join(folder, EPOCH), EPOCH);
    await expect(loadModel(folder, config)).rejects.toThrow(
      /^Cannot use the weights of .*: expected the shape \[6\] for weight 3, got /,
    );
  });
});

it("a weight named after an object's own functions is no parameter of a layer", async () => {
  const folder = path.join(work, 'named');
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [1] })] });
  for (const [i, name] of ['a/moving_mean', 'a/constructor'].entries())
    Object.assign(model.weights[i] ?? {}, { originalName: name, name });
  await (await Checkpoints.open(folder)).save(model, progressedTo(2));
  const layers = parametersOf((await readLearned(folder)).weights, folder, { layer: 'all' });
  expect(layers.map((layer) => Object.keys(layer))).toEqual([['layer', 'layers', 'after']]);
});

describe('the program on a damaged run says so and exits 1', () => {
  const changes: Record<string, Change> = {
    ...CHANGES,
    'another batch size': (file) => writeFileSync(file, readFileSync(file, 'utf8').replace('256', '128')),
  };
  const stray = (name: string) => path.join(work, `stray-${name}`);
  it.each([
    {
      args: ['inspect-gamma'],
      piece: EPOCH,
      change: 'empty',
      words: /^Cannot read .*epoch-2-batch-0.ckpt: expected a checkpoint, got ""\n$/,
    },
    {
      args: ['inspect-gamma'],
      piece: EPOCH,
      change: "another run's",
      words: /^Cannot inspect .*: expected a model with batch normalization, got one without\nhint: /,
    },
    {
      args: ['inspect-gamma'],
      piece: EPOCH,
      change: 'a pipe',
      words: /^Cannot read .*epoch-2-batch-0.ckpt: expected a checkpoint, got a pipe or a device\n$/,
    },
    {
      args: ['evaluate', '--backend', 'js'],
      piece: 'config.json',
      change: 'a pipe',
      words: /^Cannot read the run .*: expected a run folder with a config.json, got a pipe or a device\nhint: /,
    },
    {
      args: ['evaluate', '--backend', 'js'],
      piece: 'config.json',
      change: "another run's",
      words:
        /^using the js backend.*\nCannot use the weights of .*: expected the shape \[5, 5, 6, 16\] for weight 3, got \[6\]\nhint: config.json belongs to another run, or the file is damaged; train again\n$/,
    },
    {
      args: ['scratch', '--resume'],
      piece: 'config.json',
      change: 'another batch size',
      words:
        /^Cannot resume .*: expected 7 batches of 128, as config.json says, in its checkpoint, got 1792 examples\nhint: /,
    },
    {
      args: ['scratch', '--resume'],
      piece: STEP,
      change: 'a folder',
      words:
        /^passing over a damaged checkpoint \(Cannot read .*: expected a checkpoint, got a folder\)\nCannot resume .*: expected a whole checkpoint, got 1 damaged\nhint: /,
    },
    {
      args: ['scratch', '--resume'],
      piece: STEP,
      change: 'huge',
      words:
        /^passing over .*: expected a checkpoint, got 3000000000 bytes where at most 67108864 belong\)\nCannot resume /,
    },
    {
      args: ['none', '--resume'],
      piece: 'config.json',
      change: "another run's",
      words: /\nCannot use the weights of .*: expected the shape \[5, 5, 6, 16\] for weight 3, got \[6\]\nhint: /,
    },
  ] as const)('$args with $piece $change', async ({ args, piece, change, words }) => {
    const folder = stray(`${args[0]}-${piece.replace('/', '-')}-${change.replaceAll(/\W/g, '')}`);
    cpSync(run, folder, { recursive: true });
    // The one before it would be taken where the newest is damaged.
    if (args.some((arg) => arg === '--resume')) rmSync(path.join(folder, EPOCH));
    changes[change]?.(path.join(folder, piece), piece);
    const before = readFileSync(path.join(run, 'metrics.csv'));
    const { code, stdout, stderr } = await runProgram([...args, folder]);
    expect(stderr).toMatch(words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(readFileSync(path.join(folder, 'metrics.csv')).equals(before)).toBe(true);
  });
});

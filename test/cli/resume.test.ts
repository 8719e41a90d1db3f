/** What `--resume` takes up and what it refuses. */
import '../support/native.js';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainFlags } from '../../src/cli/options.js';
import { assertRun, readRun } from '../../src/cli/resume.js';
import { lenet } from '../../src/nn/lenet.js';
import { Checkpoints } from '../../src/run/checkpoints.js';
import { type RunConfig } from '../../src/run/config.js';
import { describeMachine } from '../../src/common/machine.js';
import { progressedTo } from '../support/progressed.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-resume-'));
afterAll(() => rm(work, { recursive: true }));
const run = path.join(work, 'run');

const config: RunConfig = {
  ...{ norm: 'none', learningRate: 1, epochs: 3, batchSize: 256, seed: 1, momentum: 0.9, epsilon: 1e-5 },
  ...{ checkpointSteps: 50, backend: 'native', device: 'cpu', mode: 'graph', started: 'then' },
  ...{ versions: { 'bn-train': '0.1.0', tensorflow: '2.18.1' }, machine: describeMachine() },
};
beforeAll(async () => {
  await mkdir(run);
  writeFileSync(path.join(run, 'config.json'), JSON.stringify(config));
});

const notices: string[] = [];
const read = (flags: Partial<TrainFlags> = {}) =>
  readRun(run, { backend: 'auto', device: 'auto', fuse: true, ...flags }, { notice: (line) => notices.push(line) });
const save = async (epoch: number, batch: number) => {
  await (await Checkpoints.open(run)).save(lenet({ norm: 'none', seed: 1 }), progressedTo(epoch, batch));
};

describe('a resumed run', () => {
  it('keeps its own options, and flags that repeat them are fine', async () => {
    const own: Partial<TrainFlags> = { lr: 1, seed: 1, backend: 'native', device: 'cpu', epochs: 3 };
    expect((await read()).config).toEqual(config);
    expect((await read(own)).config).toEqual(config);
  });

  it('may be given more epochs, other checkpoints and other steps a call', async () => {
    const { config: given } = await read({ epochs: 5, checkpointSteps: 7, stepsPerCall: 4 });
    expect([given.epochs, given.checkpointSteps, given.stepsPerCall]).toEqual([5, 7, 4]);
  });

  it('may leave out population statistics from here on, and has none where it began without', async () => {
    expect((await read({ population: true })).config.population).toBeUndefined();
    expect((await read({ population: false })).config.population).toBe(false);
    writeFileSync(path.join(run, 'config.json'), JSON.stringify({ ...config, population: false }));
    expect((await read({ population: true })).config.population).toBe(false);
    writeFileSync(path.join(run, 'config.json'), JSON.stringify(config));
  });

  it.each<{ flags: Partial<TrainFlags>; expected: string; got: string; flag: string }>([
    { flags: { lr: 0.5 }, expected: '--lr 1, with', got: '--lr 0.5', flag: '--lr' },
    { flags: { batchSize: 128 }, expected: '--batch-size 256, with', got: '--batch-size 128', flag: '--batch-size' },
    { flags: { seed: 2 }, expected: '--seed 1, with', got: '--seed 2', flag: '--seed' },
    { flags: { momentum: 0.5 }, expected: '--momentum 0.9, with', got: '--momentum 0.5', flag: '--momentum' },
    { flags: { epsilon: 1 }, expected: '--epsilon 0.00001, with', got: '--epsilon 1', flag: '--epsilon' },
    { flags: { epochs: 2 }, expected: '--epochs 3 or more, with', got: '--epochs 2', flag: '--epochs' },
    { flags: { backend: 'wasm' }, expected: '--backend native, with', got: '--backend wasm', flag: '--backend' },
    { flags: { deterministic: true }, expected: 'no --deterministic, without', got: '--deterministic', flag: '' },
    { flags: { eager: true }, expected: 'no --eager, without', got: '--eager', flag: '' },
    { flags: { xla: true }, expected: 'no --xla, without', got: '--xla', flag: '' },
    { flags: { runDir: 'other' }, expected: `--run-dir ${run}, with`, got: '--run-dir other', flag: '--run-dir' },
  ])('refuses $flags', async ({ flags, expected, got, flag }) => {
    await expect(read(flags)).rejects.toMatchObject({
      message: `Cannot resume ${run}: expected ${expected} which it began, got ${got}`,
      hint: `leave out ${flag || got}`,
      exitCode: 2,
    });
  });

  it.each(['cuda', 'cuda:0'])('may go on on another device: %s', async (device) => {
    expect((await read({ device })).device).toBe(device);
  });

  it('is told once where it goes on if that is another place, which config.json remembers', async () => {
    const elsewhere = { ...config, device: 'cuda:0', machine: { ...config.machine, gpu: 'H100' } };
    const first = (await read({ device: 'cuda' })).goingOnAt(elsewhere);
    expect(first.change).toBe(
      'device cpu then, cuda:0 now; GPU none then, H100 now: its last bits may differ from those of a run that was never stopped',
    );
    const { versions, machine } = elsewhere;
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;
    expect(first.config).toEqual({ ...config, resumed: [{ device: 'cuda:0', versions, machine, at }] });
    writeFileSync(path.join(run, 'config.json'), JSON.stringify(first.config));
    const again = await read();
    expect(again.device).toBe('cuda:0');
    expect(again.goingOnAt(elsewhere)).toEqual({ config: first.config });
    expect(again.goingOnAt(config).config.resumed?.map(({ device }) => device)).toEqual(['cuda:0', 'cpu']);
    writeFileSync(path.join(run, 'config.json'), JSON.stringify(config));
  });

  it.each([
    { began: { device: 'cpu', stepsPerCall: 1 }, steps: undefined },
    { began: { device: 'cpu', stepsPerCall: 8 }, steps: 8 },
    { began: { device: 'cuda:0', stepsPerCall: 64 }, steps: undefined },
    { began: { device: 'cuda:0', stepsPerCall: 1 }, steps: 1 },
    { began: { device: 'cuda:0', stepsPerCall: 1, mode: 'eager' }, steps: undefined },
  ])(
    'takes as many steps a call as were asked for, not as an earlier version had by default: $began',
    async (case_) => {
      writeFileSync(path.join(run, 'config.json'), JSON.stringify({ ...config, ...case_.began }));
      expect((await read()).config.stepsPerCall).toBe(case_.steps);
      expect((await read({ stepsPerCall: 3 })).config.stepsPerCall).toBe(3);
      writeFileSync(path.join(run, 'config.json'), JSON.stringify(config));
    },
  );

  it('refuses another command', async () => {
    await expect(assertRun(run, 'scratch')).rejects.toMatchObject({
      message: `Cannot resume ${run}: expected none, the command that it began with, got scratch`,
      hint: `bn-train none --resume '${run}'`,
      exitCode: 2,
    });
  });

  it.each([
    { at: undefined, words: `${run} has no checkpoint yet; it begins again from its seed` },
    { at: [1, 7], words: 'going on with epoch 1 of 3 after 7 batches' },
    { at: [3, 0], words: 'going on with epoch 3 of 3' },
    {
      at: [4, 0],
      words: `all 3 epochs of ${run} are trained; its result is measured again. To train on: bn-train none --resume '${run}' --epochs 6`,
    },
  ])('says where it goes on: $at', async ({ at, words }) => {
    if (at) await save(at[0] ?? 0, at[1] ?? 0);
    const { checkpoint } = await read();
    expect(checkpoint && [checkpoint.position.epoch, checkpoint.position.batch]).toEqual(at);
    expect(notices.at(-1)).toBe(words);
  });

  it('says what has changed', async () => {
    const { goingOnAt } = await read();
    expect(goingOnAt(config).change).toBeUndefined();
    expect(goingOnAt({ ...config, versions: { 'bn-train': '0.1.0', tensorflow: '2.21.0' } }).change).toBe(
      'TensorFlow 2.18.1 then, 2.21.0 now: its last bits may differ from those of a run that was never stopped',
    );
  });

  it('says that the commit has changed where both are known', async () => {
    const at = (commit: string) => ({ ...config, versions: { ...config.versions, commit } });
    const { goingOnAt } = await read();
    expect(goingOnAt(at('abc')).change).toBeUndefined();
    writeFileSync(path.join(run, 'config.json'), JSON.stringify(at('abc')));
    const known = await read();
    expect(known.goingOnAt(at('def+changes')).change).toMatch(/^commit abc then, def\+changes now: its last bits/);
    expect(known.goingOnAt(config).change).toBeUndefined();
    writeFileSync(path.join(run, 'config.json'), JSON.stringify(config));
  });
});

describe('what is no run', () => {
  it('a folder whose run was killed before it began', async () => {
    const folder = path.join(work, 'torn');
    await mkdir(folder);
    writeFileSync(path.join(folder, 'run.lock'), '');
    await expect(assertRun(folder, 'scratch')).rejects.toMatchObject({
      message: `Cannot resume ${folder}: expected a run, got a folder without one: it was stopped before it began`,
      hint: `begin it again, with the flags it had: bn-train scratch --run-dir '${folder}'`,
    });
  });

  it('a folder with something else, a file, nothing', async () => {
    const message = (folder: string) => `Cannot read the run ${folder}: expected a run folder with a config.json`;
    const file = path.join(run, 'config.json');
    await expect(assertRun(work, 'scratch')).rejects.toThrow(`${message(work)}, got none`);
    await expect(assertRun(file, 'scratch')).rejects.toThrow(`${message(file)}, got a file where a folder belongs`);
    await expect(assertRun(`${work}/no`, 'scratch')).rejects.toThrow(`${message(`${work}/no`)}, got none`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(config);
  });
});

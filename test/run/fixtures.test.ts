/** Run folders that the version before wrote are read and gone on with, or refused with a hint where there is no epoch. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstOf } from '../support/amount.js';
import { root, runProgram } from '../support/program.js';

/** All of seed 1: one epoch; two, stopped in the second by Ctrl-C; two, killed in the first, with a checkpoint each 50 steps. */
const KINDS = ['finished', 'interrupted', 'mid-epoch'] as const;
const NORMS = ['scratch', 'builtin', 'none'] as const;

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-fixtures-'));
afterAll(() => rm(work, { recursive: true }));
const run = (args: string[]) => runProgram(args, { cwd: work });

beforeAll(() => {
  for (const norm of NORMS)
    for (const kind of KINDS)
      execFileSync('tar', ['-xzf', path.join(root, `test/fixtures/${norm}-${kind}.tar.gz`)], { cwd: work });
});

const noEpoch = (folder: string) =>
  `Cannot read the model of ${folder}: expected the checkpoint of a finished epoch, got only those of its first epoch under way, the newest epoch-1-batch-150.ckpt\nhint: to take it as it is: --mid-epoch; to finish the epoch, go on with --resume '${folder}'\n`;

type Event = Record<string, unknown>;
const eventsOf = (folder: string) =>
  readFileSync(path.join(work, folder, 'events.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event);

describe('inspect-gamma', () => {
  it.each(['scratch', 'builtin'])('shows what the last finished epoch learned: %s', async (norm) => {
    const [finished, interrupted] = await Promise.all(
      ['finished', 'interrupted'].map((kind) => run(['inspect-gamma', `${norm}-${kind}`, '--layer', 'all', '--json'])),
    );
    const layers = JSON.parse(finished?.stdout ?? '') as { gamma: number[]; beta: number[] }[];
    expect(layers.map(({ gamma, beta }) => [gamma.length, beta.length])).toEqual([
      [6, 6],
      [16, 16],
      [120, 120],
      [84, 84],
    ]);
    expect(layers[0]?.gamma.every((value) => value > 0 && value !== 1)).toBe(true);
    // Both were trained on the same first epoch.
    expect(interrupted).toEqual(finished);
  });

  it.each(['scratch', 'builtin'])('refuses where no epoch is finished: %s', async (norm) => {
    expect(await run(['inspect-gamma', `${norm}-mid-epoch`])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: noEpoch(`${norm}-mid-epoch`),
    });
  });

  it('takes a checkpoint in mid-epoch where asked', async () => {
    const said = async (...args: string[]) => (await run(['inspect-gamma', ...args])).stdout;
    const gammaOf = async (...args: string[]) => /^gamma .*$/m.exec(await said(...args))?.[0];
    expect(await said('scratch-mid-epoch', '--mid-epoch')).toMatch(
      /^scratch-mid-epoch: scratch, seed 1, in epoch \d of \d after \d+ batches\nlayer 1 of 4, after convolution 5×5, 1→6: 6 channels\ngamma( +-?\d+\.\d{4}){6}\n/,
    );
    // It was stopped in its second epoch.
    expect(await gammaOf('scratch-interrupted', '--mid-epoch')).not.toBe(await gammaOf('scratch-interrupted'));
    expect(await gammaOf('scratch-finished', '--mid-epoch')).toBe(await gammaOf('scratch-finished'));
  });

  it('refuses a model without batch normalization', async () => {
    const { code, stderr } = await run(['inspect-gamma', 'none-interrupted']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'Cannot inspect none-interrupted: expected a model with batch normalization, got one without\nhint: train one: bn-train scratch\n',
    });
  });
});

/** Each trains for epochs of the whole data set; the kinds differ in nothing that has to do with the norm. */
const GONE_ON = { scratch: KINDS, builtin: ['interrupted'], none: ['mid-epoch'] } as const;
const WORDS = {
  interrupted: /^going on with epoch 2 of 2 after \d+ batches\n/,
  'mid-epoch': /^going on with epoch 1 of 2 after 150 batches\n/,
  finished: /^all 1 epochs of \S+ are trained; its result is measured again/,
} as const;

describe.each(firstOf(NORMS, 1))('a run of %s', (norm) => {
  it('is evaluated to the accuracy of its last finished epoch', async () => {
    for (const kind of ['finished', 'interrupted']) {
      const folder = `${norm}-${kind}`;
      const { stdout } = await run(['evaluate', folder, '--json', '--quiet']);
      const { testAccuracy } = JSON.parse(stdout) as { testAccuracy: number };
      const epoch = eventsOf(folder).findLast(({ type }) => type === 'epoch');
      // Another CPU may round a few of the 10,000 test images to another class.
      expect(Math.abs(testAccuracy - (epoch?.['testAccuracy'] as number))).toBeLessThan(2e-3);
    }
  });

  it.runIf(norm === 'scratch')('is evaluated in mid-epoch only where asked', async () => {
    const { code, stderr } = await run(['evaluate', `${norm}-mid-epoch`, '--quiet']);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: noEpoch(`${norm}-mid-epoch`),
    });
    const { stdout } = await run(['evaluate', `${norm}-mid-epoch`, '--quiet', '--mid-epoch', '--json']);
    expect((JSON.parse(stdout) as { testAccuracy: number }).testAccuracy).toBeGreaterThan(0.09);
  });

  it.each(firstOf(GONE_ON[norm], 1))('goes on to its end: %s', async (kind) => {
    const folder = `${norm}-${kind}`;
    const before = eventsOf(folder);
    const done = before.filter(({ type }) => type === 'epoch').map(({ type: _, ...epoch }) => epoch);
    const { code, stdout, stderr } = await run([norm, '--resume', folder, '--json']);
    expect(stderr).toMatch(WORDS[kind]);
    expect(code).toBe(0);
    const { epochs, final } = JSON.parse(stdout) as { epochs: Event[]; final: Record<string, number | null> };
    expect(epochs).toHaveLength(kind === 'finished' ? 1 : 2);
    // What was trained before it was measured has none; what is trained now has.
    const unmeasured = { testAccuracyPopulation: null, populationImages: null };
    expect(epochs.slice(0, done.length)).toEqual(done.map((epoch) => ({ ...epoch, ...unmeasured })));
    for (const { testAccuracyPopulation, populationImages } of epochs.slice(done.length))
      expect([typeof testAccuracyPopulation, populationImages]).toEqual(
        norm === 'none' ? ['object', null] : ['number', 2560],
      );
    expect(final['populationImages']).toBe(norm === 'none' ? null : 60_000);
    const end = before.find(({ type }) => type === 'end');
    for (const [name, value] of Object.entries(end ?? {}))
      if (typeof final[name] === 'number')
        expect(Math.abs((final[name] ?? NaN) - (value as number))).toBeLessThan(2e-3);
  });
});

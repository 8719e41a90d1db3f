/** A study's folder keeps whole trials alone, and gives each to one process. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { TrialStore } from '../../src/study/store.js';
import type { Trial, TrialRecord } from '../../src/study/trial.js';
import { IDENTITY } from '../support/madeUpTrials.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-store-'));
afterAll(() => rm(work, { recursive: true }));

const trial: Trial = {
  model: { kind: 'lenet', norm: 'none' },
  ...{ learningRate: 1, batchSize: 256, examples: 60_000, epochs: 1, seed: 1, watch: ['epochs'] },
};
const record: TrialRecord = {
  ...{ trial, outcome: 'finished', losses: [2.3, 1.25], accuracies: [0.1, 0.5], epochs: [] },
  ...{ seconds: 2, trainingSeconds: 1 },
};
const origin = {
  machine: { platform: 'linux-x64', cpu: 'some', cores: 2, memory: 1 },
  versions: { node: '20' },
  dataName: 'Fashion-MNIST',
  registration: 'r',
};

let folder: string;
let notices: string[];
let studies = 0;
const open = (of = IDENTITY) => TrialStore.open(folder, of, origin, (line) => notices.push(line));
beforeEach(() => {
  folder = path.join(work, `${studies++}`);
  notices = [];
});

const inTrials = (name: string) => path.join(folder, 'trials', name);

describe('a trial', () => {
  it('is read as it was written, by whoever asks for the same', async () => {
    const store = await open();
    expect(await store.read(trial)).toBeUndefined();
    await store.write(record);
    expect((await (await open()).read({ ...trial }))?.record).toEqual(record);
    expect(await store.read({ ...trial, seed: 2 })).toBeUndefined();
    expect(await (await open({ ...IDENTITY, code: 'other' })).read(trial)).toBeUndefined();
    expect(readdirSync(path.join(folder, 'trials'))).toEqual([`${store.nameOf(trial)}.json`]);
    expect(notices).toEqual([]);
  });

  it.each([
    { what: 'half written', change: (text: string) => text.slice(0, text.length / 2), got: 'expected JSON, got ' },
    { what: 'empty', change: () => '', got: 'expected JSON, got ' },
    { what: 'foreign', change: () => '{"losses": [1]}', got: 'expected identity to be an object, got nothing' },
    {
      what: 'with another number',
      change: (text: string) => text.replace('1.25', '1.24'),
      got: 'expected a trial as it was written, got other numbers than those',
    },
    {
      what: 'of another trial',
      change: (text: string) => text.replace('"learningRate":1,', '"learningRate":3,'),
      got: 'expected a trial as it was written, got one that is called lenet-none-lr3-',
    },
    {
      what: 'of another program',
      change: (text: string) => text.replace('"code":"c"', '"code":"d"'),
      got: 'expected a trial as it was written, got one that is called lenet-none-lr1-',
    },
  ])('$what is set aside in words, and is computed again', async ({ change, got }) => {
    const store = await open();
    await store.write(record);
    const file = inTrials(`${store.nameOf(trial)}.json`);
    const changed = change(readFileSync(file, 'utf8'));
    writeFileSync(file, changed);
    expect(await store.read(trial)).toBeUndefined();
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(`Cannot read ${file}: ${got}`);
    expect(notices[0]).toMatch(/; it is set aside as lenet-none-lr1-.*\.json\.aside, and computed again$/);
    expect(readFileSync(`${file}.aside`, 'utf8')).toBe(changed);
    await store.write(record);
    expect((await store.read(trial))?.record).toEqual(record);
  });

  it('with other times is the same', async () => {
    const store = await open();
    await store.write(record);
    const file = inTrials(`${store.nameOf(trial)}.json`);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"seconds":2', '"seconds":3'));
    expect((await store.read(trial))?.record).toEqual({ ...record, seconds: 3 });
  });

  it('that cannot be read at all is told', async () => {
    const store = await open();
    mkdirSync(inTrials(`${store.nameOf(trial)}.json`));
    await expect(store.read(trial)).rejects.toMatchObject({
      message: `Cannot write the study folder ${folder}: expected room and permission, got a folder`,
      hint: 'free some space or give permission, then start it again: it goes on where it was',
    });
  });
});

it('a folder that cannot be made is told', async () => {
  folder = path.join(work, 'file', 'below');
  writeFileSync(path.join(work, 'file'), '');
  await expect(open()).rejects.toMatchObject({
    message: expect.stringMatching(/^Cannot use the study folder .*: expected a folder that can be written/) as string,
  });
});

describe('a trial that is taken', () => {
  it('is nobody else’s until it is released', async () => {
    const [one, other] = [await open(), await open()];
    const taken = await one.take(trial);
    if (!('release' in taken)) throw new Error('nobody has it');
    expect(await other.take(trial)).toMatchObject({ pid: process.pid, host: hostname() });
    expect(await one.take(trial)).toMatchObject({ pid: process.pid });
    expect(await other.take({ ...trial, seed: 2 })).toHaveProperty('release');
    await taken.release();
    expect(await other.take(trial)).toHaveProperty('release');
  });

  it('is free again when its process is dead, whose half-written file goes', async () => {
    const store = await open();
    const name = store.nameOf(trial);
    const dead = 2 ** 22 + 1;
    writeFileSync(inTrials(`.${name}.json.${dead}-00000000.tmp`), '{"half');
    writeFileSync(lock(name), JSON.stringify({ pid: dead, host: hostname(), started: '1' }));
    expect(await store.take(trial)).toHaveProperty('release');
    expect(readdirSync(path.join(folder, 'trials'))).toEqual([]);
  });

  const lock = (name: string) => path.join(folder, 'locks', `${name}.lock`);
  const elsewhere = { pid: process.pid, host: 'elsewhere', started: '1' };

  it('on another machine is free again after three minutes without a sign of life', async () => {
    const store = await open();
    const file = lock(store.nameOf(trial));
    writeFileSync(file, JSON.stringify(elsewhere));
    const now = vi.spyOn(performance, 'now');
    const takeAt = (seconds: number) => {
      now.mockReturnValue(1000 * seconds);
      return store.take(trial);
    };
    try {
      expect(await takeAt(0)).toMatchObject(elsewhere);
      expect(await takeAt(179)).toMatchObject(elsewhere);
      utimesSync(file, new Date(), new Date(Date.now() + 15_000));
      expect(await takeAt(181)).toMatchObject(elsewhere);
      expect(await takeAt(360)).toMatchObject(elsewhere);
      expect(await takeAt(362)).toMatchObject(elsewhere);
      expect(await takeAt(363)).toHaveProperty('release');
    } finally {
      now.mockRestore();
    }
  });

  it('shows that it lives', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const store = await open();
      const taken = await store.take(trial);
      const file = lock(store.nameOf(trial));
      utimesSync(file, new Date(0), new Date(0));
      vi.advanceTimersByTime(15_000);
      await vi.waitFor(() => expect(statSync(file).mtimeMs).toBeGreaterThan(0));
      if (!('release' in taken)) throw new Error('nobody has it');
      await taken.release();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

it('what was begun an hour ago and more goes, what is new stays, as another machine may be at it', async () => {
  await open();
  const [old, fresh] = [inTrials('.x.json.1-00000000.tmp'), inTrials('.x.json.1-00000001.tmp')];
  for (const file of [old, fresh, inTrials('notes')]) writeFileSync(file, '');
  const past = new Date(Date.now() - 3_700_000);
  const [oldLock, lock] = ['old', 'new'].map((name) => path.join(folder, 'locks', `${name}.lock`)) as [string, string];
  for (const file of [oldLock, lock]) writeFileSync(file, '');
  for (const file of [old, inTrials('notes'), oldLock]) utimesSync(file, past, past);
  await open();
  expect(readdirSync(path.join(folder, 'locks'))).toEqual(['new.lock']);
  expect(readdirSync(path.join(folder, 'trials')).sort()).toEqual([path.basename(fresh), 'notes']);
});

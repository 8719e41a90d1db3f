/** Trials that were computed apart are joined where they go together, and refused in words where they do not. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { mergeTrials } from '../../src/study/merge.js';
import { TrialStore } from '../../src/study/store.js';
import type { TrialRecord } from '../../src/study/trial.js';
import { IDENTITY } from '../support/madeUpTrials.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-merge-'));
afterAll(() => rm(work, { recursive: true }));

const recordOf = (seed: number, loss = seed, seconds = 1): TrialRecord => ({
  trial: {
    model: { kind: 'lenet', norm: 'none' },
    ...{ learningRate: 1, batchSize: 256, examples: 1000, epochs: 1, seed, watch: [] },
  },
  ...{ outcome: 'finished', losses: [loss], accuracies: [0.1], epochs: [], seconds, trainingSeconds: 1 },
});

let here: (name: string) => string;
let into: string;
let notices: string[];
let tests = 0;
beforeEach(() => {
  const folder = path.join(work, `${tests++}`);
  here = (name) => path.join(folder, name);
  into = here('joined');
  notices = [];
});

async function folderOf(name: string, records: TrialRecord[], identity = IDENTITY): Promise<string> {
  const machine = { platform: 'p', cpu: 'c', cores: 2, memory: 1 };
  const origin = { machine, versions: {}, dataName: 'n', registration: 'r' };
  const store = await TrialStore.open(here(name), identity, origin, () => undefined);
  for (const record of records) await store.write(record);
  return here(name);
}

const merge = (...folders: string[]) => mergeTrials(folders, into, 'c', (line) => notices.push(line));
const trialsIn = (folder: string) => readdirSync(path.join(folder, 'trials')).sort();
const bytesIn = (folder: string) => trialsIn(folder).map((name) => readFileSync(path.join(folder, 'trials', name)));

describe('trials are joined', () => {
  it('byte for byte, whichever folder has them', async () => {
    const whole = await folderOf(
      'whole',
      [1, 2, 3, 4].map((seed) => recordOf(seed)),
    );
    const parts = [
      await folderOf('a', [recordOf(1), recordOf(2)]),
      await folderOf('b', [recordOf(2), recordOf(3)]),
      await folderOf('joined', [recordOf(4)]),
    ];
    const { identity, files } = await merge(...parts);
    expect(identity).toEqual(IDENTITY);
    expect([...files.values()].map(({ record }) => record.trial.seed).sort()).toEqual([1, 2, 3, 4]);
    expect(trialsIn(into)).toEqual(trialsIn(whole));
    expect(bytesIn(into)).toEqual(bytesIn(whole));
    await merge(...parts);
    expect(bytesIn(into)).toEqual(bytesIn(whole));
    expect(notices).toEqual([]);
  });

  it('without those of other versions, of which there is a word', async () => {
    const folder = await folderOf('a', [recordOf(1)]);
    await folderOf('a', [recordOf(1), recordOf(2)], { ...IDENTITY, code: 'before' });
    await merge(folder);
    expect(trialsIn(into)).toHaveLength(1);
    expect(notices).toEqual(['2 trials are of another version: they are left out']);
  });

  it('where the same trial took longer', async () => {
    await merge(await folderOf('a', [recordOf(1, 1, 2)]), await folderOf('b', [recordOf(1, 1, 3)]));
    expect(readFileSync(path.join(into, 'trials', trialsIn(into)[0] ?? ''), 'utf8')).toContain('"seconds":2');
  });
});

describe('nothing is joined, and why is told, of', () => {
  const refused = async (folders: string[], got: string | RegExp, hint?: string) => {
    const before = await trialsIfAny();
    await expect(merge(...folders)).rejects.toMatchObject({
      message: typeof got === 'string' ? got : (expect.stringMatching(got) as string),
      ...(hint !== undefined && { hint }),
    });
    expect(await trialsIfAny()).toEqual(before);
  };
  const trialsIfAny = () =>
    Promise.resolve()
      .then(() => trialsIn(into))
      .catch(() => []);

  it('a folder that is none', async () => {
    await refused(
      [here('nowhere')],
      `Cannot merge: expected the folder of a study, with its trials in trials, got ${here('nowhere')}: no such file or folder`,
      'name the --study-dir of each part',
    );
  });

  it('no trials, or none of this version', async () => {
    const hint = 'use the version that computed them';
    await refused(
      [await folderOf('a', [])],
      'Cannot merge: expected trials that this version computed, got none',
      hint,
    );
    const other = await folderOf('b', [recordOf(1)], { ...IDENTITY, code: 'before' });
    await refused([other], 'Cannot merge: expected trials that this version computed, got 1 of another one', hint);
  });

  it('trials that were computed in two ways', async () => {
    const [a, b] = [
      await folderOf('a', [recordOf(1)]),
      await folderOf('b', [recordOf(2)], { ...IDENTITY, tensorflow: '2.21.0' }),
    ];
    await refused(
      [a, b],
      /^Cannot merge: expected trials that were computed alike, got tensorflow 2\.18\.1 in \S+ and 2\.21\.0 in \S+\.json$/,
      'name folders of one kind alone, and another --study-dir',
    );
  });

  it('one trial with two results', async () => {
    const [a, b] = [await folderOf('a', [recordOf(1), recordOf(2)]), await folderOf('b', [recordOf(2, 9)])];
    await refused(
      [a, b],
      /^Cannot merge: expected one result of the trial lenet-none-lr1-b256-1000x1-seed2-\w+, got two, in \S+\/a\/\S+ and \S+\/b\/\S+$/,
    );
  });

  it('a file that is half written, another trial’s, or foreign', async () => {
    const folder = await folderOf('a', [recordOf(1)]);
    const [name = ''] = trialsIn(folder);
    const file = path.join(folder, 'trials', name);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, 200));
    await refused([folder], new RegExp(`^Cannot read ${file}: expected JSON, got `));
    writeFileSync(file, text);
    cpSync(file, path.join(folder, 'trials', 'other.json'));
    await refused([folder], /other\.json: expected a trial as it was written, got one that is called lenet-none-/);
    renameSync(path.join(folder, 'trials', 'other.json'), path.join(folder, 'trials', 'other.txt'));
    await merge(folder);
    mkdirSync(path.join(folder, 'trials', 'folder.json'));
    await refused(
      [folder],
      `Cannot merge: expected every trial to be readable, got ${path.join(folder, 'trials', 'folder.json')}: a folder`,
    );
  });

  it('a folder that cannot be written', async () => {
    const folder = await folderOf('a', [recordOf(1)]);
    writeFileSync(here('joined'), '');
    await refused([folder], /^Cannot merge: expected .*, got .*joined: a file where a folder belongs$/);
  });
});

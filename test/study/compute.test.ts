/** Workers compute what is missing, each trial once, and what becomes of them is told in words. */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { computeAll } from '../../src/study/compute.js';
import { TrialStore } from '../../src/study/store.js';
import type { Trial } from '../../src/study/trial.js';
import { ALL } from '../support/amount.js';
import { root } from '../support/program.js';
import { begun, startFake, timelessRecords, trialsOf } from '../support/studies.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-compute-'));
afterAll(() => rm(work, { recursive: true }));

let folder: string;
let log: string;
let studies = 0;
beforeEach(() => {
  folder = path.join(work, `${++studies}`);
  log = path.join(work, `${studies}.log`);
});

const trialOf = (seed: number): Trial => ({
  model: { kind: 'lenet', norm: 'none' },
  ...{ learningRate: 1, batchSize: 256, examples: 1000 * seed, epochs: 1, seed, watch: [] },
});

interface Play {
  seeds?: number[];
  jobs?: number;
  opening?: object;
  signal?: AbortSignal;
  kindOf?: (trial: Trial) => string;
}

/** Computes trials of these seeds, whose costs are as their seeds. */
async function play({ seeds = [1, 2, 3], jobs = 1, opening = {}, signal, kindOf = () => 'one' }: Play = {}) {
  const [notices, order]: [string[], number[]] = [[], []];
  const identity = { code: 'c', tensorflow: '2', device: 'cpu', addon: 'a', kernels: 'k', threads: 1, data: 'd' };
  const machine = { platform: 'p', cpu: 'c', cores: 2, memory: 1 };
  const origin = { machine, versions: {}, dataName: 'n', registration: 'r' };
  const say = (line: string) => notices.push(line);
  const store = await TrialStore.open(folder, identity, origin, say);
  await computeAll(seeds.map(trialOf), {
    ...{ store, jobs, signal, costOf: ({ seed }) => seed, kindOf },
    script: { file: new URL(`file://${root}/test/support/fakeWorker.js`), opening: { log, ...opening } },
    listener: { progress: () => undefined, notice: say, warn: say },
    onTrial: ({ record }, seconds) => order.push(seconds === undefined ? -record.trial.seed : record.trial.seed),
  });
  return { notices, order };
}

const left = () => readdirSync(path.join(folder, 'locks'));

describe('trials are computed', () => {
  it('the longest first, each once, and not again', async () => {
    expect((await play({ seeds: [2, 3, 1] })).order).toEqual([3, 2, 1]);
    expect((await play({ seeds: [1, 2, 3, 4] })).order).toEqual([4, -3, -2, -1]);
    expect([...begun(log).values()]).toEqual([1, 1, 1, 1]);
    expect(left()).toEqual([]);
  });

  it('those of the kind that a worker has computed before others', async () => {
    const kindOf = ({ seed }: Trial) => `${seed % 2}`;
    expect((await play({ seeds: [1, 2, 3, 4, 5, 6], kindOf })).order).toEqual([6, 4, 2, 5, 3, 1]);
  });

  it('first those of a kind that no other worker has', async () => {
    const kindOf = ({ seed }: Trial) => (seed < 5 ? 'short' : 'long');
    await play({ seeds: [1, 2, 3, 4, 5, 6], jobs: 2, opening: { workers: log }, kindOf });
    const workers = readFileSync(`${log}.workers`, 'utf8').trim().split('\n');
    const of = (seed: number) => workers.find((line) => line.endsWith(` ${seed}`))?.split(' ')[0];
    expect(of(6)).not.toBe(of(4));
  });

  it('several at once, with the same results', async () => {
    await play({ seeds: [1, 2, 3, 4, 5, 6], jobs: 3 });
    const several = trialsOf(folder);
    folder += '-one';
    await play({ seeds: [1, 2, 3, 4, 5, 6] });
    expect(several).toHaveLength(6);
    expect(trialsOf(folder)).toEqual(several);
  });
});

describe('a worker', () => {
  it('that dies is told of, and its trial begun once more', async () => {
    const { notices, order } = await play({ opening: { dying: 2, diesOnce: path.join(work, `${studies}.died`) } });
    expect(order).toEqual([3, 2, 1]);
    expect(notices).toEqual([
      expect.stringMatching(
        /^a worker ended \(SIGKILL: about to die\) in lenet-none-lr1-b256-2000x1-seed2-\w+, which is begun once more$/,
      ),
    ]);
  });

  it('that dies twice is an error in words, and what is done stays', async () => {
    await expect(play({ opening: { dying: 2 } })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Cannot compute the trial lenet-none-\S+: expected its process to finish, got its end, twice: SIGKILL: about to die$/,
      ) as string,
      hint: 'if memory is short, have fewer at once: bn-train study --jobs 1',
    });
    expect(trialsOf(folder)).toHaveLength(1);
    expect(left()).toEqual([]);
  });

  it('that fails ends the study with its error, and all other workers', async () => {
    const others = play({ seeds: [1, 2, 3], jobs: 3, opening: { failing: 2, delay: 60_000 } });
    await expect(others).rejects.toThrow('a trial that fails');
    expect(left()).toEqual([]);
  });
});

it('what is stopped before it has a worker starts none', async () => {
  const stop = new AbortController();
  const kindOf = () => {
    // A trial has been taken, and its worker is next.
    stop.abort(new Error('stopped'));
    return 'one';
  };
  await expect(play({ opening: { delay: 60_000 }, signal: stop.signal, kindOf })).rejects.toThrow('stopped');
  expect(begun(log).size).toBe(0);
  expect(left()).toEqual([]);
});

it('what is stopped ends its workers at once, and leaves no lock', async () => {
  const stop = new AbortController();
  const computing = play({ jobs: 2, opening: { delay: 60_000 }, signal: stop.signal });
  const ended = expect(computing).rejects.toThrow('stopped');
  while (begun(log).size < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const asked = performance.now();
  stop.abort(new Error('stopped'));
  await ended;
  expect(performance.now() - asked).toBeLessThan(2000);
  expect(left()).toEqual([]);
});

describe('whole studies', () => {
  it('two processes on one folder share the work, and have the same results', async () => {
    const seeds = [1, 2, 3, 4, 5, 6];
    const both = [1, 2].map(() => startFake({ folder, log, delay: 40, jobs: 2, seeds }));
    const [one, other] = await Promise.all(both.map(({ result }) => result));
    expect([one?.code, other?.code], one?.stderr).toEqual([0, 0]);
    expect(timelessRecords(one?.stdout ?? '')).toEqual(timelessRecords(other?.stdout ?? '-'));
    expect([...begun(log).values()].filter((count) => count !== 1)).toEqual([]);
    expect(begun(log).size).toBe(18);
    expect(`${one?.stderr}${other?.stderr}`).toMatch(/process \d+ on \S+ computes some of the trials, too\n/);
  });

  it.runIf(ALL)('as many workers as there are cores on a large machine are no cause for a warning', async () => {
    const seeds = Array.from({ length: 12 }, (_, i) => i + 1);
    const { code, stderr } = await startFake({ folder, log, jobs: 12, seeds }).result;
    expect(code).toBe(0);
    expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('study: '))).toEqual([]);
  });

  it.runIf(ALL)('thirds wait for each other, and are together what the whole is', async () => {
    const whole = await startFake({ folder: `${folder}-whole`, log, seeds: [1, 2, 3, 4] }).result;
    const third = async (number: number, code: number) => {
      const result = await startFake({ folder, log, shard: { number, count: 3 }, seeds: [1, 2, 3, 4] }).result;
      expect(result.code, result.stderr).toBe(code);
      return JSON.parse(result.stdout) as unknown;
    };
    expect(await third(1, 0)).toEqual({ waiting: { stage: 1, shards: [2, 3], trials: expect.any(Number) as number } });
    expect(await third(2, 0)).toEqual({ waiting: { stage: 1, shards: [3], trials: expect.any(Number) as number } });
    expect(await third(3, 0)).toEqual({ waiting: { stage: 2, shards: [1, 2], trials: expect.any(Number) as number } });
    expect(await third(1, 0)).toEqual({ waiting: { stage: 2, shards: [2], trials: expect.any(Number) as number } });
    await third(2, 0);
    expect(trialsOf(folder)).toEqual(trialsOf(`${folder}-whole`));
    expect(trialsOf(folder)).toHaveLength(12);
    expect(whole.code).toBe(0);
  });

  it.runIf(ALL)('its workers end with it, however it ends', async () => {
    const study = startFake({ folder, log, delay: 60_000, jobs: 2 });
    while (begun(log).size < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    const workers = childrenOf(study.child.pid ?? 0);
    expect(workers).toHaveLength(2);
    study.child.kill('SIGKILL');
    await study.result;
    const deadline = performance.now() + 2000;
    while (workers.some(isAlive) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(workers.filter(isAlive)).toEqual([]);
  });

  it('Ctrl-C ends it and its workers within two seconds, and it goes on where it was', async () => {
    const study = startFake({ folder, log, delay: 400, jobs: 2 });
    while (trialsOf(folder).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    const workers = childrenOf(study.child.pid ?? 0);
    const asked = performance.now();
    for (const pid of [study.child.pid ?? 0, ...workers]) process.kill(pid, 'SIGINT');
    expect((await study.result).code).toBe(130);
    expect(performance.now() - asked).toBeLessThan(2000);
    expect(workers.filter(isAlive)).toEqual([]);
    expect(left()).toEqual([]);
    const done = trialsOf(folder);
    await startFake({ folder, log }).result;
    expect(trialsOf(folder)).toEqual(expect.arrayContaining(done));
    expect(trialsOf(folder)).toHaveLength(9);
  });
});

/** Not the processes of tools that share its group. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/** One small claim, studied for real: whole, in parts that are joined, and stopped; always with the same bytes but for times. */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Worker } from '../../src/study/worker.js';
import type { StudyResult } from '../../src/study/result.js';
import type { Trial } from '../../src/study/trial.js';
import { root, runProgram, startProgram } from '../support/program.js';
import { trialsOf } from '../support/studies.js';
import { onTerminal } from '../support/terminal.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-study-'));
afterAll(() => rm(work, { recursive: true }));

const CLAIM = ['study', 'exploding-gradients', '--quick'];
const study = (...args: string[]) => runProgram([...CLAIM, ...args], { cwd: work });
const inWork = (name: string) => path.join(work, name);
const resultOf = (text: string) => ({ ...(JSON.parse(text) as StudyResult), seconds: 0, finished: '' });

let whole: StudyResult;
beforeAll(async () => {
  const { code, stdout, stderr } = await study('--study-dir', 'whole', '--jobs', '2', '--json');
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(
    /^study: \d+ % done {3}stage 1 {3}\d+\/10 trials {3}(less than 1 s|[\d.]+ s|\d+ min \d+ s) left {3}after [\d.]+ s$/m,
  );
  expect(stderr).toMatch(/^study: 100 % done {3}stage 1 {3}10\/10 trials {3}less than 1 s left {3}after [^\n]*\n$/m);
  expect(resultOf(readFileSync(inWork('whole/study.json'), 'utf8'))).toEqual(resultOf(stdout));
  whole = resultOf(stdout);
});

it('says what was found and by what', async () => {
  const [claim] = whole.claims;
  expect(whole).toMatchObject({
    quick: true,
    left: [],
    registration: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(whole).toMatchObject({ data: { name: 'Fashion-MNIST' }, machine: { platform: 'linux-x64' } });
  expect(claim).toMatchObject({ claim: 'exploding-gradients', verdict: 'holds' });
  expect(claim?.trials.toSorted()).toEqual(trialsOf(inWork('whole')).map(([name]) => name.replace(/\.json$/, '')));
  const { stdout, stderr } = await study('--study-dir', 'whole');
  expect(stdout).toMatch(
    /^quick look: holds {3}exploding-gradients {3}1\.2\d* .*% interval .* {3}criterion: .* {3}literature: .*\n\nregistration {3}SHA-256 [0-9a-f]{64}\ncomputed on {3}.*\n$/,
  );
  // Every trial was there.
  expect(stderr).toBe('');
});

it('thirds, of one worker each, are together what the whole is', async () => {
  for (const number of [1, 2, 3]) {
    const { code, stdout, stderr } = await study(
      '--shard',
      `${number}/3`,
      '--jobs',
      '1',
      '--study-dir',
      `part-${number}`,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(new RegExp(`^shard ${number}/3 is done; shards \\d, \\d of 3 compute \\d trials more\\n$`));
  }
  const two = await study('--merge', 'part-1', 'part-2', '--study-dir', 'joined');
  expect(two).toMatchObject({
    code: 75,
    stdout: '',
    stderr: expect.stringMatching(
      /^study: of stage 1, \d trials are in no folder\nhint: name the folders of all shards; or have what is missing computed here: bn-train study --study-dir 'joined'\n$/,
    ) as string,
  });
  const merged = await study('--merge', 'part-1', 'part-2', 'part-3', '--study-dir', 'joined', '--json');
  expect(merged.code, merged.stderr).toBe(0);
  expect(resultOf(merged.stdout)).toEqual(whole);
  expect(trialsOf(inWork('joined'))).toEqual(trialsOf(inWork('whole')));
});

it('a part says as JSON that it is done', async () => {
  await cp(inWork('part-1'), inWork('again'), { recursive: true });
  const { stdout } = await study('--shard', '1/3', '--study-dir', 'again', '--json');
  expect(JSON.parse(stdout)).toEqual({ shard: '1/3', done: true, waitsFor: [2, 3] });
});

describe('stopped', () => {
  const begun = (folder: string) =>
    existsSync(inWork(`${folder}/locks`)) && readdirSync(inWork(`${folder}/locks`)).length > 0;
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('by a kill, it goes on, with the same bytes', async () => {
    for (const trials of [0, 2, 5]) {
      const killed = startProgram([...CLAIM, '--study-dir', 'killed'], { cwd: work });
      await until(() => begun('killed') && trialsOf(inWork('killed')).length >= trials);
      killed.child.kill('SIGKILL');
      await killed.result;
    }
    const { code, stdout, stderr } = await study('--study-dir', 'killed', '--json');
    expect(code, stderr).toBe(0);
    expect(resultOf(stdout)).toEqual(whole);
    expect(trialsOf(inWork('killed'))).toEqual(trialsOf(inWork('whole')));
  });

  it('by Ctrl-C, it ends within two seconds, without a lock, and the terminal is as it was', async () => {
    const shown = await onTerminal([...CLAIM, '--study-dir', 'interrupted'], [{ until: 'stage 1 ', type: '\u0003' }], {
      cwd: work,
    });
    expect(shown.ended).toEqual({ code: 130 });
    expect(shown.seconds).toBeLessThan(2);
    expect(shown.same).toBe(true);
    expect(shown.lines.join('\n')).toContain('kept in interrupted; the same command goes on');
    expect(readdirSync(inWork('interrupted/locks'))).toEqual([]);
  });
});

it('a long trial is computed with fused kernels or not at all, where its study has them', async () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  const opening = { device: 'cpu', tensorflow: '2.18.1', threads: 1, fuse: true };
  const worker = new Worker({ file: new URL(`file://${root}/dist/cli/study/trialWorker.js`), opening });
  process.env['PATH'] = PATH;
  const trial: Trial = {
    model: { kind: 'lenet', norm: 'none' },
    ...{ learningRate: 1, batchSize: 256, examples: 60_000, epochs: 1, seed: 1, watch: [] },
  };
  await expect(worker.compute(trial)).rejects.toMatchObject({
    message:
      'Cannot compute a trial: expected fused kernels, as others of its study had, got there is no C++ compiler (apt-get install g++)',
  });
  await worker.kill();
});

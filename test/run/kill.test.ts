/** The real program, killed (SIGKILL) again and again at random times and in the middle of writes, loses nothing. */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNewestCheckpoint } from '../../src/run/checkpoints.js';
import { amount } from '../support/amount.js';
import { program, root, start } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';
import { timeless } from '../support/timeless.js';

/** Another number or seed gives other moments; the defaults are what is published. */
const KILLS = Number(process.env['KILLS'] ?? amount(24, 4));
const random = xoroshiro128plus(Number(process.env['KILL_SEED'] ?? 1));
const EPOCHS = 4;
/** A start changes files at about 40 moments and an epoch at as many; each writes 3 to 8 files' content. */
const MOMENTS = 110;
const CONTENTS = 20;
const hook = path.join(root, 'test/support/killAtWrite.js');

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-kill-'));
afterAll(() => rm(work, { recursive: true }));
let data: SmallData;
beforeAll(async () => {
  data = await writeSmallData(path.join(work, 'data'), 300, 100);
});

interface Kill {
  /** After so many milliseconds; or at this moment of changing files; or in the middle of this file's content. */
  after?: number;
  moment?: number;
  half?: number;
}

/** Begins the run in `folder`, or goes on with it where there is one. */
async function trainIn(folder: string, flags: string[], kill: Kill = {}) {
  const begin = ['--run-dir', folder, '--epochs', `${EPOCHS}`, '--batch-size', '64', '--seed', '1', ...flags];
  const where = existsSync(path.join(folder, 'config.json')) ? ['--resume', folder] : begin;
  const at = kill.moment ?? kill.half;
  const loaded = at === undefined ? [] : ['--import', hook];
  const kind = kill.half === undefined ? 'any' : 'half';
  const env = { ...data.env, KILL_BELOW: folder, KILL_AT: `${at ?? 0}`, KILL_KIND: kind };
  const running = start(process.execPath, [...loaded, program, 'scratch', ...where, '--json', ...data.args], { env });
  const timer = kill.after === undefined ? undefined : setTimeout(() => running.child.kill('SIGKILL'), kill.after);
  const result = await running.result;
  clearTimeout(timer);
  return result;
}

/** All that a finished run says and leaves, without its time figures. */
async function outcome(folder: string, stdout: string) {
  const read = (name: string) => readFileSync(path.join(folder, name));
  const csv = read('metrics.csv').toString().trim().split('\n');
  return {
    printed: timeless({ ...(JSON.parse(stdout) as object), runDirectory: '' }),
    weights: read('model/weights.bin'),
    checkpoint: timeless(await readNewestCheckpoint(folder, fail)),
    metrics: csv.map((row) => row.split(',').slice(0, 6)),
    left: readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !name.endsWith('.ckpt')),
    checkpoints: readdirSync(path.join(folder, 'checkpoint')).length,
  };
}

function fail(reason: string): never {
  throw new Error(reason);
}

const numbersIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, number]) => Number(number));

/** Every epoch that a killed process told of, on the terminal or in a file, is in a checkpoint. */
async function expectKept(folder: string, shown: number[]): Promise<void> {
  const told = [...shown];
  for (const [name, pattern] of [
    ['metrics.csv', /^(\d+),.*\n/gm],
    ['events.jsonl', /^\{"type":"epoch","epoch":(\d+),.*\n/gm],
  ] as const) {
    const file = path.join(folder, name);
    if (existsSync(file)) told.push(...numbersIn(readFileSync(file, 'utf8'), pattern));
  }
  const kept = (await readNewestCheckpoint(folder, fail))?.history.map(({ epoch }) => epoch) ?? [];
  expect(kept).toEqual(expect.arrayContaining(told));
}

function nextKill(number: number, longest: number): Kill {
  if (number % 3 === 0) return { after: uniformInt(random, Math.round(longest / 4), longest) };
  return number % 3 === 1 ? { moment: uniformInt(random, 1, MOMENTS) } : { half: uniformInt(random, 1, CONTENTS) };
}

const epochsShown = (stderr: string) => numbersIn(stderr, /^epoch (\d+)\//gm);

describe('a run that is killed and resumed', () => {
  /** Kills and resumes one run until it has come to its end all the same. Gives what it printed and all epochs it showed. */
  async function survive(folder: string, flags: string[], longest: number, kills: { left: number; done: number }) {
    const shown: number[] = [];
    for (;;) {
      const kill = kills.left > 0 ? nextKill(kills.left, longest) : {};
      kills.left--;
      const { signal, code, stdout, stderr } = await trainIn(folder, flags, kill);
      shown.push(...epochsShown(stderr));
      if (signal === null) {
        // It came to its end before its moment.
        kills.left++;
        expect(code, stderr).toBe(0);
        return { stdout, shown };
      }
      expect(signal).toBe('SIGKILL');
      kills.done++;
      await expectKept(folder, shown);
    }
  }

  it.each([
    { mode: 'as it comes', flags: [] },
    { mode: 'eager', flags: ['--eager'] },
  ])(`${KILLS / 2} times loses no epoch and differs in no bit: $mode`, async ({ mode, flags }) => {
    const kills = { left: KILLS / 2, done: 0 };
    const begun = performance.now();
    const whole = path.join(work, `${mode}-whole`);
    const { stdout, stderr } = await trainIn(whole, flags);
    const longest = Math.round(performance.now() - begun);
    expect(epochsShown(stderr)).toEqual([1, 2, 3, 4]);
    const reference = await outcome(whole, stdout);
    const lane = async (name: string, more: string[]) => {
      for (let run = 1; kills.left > 0; run++) {
        const folder = path.join(work, `${mode}-${name}-${run}`);
        const { stdout, shown } = await survive(folder, [...flags, ...more], longest, kills);
        expect(new Set(shown).size, `epochs shown: ${shown.join()}`).toBe(shown.length);
        expect(await outcome(folder, stdout)).toEqual(reference);
      }
    };
    await Promise.all([lane('epochs', []), lane('steps', ['--checkpoint-steps', '3'])]);
    expect(kills.done).toBe(KILLS / 2);
  });
});

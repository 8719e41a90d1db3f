/** Event files for TensorBoard: their records, and that killed and resumed runs leave what undisturbed ones leave. */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crc32c, framed, lengthOfWanted } from '../../src/run/tensorBoard/records.js';
import {
  bucketsOf,
  fileVersion,
  restartedAt,
  scalar,
  stepOf,
  summaryEvent,
} from '../../src/run/tensorBoard/summaries.js';
import { ALL, amount } from '../support/amount.js';
import { program, root, runProgram, start } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-tensorboard-'));
afterAll(() => rm(work, { recursive: true }));
const inWork = (name: string) => path.join(work, name);

describe('records', () => {
  it.each([
    ['', 0],
    ['123456789', 0xe3069283],
    ['\0'.repeat(32), 0x8a9136aa],
    ['\xff'.repeat(32), 0x62a8ab43],
  ])('have the CRC-32C of RFC 3720: %j', (text, expected) => {
    expect(crc32c(Buffer.from(text, 'latin1'))).toBe(expected);
  });

  const all = ['one', '', 'three'].map((text) => framed(Buffer.from(text)));
  const ends = all.map((_, i) => Buffer.concat(all.slice(0, i + 1)).length);
  const whole = Buffer.concat(all);
  const any = () => true;

  it('that are cut short anywhere are known, and so is each flipped bit', () => {
    for (let length = 0; length <= whole.length; length++) {
      const end = Math.max(0, ...ends.filter((each) => each <= length));
      expect(lengthOfWanted(whole.subarray(0, length), any)).toBe(end);
    }
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(lengthOfWanted(damaged, any)).toBe(Math.max(0, ...ends.filter((end) => end <= bit >> 3)));
    }
  });

  it('end before the first that is not wanted', () => {
    expect(lengthOfWanted(whole, (content) => content.toString() !== 'three')).toBe(ends[1]);
  });

  it.each([0, 1, 127, 128, 2350, 2 ** 31, 2 ** 40])('tell their step, %i', (step) => {
    expect(stepOf(summaryEvent(step, [scalar('loss', 1)]))).toBe(step);
    expect(stepOf(restartedAt(step))).toBe(step);
    expect(stepOf(fileVersion())).toBe(0);
  });
});

describe('a histogram', () => {
  it('counts every value once, in thirty buckets from the least to the largest', () => {
    const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i) ** 3);
    const buckets = bucketsOf(values);
    expect(buckets).toHaveLength(30);
    expect([buckets[0]?.[0], buckets.at(-1)?.[1]]).toEqual([Math.min(...values), Math.max(...values)]);
    for (const [i, [left, right, count]] of buckets.entries()) {
      const inside = values.filter((value) => value >= left && (value < right || i === 29)).length;
      // A value on an edge may be rounded to either side.
      expect(Math.abs(count - inside)).toBeLessThanOrEqual(1);
    }
    expect(buckets.reduce((sum, [, , count]) => sum + count, 0)).toBe(1000);
  });

  it('of equal values is one bucket around them', () => {
    expect(bucketsOf([2, 2, 2])).toEqual([[1.5, 2.5, 3]]);
  });
});

const EPOCHS = 3;
/** Of 300 examples. */
const BATCHES = 5;
let data: SmallData;
beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 300, 100);
});

const filesIn = (folder: string) => readdirSync(inWork(folder)).filter((name) => name.includes('tfevents'));
const begin = (folder: string, norm = 'scratch', epochs = EPOCHS) => [
  ...[norm, '--run-dir', inWork(folder), '--tensorboard', '--epochs', `${epochs}`, '--batch-size', '64'],
  ...['--seed', '1', '--checkpoint-steps', '2', ...data.args],
];
const train = (args: string[]) => runProgram(args, { env: data.env, cwd: work });

/** Steps of all events of a run that tell of a tag, in the files' order. */
function stepsOf(folder: string, tag: string): number[] {
  return filesIn(folder)
    .sort()
    .flatMap((name) => {
      const steps: number[] = [];
      const content = readFileSync(inWork(`${folder}/${name}`));
      const end = lengthOfWanted(content, (event) => {
        if (event.includes(tag)) steps.push(stepOf(event));
        return true;
      });
      expect(end).toBe(content.length);
      return steps;
    });
}
const upTo = (count: number, by = 1) => Array.from({ length: count }, (_, i) => by * (i + 1));

describe.runIf(ALL)('a run with --tensorboard', () => {
  it('leaves each step and each epoch once, also where it is cut short, resumed and given more epochs', async () => {
    expect((await train(begin('cut', 'scratch', 2))).code).toBe(0);
    const [name = ''] = filesIn('cut');
    const file = inWork(`cut/${name}`);
    const { length } = readFileSync(file);
    appendFileSync(file, 'the beginning of a record');
    // The run goes on from the middle of the second epoch.
    rmSync(inWork('cut/checkpoint/epoch-3-batch-0.ckpt'));
    const more = ['scratch', '--resume', inWork('cut'), '--epochs', `${EPOCHS}`, ...data.args];
    expect((await train(more)).code).toBe(0);
    // Less than before: the result of two epochs is no longer the run's.
    expect(readFileSync(file).length).toBeLessThan(length);
    expect(filesIn('cut')).toHaveLength(2);
    expect(stepsOf('cut', 'step/loss')).toEqual(upTo(EPOCHS * BATCHES));
    expect(stepsOf('cut', 'epoch/test_accuracy_population')).toEqual(upTo(EPOCHS, BATCHES));
    expect(stepsOf('cut', 'batch_norm_4/moving_variance')).toEqual(upTo(EPOCHS, BATCHES));
    expect(stepsOf('cut', '_hparams_/session_end_info')).toEqual([EPOCHS * BATCHES]);
  });

  it('writes none without it, and where it is asked for later begins with the epochs before', async () => {
    const plain = begin('late', 'none', 1).filter((flag) => flag !== '--tensorboard');
    expect((await train(plain)).code).toBe(0);
    expect(filesIn('late')).toEqual([]);
    const more = ['none', '--resume', inWork('late'), '--epochs', '2', '--tensorboard', ...data.args];
    expect((await train(more)).code).toBe(0);
    expect(stepsOf('late', 'epoch/test_accuracy')).toEqual([BATCHES, 2 * BATCHES]);
    expect(stepsOf('late', 'step/loss')).toEqual(upTo(2 * BATCHES).slice(BATCHES));
    expect(stepsOf('late', 'population')).toEqual([]);
    expect(stepsOf('late', 'batch_norm')).toEqual([]);
  });
});

/** A Python with tensorboard. CI has one and names it; elsewhere this has nothing to say without it. */
const python = process.env['BN_TRAIN_TENSORBOARD'];

it.runIf(process.env['CI'])('CI has a Python with tensorboard', () => {
  expect(python, 'BN_TRAIN_TENSORBOARD: a Python with tensorboard').toBeTruthy();
});

interface Read {
  scalars: Record<string, [step: number, value: number][]>;
  histograms: Record<string, [step: number, rows: number[][]][]>;
  hparams: Record<string, unknown>;
}

describe.runIf(ALL && python)("TensorBoard's own reader", () => {
  async function read(folder: string): Promise<Read> {
    const script = path.join(import.meta.dirname, 'read_events.py');
    const { code, stdout, stderr } = await start(python ?? '', [script, inWork(folder)]).result;
    expect(code, stderr).toBe(0);
    const [run, ...others] = Object.values(JSON.parse(stdout) as Record<string, Read>);
    expect(others).toEqual([]);
    return run as Read;
  }

  /** Without what no two runs share. */
  const timeless = ({ scalars, ...rest }: Read) => {
    const kept = Object.entries(scalars).filter(([tag]) => !tag.endsWith('examples_per_second'));
    return { ...rest, scalars: Object.fromEntries(kept) };
  };

  const metricsOf = (folder: string) => {
    const [head = '', ...rows] = readFileSync(inWork(`${folder}/metrics.csv`), 'utf8')
      .trim()
      .split('\n');
    const names = head.split(',');
    return rows.map((row) => Object.fromEntries(row.split(',').map((value, i) => [names[i] ?? '', Number(value)])));
  };

  let whole: Read;
  beforeAll(async () => {
    expect((await train(begin('whole'))).code).toBe(0);
    whole = await read('whole');
  });

  it('finds what metrics.csv and inspect-gamma tell, and what was asked for', async () => {
    const rows = metricsOf('whole');
    const column = (name: string) => rows.map((row) => Math.fround(row[name] ?? NaN));
    const valuesOf = (tag: string) => whole.scalars[tag]?.map(([, value]) => value);
    expect(valuesOf('epoch/loss')).toEqual(column('loss'));
    expect(valuesOf('epoch/train_accuracy')).toEqual(column('trainAccuracy'));
    expect(valuesOf('epoch/test_accuracy')).toEqual(column('testAccuracy'));
    expect(valuesOf('epoch/test_accuracy_population')).toEqual(column('testAccuracyPopulation'));
    const losses = (valuesOf('step/loss') ?? []).slice(0, BATCHES);
    const mean = losses.reduce((sum, loss, i) => sum + loss * (i === 4 ? 300 - 256 : 64), 0) / 300;
    expect(mean).toBeCloseTo(rows[0]?.['loss'] ?? NaN, 5);
    expect(whole.hparams).toEqual({
      ...{ norm: 'scratch', learning_rate: 1, batch_size: 64, epochs: EPOCHS, seed: 1, momentum: 0.9, epsilon: 1e-5 },
      ...{ data: 'Fashion-MNIST', backend: 'native', device: 'cpu', mode: 'fused', status: 1 },
    });
    const inspect = ['inspect-gamma', inWork('whole'), '--layer', 'all', '--moving', '--json'];
    const layers = JSON.parse((await train(inspect)).stdout) as Record<string, number[]>[];
    for (const [i, layer] of layers.entries())
      for (const [name, own] of Object.entries({ gamma: 'gamma', moving_variance: 'movingVariance' })) {
        const [step, rows = []] = whole.histograms[`batch_norm_${i + 1}/${name}`]?.at(-1) ?? [];
        const values = layer[own] ?? [];
        expect(step).toBe(EPOCHS * BATCHES);
        expect(rows.reduce((sum, [, , count = 0]) => sum + count, 0)).toBe(values.length);
        expect([rows[0]?.[0], rows.at(-1)?.[1]]).toEqual([Math.min(...values), Math.max(...values)]);
      }
  });

  it.each(['wasm', 'js'])('finds those of the %s backend', async (backend) => {
    const tiny = await writeSmallData(inWork(`data-${backend}`), 64, 10);
    const args = ['builtin', '--run-dir', inWork(backend), '--backend', backend, '--tensorboard', ...tiny.args];
    const recipe = ['--epochs', '1', '--batch-size', '32', '--seed', '1'];
    expect((await runProgram([...args, ...recipe], { env: tiny.env })).code).toBe(0);
    const { scalars, histograms, hparams } = await read(backend);
    expect(scalars['step/loss']?.map(([step]) => step)).toEqual([1, 2]);
    expect(Object.keys(histograms)).toHaveLength(16);
    expect(hparams).toMatchObject({ norm: 'builtin', backend, mode: 'eager' });
  });

  it('finds the same of a run that is killed at any moment of writing, and resumed', { timeout: 600_000 }, async () => {
    const hook = path.join(root, 'test/support/killAtWrite.js');
    const KILLS = amount(8, 4);
    let killed = 0;
    for (let i = 0; i < KILLS; i++) {
      const folder = `killed-${i}`;
      // In the middle of content, and at moments all over the run.
      const kill =
        i % 2 === 0 ? { KILL_KIND: 'half', KILL_AT: `${4 + 2 * i}` } : { KILL_KIND: 'any', KILL_AT: `${20 + 13 * i}` };
      const env = { ...data.env, KILL_BELOW: inWork(folder), ...kill };
      const first = await start(process.execPath, ['--import', hook, program, ...begin(folder)], { env }).result;
      if (first.signal === 'SIGKILL') killed++;
      const isBegun = existsSync(inWork(`${folder}/config.json`));
      const again = isBegun ? ['scratch', '--resume', inWork(folder), ...data.args] : begin(folder);
      const { code, stderr } = await train(again);
      expect(code, stderr).toBe(0);
      expect(timeless(await read(folder)), JSON.stringify(kill)).toEqual(timeless(whole));
    }
    expect(killed).toBeGreaterThan(KILLS / 2);
  });

  it('finds the same of a run whose newest file was cut in the middle of a record', async () => {
    expect((await train(begin('short'))).code).toBe(0);
    const [name = ''] = filesIn('short');
    const file = inWork(`short/${name}`);
    truncateSync(file, readFileSync(file).length - 7);
    expect((await train(['scratch', '--resume', inWork('short'), ...data.args])).code).toBe(0);
    expect(timeless(await read('short'))).toEqual(timeless(whole));
  });
});

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshSummary, ratiosOf, speedOf } from '../../src/bench/figures.js';
import { measureInference } from '../../src/bench/inference.js';
import { measure, type Series } from '../../src/bench/measure.js';
import type { Program, Turn } from '../../src/bench/program.js';
import { summarize, summarizeRatios } from '../../src/bench/statistics.js';
import type { Progress } from '../../src/common/listener.js';
import { freshLines, headLines, ratioLines, speedLines } from '../../src/report/speedTable.js';

const turn = (seconds: number): Turn => ({
  steps: 4,
  examples: 1000,
  seconds,
  loss: 0.5,
  accuracy: 0.8,
  peakMemory: 500e6,
});

/** Writes down who ran; turn n of a contestant takes n times its seconds. */
function fake(program: string, seconds: Record<string, number>, log: string[] = []): Program {
  const ran: Record<string, number> = {};
  return {
    hello: { program, versions: { node: '20' }, threads: 2, contestants: Object.keys(seconds) },
    run: (name, steps) => {
      log.push(steps === 4 ? name : name.toUpperCase());
      ran[name] = (ran[name] ?? 0) + 1;
      return Promise.resolve(turn((seconds[name] ?? 0) * ran[name]));
    },
    close: () => Promise.resolve(),
  };
}

const all = (programs: Program[], turns: number): Promise<Series[]> => measure(programs, { steps: 4, turns });

describe('statistics', () => {
  it.each([
    { values: [3], summary: { median: 3, min: 3, max: 3 } },
    { values: [9, 1, 5], summary: { median: 5, min: 1, max: 9 } },
    { values: [10, 2, 4, 3], summary: { median: 3.5, min: 2, max: 10 } },
  ])('$values', ({ values, summary }) => expect(summarize(values)).toEqual(summary));

  it('do not depend on the order, nor change what they are given', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
        const before = [...values];
        expect(summarize([...values].reverse())).toEqual(summarize(values));
        expect(values).toEqual(before);
      }),
    );
  });

  it('a ratio is taken pair by pair', () => {
    expect(summarizeRatios([10, 20, 30], [5, 20, 10])).toEqual({ median: 2, min: 1, max: 3 });
  });
});

describe('measuring', () => {
  it('takes turns, moves the order on by one each turn, and leaves the first, longer turn out', async () => {
    const log: string[] = [];
    const programs = [fake('a', { x: 1, y: 1 }, log), fake('b', { z: 1 }, log)];
    const onTurn = (turn: number) => log.push(` ${turn}:`);
    const series = await measure(programs, { steps: 4, turns: 3, onTurn });
    expect(log.join('')).toBe(' 0:XYZ 1:yzx 2:zxy 3:xyz');
    expect(series).toEqual([
      { program: 'a', name: 'x', turns: [turn(2), turn(3), turn(4)] },
      { program: 'a', name: 'y', turns: [turn(2), turn(3), turn(4)] },
      { program: 'b', name: 'z', turns: [turn(2), turn(3), turn(4)] },
    ]);
  });

  it('does not mix up programs of one name', async () => {
    await expect(all([fake('a', { x: 1 }), fake('b', { x: 1 }), fake('a', { y: 1 })], 1)).rejects.toMatchObject({
      message: 'Cannot measure: expected programs of different names, got a twice',
      hint: 'leave one out',
    });
  });

  it('stops between two turns when it is told to', async () => {
    const controller = new AbortController();
    const log: string[] = [];
    const onTurn = (turn: number) => turn === 2 && controller.abort();
    const options = { steps: 4, turns: 9, signal: controller.signal, onTurn };
    await expect(measure([fake('a', { x: 1 }, log)], options)).rejects.toMatchObject({ name: 'AbortError' });
    expect(log.join('')).toBe('Xx');
  });
});

describe('figures and their lines', () => {
  const programs = [
    fake('bn-train', { 'scratch/eager': 0.1, 'builtin/eager': 0.2, 'none/eager': 0.05, 'none/slow': 0.4 }),
    fake('pytorch', { 'scratch/eager': 0.2, 'none/eager': 0.1 }),
  ];

  it('a speed is examples per second and milliseconds a step', async () => {
    const [scratch] = (await all(programs, 3)).map(speedOf);
    expect(scratch).toEqual({
      program: 'bn-train',
      name: 'scratch/eager',
      examplesPerSecond: { median: 1000 / (0.1 * 3), min: 1000 / (0.1 * 4), max: 1000 / (0.1 * 2) },
      millisecondsPerStep: { median: (0.1 * 3 * 1000) / 4, min: 50, max: 100 },
      turns: [1000 / (0.1 * 2), 1000 / (0.1 * 3), 1000 / (0.1 * 4)],
    });
    expect(speedLines(scratch ? [scratch] : [])).toEqual([
      '                        examples/sec                 ms a step',
      'bn-train scratch eager         3,333  [2,500–5,000]       75.0  [50.0–100.0]',
    ]);
  });

  it('have a line of their own below the label where the terminal is narrow', async () => {
    const series = await all(programs, 3);
    expect(speedLines(series.map(speedOf).slice(0, 1), 60)).toEqual([
      'bn-train scratch eager',
      '   examples/sec 1,429 [1,250–1,667]   ms a step 175.0 [150.0–200.0]',
    ]);
    expect(ratioLines(ratiosOf(series), 40).slice(0, 3)).toEqual([
      'examples/sec, divided turn by turn',
      'bn-train scratch eager / bn-train builtin eager',
      '   2.00 [2.00–2.00]',
    ]);
  });

  it('ratios hold scratch against all with batch normalization, none against all without', async () => {
    const series = await all(programs, 1);
    expect(ratioLines(ratiosOf(series))).toEqual([
      'examples/sec, divided turn by turn',
      'bn-train scratch eager / bn-train builtin eager  2.00  [2.00–2.00]',
      'bn-train scratch eager / pytorch scratch eager   2.00  [2.00–2.00]',
      'bn-train none eager / bn-train none slow         8.00  [8.00–8.00]',
      'bn-train none eager / pytorch none eager         2.00  [2.00–2.00]',
    ]);
    expect(ratioLines([])).toEqual([]);
  });

  it('fresh runs show memory, first step and what was learned', () => {
    const run = { firstStepSeconds: 1.2, peakMemory: 565e6, loss: 0.716, accuracy: 0.741 };
    const summary = freshSummary({ program: 'bn-train', name: 'scratch/eager' }, [
      run,
      { ...run, firstStepSeconds: 1.4 },
    ]);
    expect(freshLines([summary])[1]).toMatch(
      /^bn-train scratch eager +565 +\[565–565\] +1\.3 +\[1\.2–1\.4\] +0\.716 +0\.741$/,
    );
    expect(freshLines([])).toEqual([]);
  });

  it('the head names machine, versions and what was done', () => {
    const machine = { platform: 'linux-x64', cpu: 'a CPU', cores: 2, memory: 25e9 };
    const hellos = programs.map(({ hello }) => hello);
    expect(headLines(machine, hellos, { turns: 7, steps: 40, batchSize: 256 })).toEqual([
      'linux-x64, a CPU, 2 cores, 25.0 GB memory',
      'bn-train: node 20, 2 threads',
      'pytorch: node 20, 2 threads',
      'median [range] of 7 turns, each 40 steps of 256 examples',
    ]);
  });
});

it('the speed of two models is taken turn by turn, and each turn is told', async () => {
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
  const told: string[] = [];
  const listener = { progress: ({ label, figures = '' }: Progress) => told.push(`${label}: ${figures}`) };
  const { signal } = new AbortController();
  const speed = await measureInference(model, model, tf.ones([3, 2]), { turns: 2, seconds: 1e-4, signal, listener });
  expect([speed.images, speed.turns]).toEqual([3, 2]);
  expect(told).toEqual([0, 1, 2].map((turn) => `speed of 3 at once: turn ${turn} of 2`));
});

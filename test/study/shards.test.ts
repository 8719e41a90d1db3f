/** A part of a study is known by its number, whoever gives it, and parts are disjoint, whole and about equal. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseShard, spread } from '../../src/study/shards.js';

const slurm = (id: number, min: number, count: number, step?: number) => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_MIN: `${min}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  ...(step !== undefined && { SLURM_ARRAY_TASK_STEP: `${step}` }),
});

describe('a shard is read from', () => {
  it.each([
    { text: '1/1', env: {}, shard: '1/1' },
    { text: '3/4', env: {}, shard: '3/4' },
    { text: '3/4', env: slurm(1, 1, 9), shard: '3/4' },
    { text: 'auto', env: slurm(1, 1, 4, 1), shard: '1/4' },
    { text: 'auto', env: slurm(4, 1, 4), shard: '4/4' },
    { text: 'auto', env: slurm(0, 0, 4, 1), shard: '1/4' },
    { text: 'auto', env: slurm(14, 10, 3, 2), shard: '3/3' },
    { text: 'auto/4', env: slurm(3, 0, 4, 1), shard: '4/4' },
    { text: 'auto/4', env: slurm(2, 2, 1, 1), shard: '2/4' },
    { text: 'auto/8', env: { JOB_COMPLETION_INDEX: '0' }, shard: '1/8' },
    { text: 'auto/8', env: { JOB_COMPLETION_INDEX: '7', SLURM_ARRAY_TASK_ID: '' }, shard: '8/8' },
  ])('$text with $env', ({ text, env, shard }) => {
    const { number, count } = parseShard(text, env);
    expect(`${number}/${count}`).toBe(shard);
  });
});

describe('no shard, in words:', () => {
  const take = 'Cannot take a part of the study: expected --shard i/n with i from 1 to n, auto, or auto/n, got ';
  const tell = 'Cannot tell which part of the study this is: expected ';
  it.each([
    { text: '', env: {}, words: take },
    { text: '1', env: {}, words: `${take}1` },
    { text: '0/4', env: {}, words: `${take}0/4` },
    { text: '5/4', env: {}, words: `${take}5/4` },
    { text: '1/0', env: {}, words: `${take}1/0` },
    { text: '1/4/2', env: {}, words: `${take}1/4/2` },
    { text: '-1/4', env: {}, words: `${take}-1/4` },
    { text: '1.5/4', env: {}, words: `${take}1.5/4` },
    { text: '1/1e3', env: {}, words: `${take}1/1e3` },
    { text: '1/99999999999999999999', env: {}, words: take },
    { text: 'auto/4', env: { JOB_COMPLETION_INDEX: '4' }, words: `${take}auto/4, which is 5/4 here` },
    { text: 'auto/4', env: slurm(9, 9, 1), words: `${take}auto/4, which is 9/4 here` },
    {
      text: 'auto',
      env: {},
      words: `${tell}SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX to be set, got neither`,
      hint: 'name it: --shard 1/4',
    },
    {
      text: 'auto',
      env: { JOB_COMPLETION_INDEX: '2' },
      words: `${tell}how many parts there are, got JOB_COMPLETION_INDEX=2 alone`,
      hint: '--shard auto/4, where 4 stands for the completions of the job',
    },
    {
      text: 'auto',
      env: slurm(7, 1, 3, 1),
      words: `${tell}an array of Slurm's with equal steps, as --array=1-4, got task 7 of 3 from 1 in steps of 1`,
      hint: 'with the number of parts, tasks are known by their numbers from 1: --shard auto/4',
    },
  ])('$text with $env', ({ text, env, words, hint = 'the first of four parts: --shard 1/4' }) => {
    const error = (() => {
      try {
        return parseShard(text, env);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ message: expect.stringContaining(words) as string, hint, exitCode: 2 });
  });
});

it('parts are disjoint and whole, and none has more than the longest item above the least', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 })), fc.integer({ min: 1, max: 12 }), (costs, count) => {
      const items = costs.map((cost, i) => ({ cost, i }));
      const parts = spread(items, count, ({ cost }) => cost);
      expect(parts).toHaveLength(count);
      expect(parts.flat().sort((a, b) => a.i - b.i)).toEqual(items);
      const sums = parts.map((part) => part.reduce((sum, { cost }) => sum + cost, 0));
      expect(Math.max(...sums) - Math.min(...sums)).toBeLessThanOrEqual(Math.max(0, ...costs));
      for (const part of parts) expect(part).toEqual([...part].sort((a, b) => b.cost - a.cost));
    }),
  );
});

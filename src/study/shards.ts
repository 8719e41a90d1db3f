/** Which part of a study a process computes, in its user's words or in those of the engine that started it. */
import { cannot, EXIT } from '../common/errors.js';

/** The `number`th of `count`, from 1. */
export interface Shard {
  number: number;
  count: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `i/n`, `auto` or `auto/n`. Slurm's and Kubernetes' own variables tell a task of an array its number. Throws a
 * BnTrainError of usage for anything else, and where they do not tell.
 */
export function parseShard(text: string, env: Environment = process.env): Shard {
  const [, word, count] = /^(\d+|auto)(?:\/(\d+))?$/.exec(text) ?? [];
  if (word === undefined || (word !== 'auto' && count === undefined)) throw noShard(text);
  const among = count === undefined ? undefined : Number(count);
  const shard = word === 'auto' ? shardOf(env, among) : { number: Number(word), count: Number(count) };
  if (shard.number >= 1 && shard.number <= shard.count && Number.isSafeInteger(shard.count)) return shard;
  throw noShard(word === 'auto' ? `${text}, which is ${shard.number}/${shard.count} here` : text);
}

function noShard(got: string) {
  return cannot('take a part of the study', {
    expected: '--shard i/n with i from 1 to n, auto, or auto/n',
    got,
    hint: 'the first of four parts: --shard 1/4',
    exitCode: EXIT.usage,
  });
}

function shardOf(env: Environment, among: number | undefined): Shard {
  if ((env['SLURM_ARRAY_TASK_ID'] ?? '') !== '') return slurmShard(env, among);
  // Kubernetes counts from 0, and tells no task how many there are.
  const index = wholeIn(env, 'JOB_COMPLETION_INDEX');
  if (index !== undefined && among !== undefined) return { number: index + 1, count: among };
  throw cannot('tell which part of the study this is', {
    expected:
      index === undefined ? 'SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX to be set' : 'how many parts there are',
    got: index === undefined ? 'neither' : `JOB_COMPLETION_INDEX=${index} alone`,
    hint:
      index === undefined ? 'name it: --shard 1/4' : '--shard auto/4, where 4 stands for the completions of the job',
    exitCode: EXIT.usage,
  });
}

/**
 * An array may start anywhere, in steps. One that has fewer tasks than there are parts was started again for some of
 * them, by their numbers from 1.
 */
function slurmShard(env: Environment, among: number | undefined): Shard {
  const [id = NaN, first = NaN] = ['ID', 'MIN'].map((name) => wholeIn(env, `SLURM_ARRAY_TASK_${name}`));
  const [count = NaN, step = 1] = ['COUNT', 'STEP'].map((name) => wholeIn(env, `SLURM_ARRAY_TASK_${name}`));
  if (among !== undefined && among !== count) return { number: id, count: among };
  const number = (id - first) / step + 1;
  if (Number.isSafeInteger(number) && number <= count) return { number, count };
  throw cannot('tell which part of the study this is', {
    expected: "an array of Slurm's with equal steps, as --array=1-4",
    got: `task ${id} of ${count} from ${first} in steps of ${step}`,
    hint: 'with the number of parts, tasks are known by their numbers from 1: --shard auto/4',
    exitCode: EXIT.usage,
  });
}

function wholeIn(env: Environment, name: string): number | undefined {
  const text = env[name] ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Items in the order in which they are best begun: those that take longest first, so that no lane ends long after the others. */
export function longestFirst<T>(items: readonly T[], costOf: (item: T) => number): T[] {
  return [...items].sort((a, b) => costOf(b) - costOf(a));
}

/** Items spread over `count` parts of about equal cost, the longest first, each to the part that has least. */
export function spread<T>(items: readonly T[], count: number, costOf: (item: T) => number): T[][] {
  const parts = Array.from({ length: Math.min(count, items.length) }, () => ({ items: [] as T[], cost: 0 }));
  for (const item of longestFirst(items, costOf)) {
    const least = parts.reduce((a, b) => (b.cost < a.cost ? b : a));
    least.items.push(item);
    least.cost += costOf(item);
  }
  return Array.from({ length: count }, (_, i) => parts[i]?.items ?? []);
}

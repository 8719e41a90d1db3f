/** The config.json of a run: every option, the seed, versions and the machine, checked when read back. */
import * as path from 'node:path';
import { cannot, messageOf, shown } from '../common/errors.js';
import { codeOf, JSON_LIMIT, readBounded } from '../common/files.js';
import type { Machine } from '../common/machine.js';
import type { Norm } from '../nn/lenet.js';
import { parseObject } from '../common/shape.js';

/** The generators take 32 bits; a larger seed would be another one's twin. */
export const LARGEST_SEED = 2 ** 31 - 1;

/** The options that decide what a run computes. */
export interface RunOptions {
  norm: Norm;
  learningRate: number;
  epochs: number;
  batchSize: number;
  seed: number;
  momentum: number;
  epsilon: number;
  /** A checkpoint after each so many batches of an epoch, besides that of each epoch. */
  checkpointSteps?: number | undefined;
  /** Steps that one call into TensorFlow takes; what they compute does not depend on it. */
  stepsPerCall?: number | undefined;
  /** Whether XLA compiled the graphs, whose last bits differ then. */
  xla?: boolean | undefined;
  /** On a GPU, the same bits from the same seed every time. */
  deterministic?: boolean | undefined;
}

export interface RunConfig extends RunOptions {
  backend: string;
  device: string;
  mode: 'eager' | 'graph';
  versions: Record<string, string>;
  machine: Machine & { gpu?: string };
  /** ISO 8601, UTC. */
  started: string;
}

type Check = [expected: string, holds: (value: unknown) => boolean];
const whole = (least: number, most?: number): Check => [
  `a whole number from ${least}${most === undefined ? '' : ` to ${most}`}`,
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= (most ?? Number.MAX_SAFE_INTEGER),
];
const numberThat = (expected: string, holds: (value: number) => boolean): Check => [
  expected,
  (value) => typeof value === 'number' && Number.isFinite(value) && holds(value),
];
const isText = (value: unknown) => typeof value === 'string';
const text: Check = ['text', isText];
const optional = ([expected, holds]: Check): Check => [expected, (value) => value === undefined || holds(value)];
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a value of config.json must be; the ranges are those of the command's flags. */
const CHECKS: Record<string, Check> = {
  norm: ['scratch, builtin or none', (value) => ['scratch', 'builtin', 'none'].includes(value as string)],
  learningRate: numberThat('a number above 0', (value) => value > 0),
  epochs: whole(1),
  batchSize: whole(1),
  seed: whole(0, LARGEST_SEED),
  momentum: numberThat('a number from 0 to 1', (value) => value >= 0 && value <= 1),
  epsilon: numberThat('a number above 0', (value) => value > 0),
  checkpointSteps: optional(whole(1)),
  stepsPerCall: optional(whole(1)),
  xla: optional(['true or false', (value) => typeof value === 'boolean']),
  deterministic: optional(['true or false', (value) => typeof value === 'boolean']),
  backend: ['native, wasm or js', (value) => ['native', 'wasm', 'js'].includes(value as string)],
  device: ['cpu or cuda[:N]', (value) => typeof value === 'string' && /^(cpu|cuda(:\d+)?)$/.test(value)],
  mode: ['eager or graph', (value) => value === 'eager' || value === 'graph'],
  started: text,
  versions: ['texts by name', (value) => isRecord(value) && Object.values(value).every(isText)],
  machine: [
    'platform and cpu as text, cores and memory as numbers',
    (value) =>
      isRecord(value) &&
      [value['platform'], value['cpu']].every(isText) &&
      [value['cores'], value['memory']].every(Number.isFinite),
  ],
};

/** Reads a run's config.json. Throws a BnTrainError for a missing run and for a value that is not what it should be. */
export async function readConfig(folder: string): Promise<RunConfig> {
  const file = path.join(folder, 'config.json');
  const content = await readBounded(file, JSON_LIMIT).catch((error: unknown) => {
    throw cannot(`read the run ${folder}`, {
      expected: 'a run folder with a config.json',
      got: codeOf(error) === 'ENOENT' ? 'none' : messageOf(error),
      hint: 'name a folder below ./runs, or train one: bn-train scratch',
      cause: error,
    });
  });
  return parseConfig(content.toString(), file);
}

/** The checked content of a config.json; `file` names it in messages. */
export function parseConfig(content: string, file: string): RunConfig {
  const config = parseObject(content, file);
  for (const [name, [expected, holds]] of Object.entries(CHECKS))
    if (!holds(config[name]))
      throw cannot(`read ${file}`, {
        expected: `${name} to be ${expected}`,
        got: name in config ? shown(config[name]) : 'nothing',
      });
  return config as unknown as RunConfig;
}

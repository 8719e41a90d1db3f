/** The config.json of a run: every option, the seed, versions and the machine, checked when read back. */
import * as path from 'node:path';
import * as v from 'valibot';
import { BACKENDS } from '../common/backends.js';
import { cannot, EXIT } from '../common/errors.js';
import { codeOf, describeFileError, JSON_LIMIT, readBounded } from '../common/files.js';
import {
  aboveZero,
  knownMachine,
  numberThat,
  oneOf,
  parseShaped,
  text,
  textsByName,
  whole,
  yesOrNo,
} from '../common/shape.js';
import { toType } from '../common/invocation.js';
import type { Norm } from '../nn/lenet.js';
import { MODES } from '../train/step.js';
import { LARGEST_SEED } from './seed.js';

/** The options that decide what a run computes; the ranges are those of the command's flags. */
const OPTIONS = v.object({
  norm: oneOf<Norm>('scratch, builtin or none', ['scratch', 'builtin', 'none']),
  learningRate: aboveZero,
  epochs: whole(1),
  batchSize: whole(1),
  seed: whole(0, LARGEST_SEED),
  momentum: numberThat('a number from 0 to 1', (value) => value >= 0 && value <= 1),
  epsilon: aboveZero,
  // A checkpoint after each so many batches of an epoch, besides that of each epoch.
  checkpointSteps: v.optional(whole(1)),
  // Steps that one call into TensorFlow takes, if they were asked for; what they compute does not depend on it.
  stepsPerCall: v.optional(whole(1)),
  // Whether XLA compiled the graphs, whose last bits differ then.
  xla: v.optional(yesOrNo),
  // Whether population statistics are taken, if that was asked for; without batch normalization there are none.
  population: v.optional(yesOrNo),
  // Whether TensorBoard's event files are written, too.
  tensorboard: v.optional(yesOrNo),
  // On a GPU, the same bits from the same seed every time.
  deterministic: v.optional(yesOrNo),
});
export type RunOptions = v.InferOutput<typeof OPTIONS>;

/** What tells one data set from another. */
const DATA = v.object({ name: text(), sha256: text('a SHA-256', /^[0-9a-f]{64}$/) }, 'name and sha256');
export type RunData = v.InferOutput<typeof DATA>;

/** Where a run, or a part of it, was computed. */
const PLACE = v.object({
  // The generated code of fused steps: a hash of all that it was made from, and the compiler.
  kernels: v.optional(v.object({ hash: text(), compiler: text() }, 'hash and compiler')),
  device: text('cpu or cuda[:N]', /^(cpu|cuda(:\d+)?)$/),
  versions: textsByName,
  machine: knownMachine,
});
export type Place = v.InferOutput<typeof PLACE>;

export const CONFIG = v.object({
  ...OPTIONS.entries,
  // Of the model's logits and images. Runs from before they were kept have 10, 28 and 28.
  classes: v.optional(whole(2)),
  height: v.optional(whole(1)),
  width: v.optional(whole(1)),
  // What it is trained on; runs from before it was kept are Fashion-MNIST's.
  data: v.optional(DATA),
  backend: oneOf(`${BACKENDS.slice(0, -1).join(', ')} or ${BACKENDS.at(-1) ?? ''}`, BACKENDS),
  mode: oneOf('fused, graph or eager', MODES),
  // ISO 8601, UTC.
  started: text(),
  ...PLACE.entries,
  // Where it is a copy of another run, with statistics of so many training images in its layers, and where they were taken.
  recalibrated: v.optional(
    v.object(
      { ...PLACE.entries, from: text(), images: whole(1), backend: oneOf('a backend', BACKENDS), at: text() },
      'from, images, a place and a time',
    ),
  ),
  // Each other place where it went on, and when; the last is where it is now.
  resumed: v.optional(v.array(v.object({ ...PLACE.entries, at: text() }, 'a place'), 'a list of places')),
});
export type RunConfig = v.InferOutput<typeof CONFIG>;

/** Reads a run's config.json. Throws a BnTrainError for a missing run and for a value that is not what it should be. */
export async function readConfig(folder: string): Promise<RunConfig> {
  const file = path.join(folder, 'config.json');
  const content = await readBounded(file, JSON_LIMIT).catch((error: unknown) => {
    throw cannot(`read the run ${folder}`, {
      expected: 'a run folder with a config.json',
      got: codeOf(error) === 'ENOENT' ? 'none' : describeFileError(error),
      hint: `name a folder below ./runs, or train one: ${toType('scratch')}`,
      cause: error,
    });
  });
  return parseConfig(content.toString(), file);
}

/** The checked content of a config.json; `file` names it in messages. */
export function parseConfig(content: string, file: string): RunConfig {
  return parseShaped(CONFIG, content, file);
}

/** Throws a BnTrainError of usage unless the data are those that the run began with. */
export function assertOwnData(folder: string, { data: own }: Pick<RunConfig, 'data'>, data: RunData): void {
  if (own ? own.sha256 === data.sha256 : data.name === 'Fashion-MNIST') return;
  const told = ({ name, sha256 }: RunData) => `${name} (SHA-256 ${sha256.slice(0, 12)}…)`;
  throw cannot(`use the run ${folder}`, {
    expected: `the data it began with, ${own ? told(own) : 'Fashion-MNIST'}`,
    got: told(data),
    hint: own?.name === 'Fashion-MNIST' || !own ? 'leave out --data-dir' : 'name its folder: --any-data --data-dir DIR',
    exitCode: EXIT.usage,
  });
}

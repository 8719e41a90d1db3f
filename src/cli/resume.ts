/** A run to go on with: its own options, which no flag may contradict, and where it stands. */
import { readdir } from 'node:fs/promises';
import { type BnTrainError, cannot, EXIT } from '../common/errors.js';
import type { Norm } from '../nn/lenet.js';
import type { Listener } from '../common/listener.js';
import { quoted, toType } from '../common/invocation.js';
import { assertBatchSize, type Checkpoint } from '../run/checkpoint.js';
import { readNewestCheckpoint } from '../run/checkpoints.js';
import { type Place, readConfig, type RunConfig } from '../run/config.js';
import { isLeftover } from '../run/folder.js';
import { LAST_BITS } from '../run/recordedRun.js';
import { wholeName } from '../runtime/choose.js';
import { MANY } from '../train/step.js';
import type { TrainFlags } from './options.js';

export interface Resumed {
  config: RunConfig;
  /** Where it was last, or where the user wants it to go on. */
  device: string;
  /** Undefined where the run was killed before its first one: it begins again from its seed. */
  checkpoint: Checkpoint | undefined;
  /** Its config.json with the place where it goes on, and a line for the user if that is not where it was last. */
  goingOnAt: (now: Place) => { config: RunConfig; change?: string };
}

/** Throws a BnTrainError unless the folder holds a run of this norm. */
export async function assertRun(folder: string, norm: Norm): Promise<void> {
  // Where it cannot be listed, reading its config.json says why.
  const names = await readdir(folder).catch(() => undefined);
  if (names?.every(isLeftover))
    throw cannot(`resume ${folder}`, {
      expected: 'a run',
      got: 'a folder without one: it was stopped before it began',
      hint: `begin it again, with the flags it had: ${toType(`${norm} --run-dir ${quoted(folder)}`)}`,
    });
  const config = await readConfig(folder);
  if (config.recalibrated)
    throw cannot(`resume ${folder}`, {
      expected: 'a run that was trained there',
      got: `one that was recalibrated, from ${config.recalibrated.from}`,
      hint: `go on with that: ${toType(`${config.norm} --resume ${quoted(config.recalibrated.from)}`)}`,
      exitCode: EXIT.usage,
    });
  if (config.norm !== norm)
    throw cannot(`resume ${folder}`, {
      expected: `${config.norm}, the command that it began with`,
      got: norm,
      hint: toType(`${config.norm} --resume ${quoted(folder)}`),
      exitCode: EXIT.usage,
    });
}

/** Reads the run and says where it goes on. Throws a BnTrainError for a flag that contradicts it. */
export async function readRun(
  folder: string,
  flags: TrainFlags,
  { notice }: Pick<Listener, 'notice'>,
): Promise<Resumed> {
  const own = await readConfig(folder);
  assertNoContradiction(folder, own, flags);
  const config = {
    ...own,
    epochs: flags.epochs ?? own.epochs,
    checkpointSteps: flags.checkpointSteps ?? own.checkpointSteps,
    population: flags.population === false ? false : own.population,
    stepsPerCall: flags.stepsPerCall ?? askedSteps(own),
    tensorboard: flags.tensorboard ?? own.tensorboard,
  };
  const checkpoint = await readNewestCheckpoint(folder, notice);
  if (checkpoint) assertBatchSize(checkpoint.position, own.batchSize, folder);
  notice(whereItStands(folder, config, checkpoint));
  // On another device where its own is not to be had.
  const device = flags.device === 'auto' ? lastPlace(own).device : flags.device;
  return { config, device, checkpoint, goingOnAt: (now) => goingOnAt(now, config) };
}

const lastPlace = (config: RunConfig): Place => config.resumed?.at(-1) ?? config;

/**
 * Steps a call that were asked for when the run began. Earlier versions wrote down what was their default there as well,
 * which is no wish: where the run goes on, that device's default holds.
 */
function askedSteps({ device, mode, stepsPerCall }: RunConfig): number | undefined {
  const byDefault = mode !== 'eager' && device !== 'cpu' ? MANY : 1;
  return stepsPerCall === byDefault ? undefined : stepsPerCall;
}

function goingOnAt({ device, versions, machine }: Place, config: RunConfig): ReturnType<Resumed['goingOnAt']> {
  const { kernels } = lastPlace(config);
  const place = { at: new Date().toISOString(), device, versions, machine, kernels };
  const change = describeChange(lastPlace(config), place);
  return change === undefined
    ? { config }
    : { config: { ...config, resumed: [...(config.resumed ?? []), place] }, change };
}

/** What a run computes is decided when it begins; only its epochs may become more. */
export function assertNoContradiction(folder: string, own: RunConfig, flags: TrainFlags): void {
  const { xla = false, deterministic = false, mode, backend } = own;
  const values: [flag: string, own: string | number, given: string | number | undefined][] = [
    ['--run-dir', folder, flags.runDir],
    ['--lr', own.learningRate, flags.lr],
    ['--batch-size', own.batchSize, flags.batchSize],
    ['--seed', own.seed, flags.seed],
    ['--momentum', own.momentum, flags.momentum],
    ['--epsilon', own.epsilon, flags.epsilon],
    ['--backend', backend, flags.backend === 'auto' ? undefined : flags.backend],
  ];
  for (const [flag, before, given] of values)
    if (given !== undefined && given !== before)
      throw contradiction(folder, `${flag} ${before}, with which it began`, `${flag} ${given}`, flag);
  const switches: [flag: string, own: boolean, given: boolean | undefined][] = [
    ['--xla', xla, flags.xla],
    ['--deterministic', deterministic, flags.deterministic],
    ['--eager', mode === 'eager', flags.eager],
    ['--no-fuse', mode !== 'fused', !flags.fuse],
  ];
  for (const [flag, before, given] of switches)
    if (given && !before) throw contradiction(folder, `no ${flag}, without which it began`, flag, flag);
  const { epochs = own.epochs } = flags;
  if (epochs < own.epochs)
    throw contradiction(
      folder,
      `--epochs ${own.epochs} or more, with which it began`,
      `--epochs ${epochs}`,
      '--epochs',
    );
}

export function contradiction(folder: string, expected: string, got: string, flag: string): BnTrainError {
  return cannot(`resume ${folder}`, { expected, got, hint: `leave out ${flag}`, exitCode: EXIT.usage });
}

/** What is another machine or other software than before, in a line, if anything is. */
function describeChange(before: Place, now: Place): string | undefined {
  const facts = ({ device, versions, machine }: Place): [string, unknown][] => [
    ['device', wholeName(device)],
    ['bn-train', versions['bn-train']],
    ['commit', versions['commit']],
    ['TensorFlow', versions['tensorflow']],
    ['CPU', machine.cpu],
    ['cores', machine.cores],
    ['GPU', machine.gpu ?? 'none'],
  ];
  const after = new Map(facts(now));
  // What was not known then, or is not now, is no change.
  const changed = facts(before)
    .filter(([name, value]) => value !== undefined && ![undefined, value].includes(after.get(name)))
    .map(([name, value]) => `${name} ${String(value)} then, ${String(after.get(name))} now`);
  if (changed.length === 0) return undefined;
  return `${changed.join('; ')}: ${LAST_BITS}`;
}

function whereItStands(folder: string, { norm, epochs }: RunConfig, checkpoint: Checkpoint | undefined): string {
  if (!checkpoint) return `${folder} has no checkpoint yet; it begins again from its seed`;
  const { epoch, batch } = checkpoint.position;
  if (epoch > epochs)
    return (
      `all ${epochs} epochs of ${folder} are trained; its result is measured again. ` +
      `To train on: ${toType(`${norm} --resume ${quoted(folder)} --epochs ${2 * epochs}`)}`
    );
  return `going on with epoch ${epoch} of ${epochs}${batch > 0 ? ` after ${batch} batches` : ''}`;
}

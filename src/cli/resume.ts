/** A run to go on with: its own options, which no flag may contradict, and where it stands. */
import { readdir } from 'node:fs/promises';
import { type BnTrainError, cannot, EXIT } from '../common/errors.js';
import type { Norm } from '../nn/lenet.js';
import type { Listener } from '../common/listener.js';
import type { Checkpoint } from '../run/checkpoint.js';
import { readNewestCheckpoint } from '../run/checkpoints.js';
import { readConfig, type RunConfig } from '../run/config.js';
import { isLeftover } from '../run/hold.js';
import { assertBatchSize } from '../run/progressed.js';
import { wholeName } from '../runtime/choose.js';
import type { TrainFlags } from './options.js';

export interface Resumed {
  config: RunConfig;
  /** Undefined where the run was killed before its first one: it begins again from its seed. */
  checkpoint: Checkpoint | undefined;
  /** A line for the user if this is not the machine or the software that the run began with. */
  changeTo: (now: RunConfig) => string | undefined;
}

/** Throws a BnTrainError unless the folder holds a run of this norm. */
export async function assertRun(folder: string, norm: Norm): Promise<void> {
  // Where it cannot be listed, reading its config.json says why.
  const names = await readdir(folder).catch(() => undefined);
  if (names?.every(isLeftover))
    throw cannot(`resume ${folder}`, {
      expected: 'a run',
      got: 'a folder without one: it was stopped before it began',
      hint: `begin it again: bn-train ${norm} --run-dir '${folder}', with the flags it had`,
    });
  const config = await readConfig(folder);
  if (config.norm !== norm) throw contradiction(folder, 'command', config.norm, norm);
}

/** Flags that decide what a run computes, and the options they set. */
const DECIDING = {
  lr: 'learningRate',
  batchSize: 'batchSize',
  seed: 'seed',
  momentum: 'momentum',
  epsilon: 'epsilon',
  xla: 'xla',
  deterministic: 'deterministic',
} as const;

/** Reads the run and says where it goes on. Throws a BnTrainError for a flag that contradicts it. */
export async function readRun(
  folder: string,
  flags: TrainFlags,
  given: (flag: string) => boolean,
  { notice }: Pick<Listener, 'notice'>,
): Promise<Resumed> {
  const own = await readConfig(folder);
  assertNoContradiction(folder, { xla: false, ...own }, flags, given);
  const config = {
    ...own,
    // On another device where its own is not to be had.
    device: flags.device === 'auto' ? own.device : wholeName(flags.device),
    epochs: given('epochs') ? flags.epochs : own.epochs,
    checkpointSteps: flags.checkpointSteps ?? own.checkpointSteps,
    stepsPerCall: flags.stepsPerCall ?? own.stepsPerCall,
  };
  const checkpoint = await readNewestCheckpoint(folder, notice);
  if (checkpoint) assertBatchSize(checkpoint.position, own.batchSize, folder);
  notice(whereItStands(folder, config, checkpoint));
  if (config.device !== own.device) notice(changeLine([`device ${own.device} then, ${config.device} now`]));
  return { config, checkpoint, changeTo: (now) => describeChange(config, now) };
}

function assertNoContradiction(
  folder: string,
  own: RunConfig,
  flags: TrainFlags,
  given: (flag: string) => boolean,
): void {
  if (flags.runDir !== undefined) throw contradiction(folder, 'folder', folder, `--run-dir ${flags.runDir}`);
  for (const [flag, option] of Object.entries(DECIDING)) {
    const value = flags[flag as keyof typeof DECIDING];
    const before = own[option] ?? false;
    if (given(flag) && value !== before) throw contradiction(folder, option, before, value);
  }
  if (flags.backend !== 'auto' && flags.backend !== own.backend)
    throw contradiction(folder, 'backend', own.backend, flags.backend);
  if (flags.eager && own.mode !== 'eager') throw contradiction(folder, 'mode', own.mode, 'eager');
  if (given('epochs') && flags.epochs < own.epochs)
    throw contradiction(folder, 'number of epochs, at least', own.epochs, flags.epochs);
}

function contradiction(folder: string, what: string, own: unknown, got: unknown): BnTrainError {
  return cannot(`resume ${folder}`, {
    expected: `the run's own ${what} ${String(own)}`,
    got: String(got),
    hint: 'leave it out',
    exitCode: EXIT.usage,
  });
}

/** What is another machine or other software than the run began with, in a line, if anything is. */
export function describeChange(began: RunConfig, now: RunConfig): string | undefined {
  const facts = ({ versions, machine }: RunConfig): [string, unknown][] => [
    ['bn-train', versions['bn-train']],
    ['TensorFlow', versions['tensorflow']],
    ['CPU', machine.cpu],
    ['cores', machine.cores],
    ['GPU', machine.gpu ?? 'none'],
  ];
  const after = new Map(facts(now));
  const changed = facts(began)
    .filter(([name, before]) => after.get(name) !== before)
    .map(([name, before]) => `${name} ${String(before)} then, ${String(after.get(name))} now`);
  return changed.length === 0 ? undefined : changeLine(changed);
}

function changeLine(changed: string[]): string {
  return `${changed.join('; ')}: its last bits may differ from those of a run that was never stopped`;
}

function whereItStands(folder: string, { norm, epochs }: RunConfig, checkpoint: Checkpoint | undefined): string {
  if (!checkpoint) return `${folder} has no checkpoint yet; it begins again from its seed`;
  const { epoch, batch } = checkpoint.position;
  if (epoch > epochs)
    return (
      `all ${epochs} epochs of ${folder} are trained; its result is measured again. ` +
      `To train on: bn-train ${norm} --resume '${folder}' --epochs ${2 * epochs}`
    );
  return `going on with epoch ${epoch} of ${epochs}${batch > 0 ? ` after ${batch} batches` : ''}`;
}

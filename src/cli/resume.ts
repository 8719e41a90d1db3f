/** A run to go on with: its own options, which no flag may contradict, and where it stands. */
import { readdir } from 'node:fs/promises';
import { type BnTrainError, cannot, EXIT } from '../common/errors.js';
import type { Norm } from '../nn/lenet.js';
import type { Listener } from '../common/listener.js';
import { assertBatchSize, type Checkpoint } from '../run/checkpoint.js';
import { readNewestCheckpoint } from '../run/checkpoints.js';
import { readConfig, type RunConfig } from '../run/config.js';
import { isLeftover } from '../run/folder.js';
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
    // On another device where its own is not to be had.
    device: flags.device === 'auto' ? own.device : wholeName(flags.device),
    epochs: flags.epochs ?? own.epochs,
    checkpointSteps: flags.checkpointSteps ?? own.checkpointSteps,
    stepsPerCall: flags.stepsPerCall ?? own.stepsPerCall,
  };
  const checkpoint = await readNewestCheckpoint(folder, notice);
  if (checkpoint) assertBatchSize(checkpoint.position, own.batchSize, folder);
  notice(whereItStands(folder, config, checkpoint));
  if (config.device !== own.device) notice(changeLine([`device ${own.device} then, ${config.device} now`]));
  return { config, checkpoint, changeTo: (now) => describeChange(config, now) };
}

/** What a run computes is decided when it begins; only its epochs may become more. */
function assertNoContradiction(folder: string, own: RunConfig, flags: TrainFlags): void {
  const { xla = false, deterministic = false, mode, backend } = own;
  const pairs: [what: string, own: unknown, given: unknown][] = [
    ['folder', folder, flags.runDir === undefined ? undefined : `--run-dir ${flags.runDir}`],
    ['learningRate', own.learningRate, flags.lr],
    ['batchSize', own.batchSize, flags.batchSize],
    ['seed', own.seed, flags.seed],
    ['momentum', own.momentum, flags.momentum],
    ['epsilon', own.epsilon, flags.epsilon],
    ['xla', xla, flags.xla],
    ['deterministic', deterministic, flags.deterministic],
    ['backend', backend, flags.backend === 'auto' ? undefined : flags.backend],
    ['mode', mode, flags.eager ? 'eager' : undefined],
  ];
  for (const [what, before, given] of pairs)
    if (given !== undefined && given !== before) throw contradiction(folder, what, before, given);
  if ((flags.epochs ?? own.epochs) < own.epochs)
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

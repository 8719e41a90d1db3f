/** The checkpoints of a run folder: the last ones, each written whole or not at all, to go on from or to look at. */
import { readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { type BnTrainError, cannot, messageOf } from '../common/errors.js';
import { codeOf, describeFileError, makeFolder, readBounded, writeFileAtomic } from '../common/files.js';
import { quoted } from '../common/invocation.js';
import { lenet, type LenetConfig } from '../nn/lenet.js';
import type { Position, Progressed } from '../train/events.js';
import { type Checkpoint, encodeCheckpoint, parseCheckpoint, restoreWeights } from './checkpoint.js';

const KEPT = 2;

/** The most bytes that a checkpoint may have; LeNet's have 184 kB. */
export const SIZE_LIMIT = 2 ** 26;

const folderOf = (runFolder: string) => path.join(runFolder, 'checkpoint');

/** "epoch-3-batch-40.ckpt": where the run goes on from it. */
function nameOf({ epoch, batch }: Pick<Position, 'epoch' | 'batch'>): string {
  return `epoch-${epoch}-batch-${batch}.ckpt`;
}

/** Whether its weights are those that an epoch ended with. */
function isOfEpoch(name: string): boolean {
  return /^epoch-(?!1-)\d+-batch-0\.ckpt$/.test(name);
}

/** Names of a run's checkpoints, the furthest last. */
async function listNames(runFolder: string): Promise<string[]> {
  const names = await readdir(folderOf(runFolder)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw cannot(`read the checkpoints of ${runFolder}`, {
      expected: 'a folder of them',
      got: describeFileError(error),
      cause: error,
    });
  });
  const positions = names.flatMap((name) => {
    const [, epoch, batch] = /^epoch-(\d+)-batch-(\d+)\.ckpt$/.exec(name) ?? [];
    return epoch === undefined ? [] : [{ epoch: Number(epoch), batch: Number(batch) }];
  });
  return positions.sort((a, b) => a.epoch - b.epoch || a.batch - b.batch).map(nameOf);
}

async function read(runFolder: string, name: string): Promise<Checkpoint> {
  const file = path.join(folderOf(runFolder), name);
  const content = await readBounded(file, SIZE_LIMIT).catch((error: unknown) => {
    throw cannot(`read ${file}`, { expected: 'a checkpoint', got: describeFileError(error), cause: error });
  });
  return parseCheckpoint(content, file);
}

/**
 * The newest checkpoint that is whole, or undefined for a run that has none yet; `onDamaged` is told of those passed over.
 * Throws a BnTrainError where there are some and none is whole.
 */
export async function readNewestCheckpoint(
  runFolder: string,
  onDamaged: (line: string) => void,
): Promise<Checkpoint | undefined> {
  const names = await listNames(runFolder);
  for (const name of names.toReversed()) {
    try {
      return await read(runFolder, name);
    } catch (error) {
      onDamaged(`passing over a damaged checkpoint (${messageOf(error)})`);
    }
  }
  if (names.length === 0) return undefined;
  throw cannot(`resume ${runFolder}`, {
    expected: 'a whole checkpoint',
    got: `${names.length} damaged`,
    hint: 'start a new run with the same flags and seed, which config.json tells',
  });
}

/**
 * What the run had learned by the end of its last finished epoch, or with `midEpoch` by its newest checkpoint. Throws a
 * BnTrainError where there is none, or it is damaged.
 */
export async function readLearned(runFolder: string, midEpoch = false): Promise<Checkpoint> {
  const names = await listNames(runFolder);
  const name = names.findLast((candidate) => midEpoch || isOfEpoch(candidate));
  if (name === undefined) throw noEpoch(runFolder, names);
  try {
    return await read(runFolder, name);
  } catch (error) {
    // A run that goes on meanwhile removes it once it has newer ones.
    if (!(await listNames(runFolder)).includes(name)) return readLearned(runFolder, midEpoch);
    throw error;
  }
}

/**
 * The model of a run folder's last finished epoch, or with `midEpoch` of its newest checkpoint, built from the run's
 * options, and how far the run had come. Throws a BnTrainError where there is none, or it is damaged or another model's.
 */
export async function loadModel(
  runFolder: string,
  options: LenetConfig,
  midEpoch = false,
): Promise<Progressed & { model: tf.Sequential }> {
  const { weights, ...progressed } = await readLearned(runFolder, midEpoch);
  const model = modelOf(options);
  restoreWeights(model, weights, runFolder);
  return { model, ...progressed };
}

/** The model that a run's options describe, among others. */
export function modelOf({ norm, seed, momentum, epsilon, classes, height, width }: LenetConfig): tf.Sequential {
  return lenet({ norm, seed, momentum, epsilon, classes, height, width });
}

/** Those that are whole. */
export async function readWhole(runFolder: string): Promise<Checkpoint[]> {
  const names = await listNames(runFolder);
  return (await Promise.all(names.map((name) => read(runFolder, name).catch(() => [])))).flat();
}

function noEpoch(runFolder: string, names: string[]): BnTrainError {
  const newest = names.at(-1);
  return cannot(`read the model of ${runFolder}`, {
    expected: 'the checkpoint of a finished epoch',
    got: newest === undefined ? 'none' : `only those of its first epoch under way, the newest ${newest}`,
    hint:
      newest === undefined
        ? `it has not finished an epoch yet; to train it, go on with --resume ${quoted(runFolder)}`
        : `to take it as it is: --mid-epoch; to finish the epoch, go on with --resume ${quoted(runFolder)}`,
  });
}

/** The last two, and that of the last finished epoch where both stand in mid-epoch. */
function worthKeeping(names: string[]): string[] {
  const epoch = names.findLast(isOfEpoch);
  return names.filter((name, i) => i >= names.length - KEPT || name === epoch);
}

/** Saves a run's checkpoints as it goes on. */
export class Checkpoints {
  private constructor(
    private readonly runFolder: string,
    private kept: string[],
  ) {}

  /**
   * `from` is the position of the checkpoint that the run goes on from, if it does. A killed process may have left more
   * than are kept up to there, of which the rest is removed; what lies behind it is damaged, and stays until the next is
   * saved.
   */
  static async open(runFolder: string, from?: Position): Promise<Checkpoints> {
    const names = await listNames(runFolder);
    const usable = from === undefined ? [] : names.slice(0, names.indexOf(nameOf(from)) + 1);
    const checkpoints = new Checkpoints(runFolder, worthKeeping(usable));
    await checkpoints.removeRest(usable);
    return checkpoints;
  }

  /** Adds one, and when it is safely on the disk removes those that are not kept any longer. */
  async save(model: tf.LayersModel, progressed: Progressed): Promise<void> {
    const folder = folderOf(this.runFolder);
    const name = nameOf(progressed.position);
    await makeFolder(folder);
    await writeFileAtomic(path.join(folder, name), await encodeCheckpoint(model, progressed));
    this.kept = worthKeeping([...this.kept.filter((other) => other !== name), name]);
    await this.removeRest(await listNames(this.runFolder));
  }

  private async removeRest(names: string[]): Promise<void> {
    for (const name of names)
      if (!this.kept.includes(name)) await rm(path.join(folderOf(this.runFolder), name), { force: true });
  }
}

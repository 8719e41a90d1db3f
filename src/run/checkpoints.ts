/** The checkpoints of a run folder: the last two, each written whole or not at all, the newest whole one to go on from. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { cannot, messageOf } from '../common/errors.js';
import { codeOf, describeFileError, readBounded, writeFileAtomic } from '../common/files.js';
import type { Position } from '../train/events.js';
import { type Checkpoint, encodeCheckpoint, parseCheckpoint, type Progressed } from './checkpoint.js';
import { WEIGHTS_LIMIT } from './weights.js';

const KEPT = 2;

const folderOf = (runFolder: string) => path.join(runFolder, 'checkpoint');

/** "epoch-3-batch-40.ckpt": where the run goes on from it. */
function nameOf({ epoch, batch }: Pick<Position, 'epoch' | 'batch'>): string {
  return `epoch-${epoch}-batch-${batch}.ckpt`;
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

/**
 * The newest checkpoint that is whole, or undefined for a run that has none yet; `onDamaged` is told of those passed over.
 * Throws a BnTrainError where there are some and none is whole.
 */
export async function readNewestCheckpoint(
  runFolder: string,
  onDamaged: (line: string) => void,
): Promise<Checkpoint | undefined> {
  const names = await listNames(runFolder);
  const reasons: string[] = [];
  for (const name of names.reverse()) {
    const read = await readWhole(path.join(folderOf(runFolder), name));
    if (typeof read !== 'string') return read;
    reasons.push(read);
    onDamaged(`passing over a damaged checkpoint (${read})`);
  }
  if (reasons.length === 0) return undefined;
  throw cannot(`resume ${runFolder}`, {
    expected: 'a whole checkpoint',
    got: `${reasons.length} damaged`,
    hint: 'start a new run with the same flags and seed, which config.json tells',
  });
}

/** The checkpoint, or why it cannot be read. */
async function readWhole(file: string): Promise<Checkpoint | string> {
  try {
    const content = await readBounded(file, WEIGHTS_LIMIT).catch((error: unknown) => {
      throw cannot(`read ${file}`, { expected: 'a checkpoint', got: describeFileError(error) });
    });
    return parseCheckpoint(content, file);
  } catch (error) {
    return messageOf(error);
  }
}

/** Saves a run's checkpoints as it goes on. */
export class Checkpoints {
  private constructor(
    private readonly runFolder: string,
    private kept: string[],
  ) {}

  /**
   * `from` is the position of the checkpoint that the run goes on from, if it does. A killed process may have left more
   * than two up to there, of which the rest is removed; what lies behind it is damaged, and stays until the next is saved.
   */
  static async open(runFolder: string, from?: Position): Promise<Checkpoints> {
    const names = await listNames(runFolder);
    const usable = from === undefined ? [] : names.slice(0, names.indexOf(nameOf(from)) + 1);
    await remove(runFolder, usable.slice(0, -KEPT));
    return new Checkpoints(runFolder, usable.slice(-KEPT));
  }

  /** Adds one, and when it is safely on the disk removes all but it and the one before it. */
  async save(model: tf.LayersModel, progressed: Progressed): Promise<void> {
    const folder = folderOf(this.runFolder);
    const name = nameOf(progressed.position);
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(path.join(folder, name), await encodeCheckpoint(model, progressed));
    this.kept = [...this.kept.filter((other) => other !== name), name].slice(-KEPT);
    await remove(
      this.runFolder,
      (await listNames(this.runFolder)).filter((other) => !this.kept.includes(other)),
    );
  }
}

async function remove(runFolder: string, names: string[]): Promise<void> {
  for (const name of names) await rm(path.join(folderOf(runFolder), name), { force: true });
}

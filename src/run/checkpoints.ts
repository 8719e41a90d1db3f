/** The checkpoints of a run folder: the last two, each written whole or not at all, the newest whole one to go on from. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { cannot, messageOf } from '../errors.js';
import { codeOf, writeFileAtomic } from '../files.js';
import type { Position } from '../train/events.js';
import { type Checkpoint, encodeCheckpoint, parseCheckpoint, type Progressed } from './checkpoint.js';

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
    throw error;
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
    return parseCheckpoint(await readFile(file), file);
  } catch (error) {
    return messageOf(error);
  }
}

/** Saves a run's checkpoints as it goes on. */
export class Checkpoints {
  private kept: string[] | undefined;

  /** `from` is the position of the checkpoint that the run went on from, if it did. */
  constructor(
    private readonly runFolder: string,
    private readonly from: Position | undefined,
  ) {}

  /** Adds one, and when it is safely on the disk removes all but it and the one before it. */
  async save(model: tf.LayersModel, progressed: Progressed): Promise<void> {
    const folder = folderOf(this.runFolder);
    const name = nameOf(progressed.position);
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(path.join(folder, name), await encodeCheckpoint(model, progressed));
    const earlier = (this.kept ?? (await this.earlier())).filter((other) => other !== name);
    this.kept = [...earlier, name].slice(-KEPT);
    for (const other of await listNames(this.runFolder))
      if (!this.kept.includes(other)) await rm(path.join(folder, other), { force: true });
  }

  /** What was there up to the checkpoint that the run went on from; those behind it are damaged. */
  private async earlier(): Promise<string[]> {
    const names = await listNames(this.runFolder);
    return this.from === undefined ? [] : names.slice(0, names.indexOf(nameOf(this.from)) + 1);
  }
}

/** Whether a run's model/, which is there for other programs and never read by this one, is what the run has learned. */
import * as path from 'node:path';
import { JSON_LIMIT, readBounded } from '../common/files.js';
import { quoted, toType } from '../common/invocation.js';
import { parseObject } from '../common/shape.js';
import type { Norm } from '../nn/lenet.js';
import type { Checkpoint } from './checkpoint.js';
import { readWhole, SIZE_LIMIT } from './checkpoints.js';

/** A line on what is wrong with it and how it is mended, or undefined. */
export async function exportedNotice(runFolder: string, norm: Norm): Promise<string | undefined> {
  const problem = await problemOf(runFolder);
  const mend = toType(`${norm} --resume ${quoted(runFolder)}`);
  return (
    problem &&
    `${path.join(runFolder, 'model')}, for other programs, ${problem}; the checkpoint is good, to write it anew: ${mend}`
  );
}

/** A run that goes on meanwhile has that of a checkpoint just before. */
async function problemOf(runFolder: string): Promise<string | undefined> {
  const read = (name: string, limit: number) =>
    readBounded(path.join(runFolder, 'model', name), limit).catch(() => undefined);
  const [description, weights] = await Promise.all([read('model.json', JSON_LIMIT), read('weights.bin', SIZE_LIMIT)]);
  if (!description || !weights) return 'is not whole';
  try {
    parseObject(description.toString(), 'model.json');
  } catch {
    return 'is damaged';
  }
  const known = await readWhole(runFolder);
  return known.some((checkpoint) => bytesOf(checkpoint).equals(weights))
    ? undefined
    : 'is damaged, or of another moment';
}

function bytesOf({ weights }: Checkpoint): Buffer {
  return Buffer.concat(
    weights.map(({ values: { buffer, byteOffset, byteLength } }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

/** A checkpoint: one file with the run's position, its history and the model's weights, whole or not there at all. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot, messageOf, shown } from '../errors.js';
import { codeOf, writeFileAtomic } from '../files.js';
import { parseObject, readBounded } from '../read.js';
import type { EpochResult, Position } from '../train/events.js';
import { progressedFrom } from './progressed.js';
import { assertShapes, checkSpecs, type SavedWeight, sliceWeights, WEIGHTS_LIMIT, type WeightSpec } from './weights.js';

export interface Progressed {
  /** The next batch to train on. The examples' order follows from seed and epoch, and plain SGD has no state. */
  position: Position;
  history: EpochResult[];
}

interface Header extends Progressed {
  weights: WeightSpec[];
}

const fileOf = (runFolder: string) => path.join(runFolder, 'checkpoint', 'latest.ckpt');

/** Writes the checkpoint over the last one; the old one stays until the new one is whole on disk. */
export async function saveCheckpoint(runFolder: string, model: tf.LayersModel, progressed: Progressed): Promise<void> {
  const entries = model.weights.map((weight) => ({ name: weight.name, tensor: weight.read() }));
  const bytes = Buffer.concat(
    await Promise.all(entries.map(async ({ tensor }) => toBytes(await tensor.data<'float32'>()))),
  );
  const weights = entries.map(({ name, tensor }): WeightSpec => ({ name, shape: tensor.shape, dtype: 'float32' }));
  const header: Header = { ...progressed, weights };
  const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
  await mkdir(path.dirname(fileOf(runFolder)), { recursive: true });
  await writeFileAtomic(fileOf(runFolder), Buffer.concat([Buffer.from(`${sha256(content)}\n`), content]));
}

/** Reads the checkpoint of a run. Throws a BnTrainError where there is none or it is damaged. */
export async function readCheckpoint(runFolder: string): Promise<Progressed & { weights: SavedWeight[] }> {
  const file = fileOf(runFolder);
  const content = await readBounded(file, WEIGHTS_LIMIT).catch((error: unknown) => {
    throw cannot(`resume ${runFolder}`, {
      expected: 'a checkpoint',
      got: codeOf(error) === 'ENOENT' ? 'none' : messageOf(error),
      hint: 'a run has one from its first epoch on; start a new run instead',
      cause: error,
    });
  });
  return parseCheckpoint(content, file);
}

/** The checked content of a checkpoint file. */
export function parseCheckpoint(content: Buffer, file: string): Progressed & { weights: SavedWeight[] } {
  const [expected, checked] = cutLine(content);
  const got = sha256(checked);
  if (got !== expected)
    throw cannot(`read ${file}`, {
      expected: /^[0-9a-f]{64}$/.test(expected) ? `content with SHA-256 ${expected}` : 'a checkpoint',
      got: /^[0-9a-f]{64}$/.test(expected) ? got : shown(expected),
      hint: 'the file is damaged; start a new run',
    });
  const [line, bytes] = cutLine(checked);
  const { position, history, weights } = parseHeader(line, file);
  return { position, history, weights: sliceWeights(weights, bytes, file) };
}

/** The first line, and all that follows it. */
function cutLine(content: Buffer): [line: string, rest: Buffer] {
  const end = content.indexOf('\n');
  const length = end < 0 ? content.length : end;
  return [content.toString('utf8', 0, length), content.subarray(length + 1)];
}

function parseHeader(line: string, file: string): Header {
  const header = parseObject(line, file, 'a checkpoint');
  const progressed = progressedFrom(header);
  if (progressed) return { ...progressed, weights: checkSpecs(header['weights'], file) };
  throw cannot(`read ${file}`, { expected: 'a position and a history', got: line.slice(0, 60) });
}

/** Puts saved weights into a model. Throws a BnTrainError that names `origin` where they are another model's. */
export function restoreWeights(model: tf.LayersModel, weights: SavedWeight[], origin: string): void {
  assertShapes(
    weights,
    model.weights.map(({ shape }) => shape),
    origin,
  );
  tf.tidy(() => {
    for (const [i, weight] of model.weights.entries()) {
      const { values, shape } = weights[i] ?? { values: [], shape: [] };
      weight.write(tf.tensor(values, shape));
    }
  });
}

function toBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

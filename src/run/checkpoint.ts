/** A checkpoint: one file with the run's position, its history and the model's weights, whole or not there at all. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot, messageOf } from '../errors.js';
import { codeOf, writeFileAtomic } from '../files.js';
import type { EpochResult, Position } from '../train/events.js';
import { checkSpecs, type SavedWeight, sliceWeights, type WeightSpec } from './weights.js';

export interface Progressed {
  /** The next batch to train on. The examples' order follows from seed and epoch, and plain SGD has no state. */
  position: Position;
  history: EpochResult[];
}

interface Header extends Progressed {
  weights: WeightSpec[];
  /** SHA-256 of all that follows the header's line. */
  sha256: string;
}

const fileOf = (runFolder: string) => path.join(runFolder, 'checkpoint', 'latest.ckpt');

/** Writes the checkpoint over the last one; the old one stays until the new one is whole on disk. */
export async function saveCheckpoint(runFolder: string, model: tf.LayersModel, progressed: Progressed): Promise<void> {
  const entries = model.weights.map((weight) => ({ name: weight.name, tensor: weight.read() }));
  const bytes = Buffer.concat(
    await Promise.all(entries.map(async ({ tensor }) => toBytes(await tensor.data<'float32'>()))),
  );
  const weights = entries.map(({ name, tensor }): WeightSpec => ({ name, shape: tensor.shape, dtype: 'float32' }));
  const header: Header = { ...progressed, weights, sha256: sha256(bytes) };
  await mkdir(path.dirname(fileOf(runFolder)), { recursive: true });
  await writeFileAtomic(fileOf(runFolder), Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]));
}

/** Reads the checkpoint of a run. Throws a BnTrainError where there is none or it is damaged. */
export async function readCheckpoint(runFolder: string): Promise<Progressed & { weights: SavedWeight[] }> {
  const file = fileOf(runFolder);
  const content = await readFile(file).catch((error: unknown) => {
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
  const end = content.indexOf('\n');
  const bytes = content.subarray(end + 1);
  const { position, history, weights, sha256: expected } = parseHeader(content.subarray(0, end).toString(), file);
  if (sha256(bytes) !== expected)
    throw cannot(`read ${file}`, {
      expected: `weights with SHA-256 ${expected}`,
      got: sha256(bytes),
      hint: 'the file is damaged; start a new run',
    });
  return { position, history, weights: sliceWeights(checkSpecs(weights, file), bytes, file) };
}

function parseHeader(line: string, file: string): Header {
  try {
    const header = JSON.parse(line) as Header;
    const sums = ['epoch', 'batch', 'loss', 'correct', 'examples', 'seconds'] as const;
    if (sums.every((name) => Number.isFinite(header.position[name])) && Array.isArray(header.history)) return header;
  } catch (error) {
    throw cannot(`read ${file}`, { expected: 'a checkpoint', got: messageOf(error), cause: error });
  }
  throw cannot(`read ${file}`, { expected: 'a position and a history', got: line.slice(0, 60) });
}

/** Puts a checkpoint's weights into a model of the same shape. */
export function restoreWeights(model: tf.LayersModel, weights: SavedWeight[]): void {
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

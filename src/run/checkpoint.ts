/** A checkpoint's bytes: a checksum, then the run's position, its history and the model's weights. */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import { cannot, shown } from '../common/errors.js';
import { parseObject } from '../common/shape.js';
import type { EpochResult, Position } from '../train/events.js';
import { progressedFrom } from './progressed.js';
import { assertShapes, checkSpecs, type SavedWeight, sliceWeights, type WeightSpec } from './weights.js';

export interface Progressed {
  /** The next batch to train on. The examples' order follows from seed and epoch, and plain SGD has no state. */
  position: Position;
  history: EpochResult[];
}

export interface Checkpoint extends Progressed {
  weights: SavedWeight[];
}

interface Header extends Progressed {
  weights: WeightSpec[];
}

/** The checkpoint file: SHA-256 of all that follows its line, a line of JSON, the weights as little-endian float32. */
export async function encodeCheckpoint(model: tf.LayersModel, progressed: Progressed): Promise<Buffer> {
  const entries = model.weights.map((weight) => ({ name: weight.name, tensor: weight.read() }));
  const values = await Promise.all(entries.map(async ({ tensor }) => toBytes(await tensor.data<'float32'>())));
  const weights = entries.map(({ name, tensor }): WeightSpec => ({ name, shape: tensor.shape, dtype: 'float32' }));
  const header: Header = { ...progressed, weights };
  const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...values]);
  return Buffer.concat([Buffer.from(`${sha256(content)}\n`), content]);
}

/** The content of a checkpoint file. Throws a BnTrainError unless it is whole. */
export function parseCheckpoint(file: Buffer, name: string): Checkpoint {
  const [expected, content] = cutLine(file);
  if (!/^[0-9a-f]{64}$/.test(expected))
    throw cannot(`read ${name}`, { expected: 'a checkpoint', got: shown(expected) });
  if (sha256(content) !== expected)
    throw cannot(`read ${name}`, { expected: `content with SHA-256 ${expected}`, got: sha256(content) });
  const [line, bytes] = cutLine(content);
  const { position, history, weights } = parseHeader(line, name);
  return { position, history, weights: sliceWeights(weights, bytes, name) };
}

function cutLine(bytes: Buffer): [line: string, rest: Buffer] {
  const found = bytes.indexOf('\n');
  const end = found < 0 ? bytes.length : found;
  return [bytes.subarray(0, end).toString(), bytes.subarray(end + 1)];
}

function parseHeader(line: string, name: string): Header {
  const header = parseObject(line, name, 'a header of JSON');
  const progressed = progressedFrom(header);
  if (progressed) return { ...progressed, weights: checkSpecs(header['weights'], name) };
  throw cannot(`read ${name}`, { expected: 'a position and a history', got: line.slice(0, 60) });
}

/** Puts saved weights into a model. Throws a BnTrainError that names `origin` where they are another model's. */
export function restoreWeights(model: tf.LayersModel, weights: SavedWeight[], origin: string): void {
  assertShapes(
    weights,
    model.weights.map(({ shape }) => shape),
    origin,
  );
  tf.tidy(() => {
    for (const [i, { values, shape }] of weights.entries()) model.weights[i]?.write(tf.tensor(values, shape));
  });
}

function toBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

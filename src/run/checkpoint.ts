/** A checkpoint's bytes: a checksum, then the run's position, its history and the model's weights, to be put back. */
import * as tf from '@tensorflow/tfjs';
import * as v from 'valibot';
import { cannot, shown } from '../common/errors.js';
import { sha256Of } from '../common/files.js';
import { check, numberThat, oneOf, parseObject, text, whole } from '../common/shape.js';
import type { Position, Progressed } from '../train/events.js';

/** One weight: its full name ("batch_norm_BatchNorm1/gamma"), shape and values. */
export interface SavedWeight {
  name: string;
  shape: number[];
  values: Float32Array;
}

export interface Checkpoint extends Progressed {
  /** In the model's order. */
  weights: SavedWeight[];
}

const finite = numberThat('a number', () => true);
const time = numberThat('a number from 0', (value) => value >= 0);
const share = numberThat('a number from 0 to 1', (value) => value >= 0 && value <= 1);

/** What every result of a model has, an epoch's or a run's. */
const RESULT = {
  loss: finite,
  trainAccuracy: share,
  testAccuracy: share,
  // Runs from before they were measured each epoch have neither.
  testAccuracyPopulation: v.optional(v.nullable(share), null),
  populationImages: v.optional(v.nullable(whole(1)), null),
  examplesPerSecond: time,
};
export const EPOCH = v.object({ epoch: whole(1), ...RESULT, seconds: time });
export const FINAL = v.object(RESULT);

const HEADER = v.object({
  position: v.object({
    epoch: whole(1),
    batch: whole(0),
    loss: finite,
    correct: whole(0),
    examples: whole(0),
    seconds: time,
  }),
  history: v.array(EPOCH),
  weights: v.array(v.object({ name: text(), shape: v.array(whole(0)), dtype: oneOf('float32', ['float32']) })),
});
type Header = v.InferOutput<typeof HEADER>;

/** The checkpoint file: SHA-256 of all that follows its line, a line of JSON, the weights as little-endian float32. */
export async function encodeCheckpoint(model: tf.LayersModel, progressed: Progressed): Promise<Buffer> {
  const entries = model.weights.map((weight) => ({ name: weight.name, tensor: weight.read() }));
  const values = await Promise.all(entries.map(({ tensor }) => tensor.data<'float32'>()));
  const weights = entries.map(({ name, tensor: { shape } }) => ({ name, shape, dtype: 'float32' as const }));
  const header: Header = { ...progressed, weights };
  const bytes = values.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...bytes]);
  return Buffer.concat([Buffer.from(`${sha256Of(content)}\n`), content]);
}

/** The content of a checkpoint file. Throws a BnTrainError unless it is whole. */
export function parseCheckpoint(file: Buffer, name: string): Checkpoint {
  const [expected, content] = cutLine(file);
  if (!/^[0-9a-f]{64}$/.test(expected))
    throw cannot(`read ${name}`, { expected: 'a checkpoint', got: shown(expected) });
  if (sha256Of(content) !== expected)
    throw cannot(`read ${name}`, { expected: `content with SHA-256 ${expected}`, got: sha256Of(content) });
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
  const result = check(HEADER, header);
  if ('value' in result && fits(result.value)) return result.value;
  if ('problem' in result && result.problem.field.startsWith('weights'))
    throw cannot(`read ${name}`, {
      expected: 'float32 weights with name and shape',
      got: shown(header['weights'] ?? null),
    });
  throw cannot(`read ${name}`, { expected: 'a position and a history', got: line.slice(0, 60) });
}

/** Whether there is one result for each epoch before the one under way, and its sums belong together. */
function fits({ position: { epoch, batch, correct, examples }, history }: Header): boolean {
  return (
    epoch === history.length + 1 &&
    history.every((result, i) => result.epoch === i + 1) &&
    correct <= examples &&
    (batch === 0) === (examples === 0)
  );
}

/** Cuts the concatenated values into weights. Throws unless the length fits exactly. */
function sliceWeights(specs: Header['weights'], bytes: Uint8Array, file: string): SavedWeight[] {
  const sizes = specs.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const total = 4 * sizes.reduce((sum, size) => sum + size, 0);
  if (total !== bytes.length)
    throw cannot(`read ${file}`, { expected: `${total} bytes of weights`, got: `${bytes.length}` });
  // A copy, as values must start at a multiple of 4; Buffer's own slice would be a view.
  const { buffer } = new Uint8Array(bytes);
  let offset = 0;
  return specs.map(({ name, shape }, i) => {
    const values = new Float32Array(buffer, offset, sizes[i] ?? 0);
    offset += values.byteLength;
    return { name, shape, values };
  });
}

/** Puts saved weights into a model. Throws a BnTrainError that names `origin` where they are another model's. */
export function restoreWeights(model: tf.LayersModel, weights: SavedWeight[], origin: string): void {
  assertShapes(weights, model, origin);
  tf.tidy(() => {
    for (const [i, { values, shape }] of weights.entries()) model.weights[i]?.write(tf.tensor(values, shape));
  });
}

function assertShapes(weights: SavedWeight[], model: tf.LayersModel, origin: string): void {
  const textOf = ({ shape }: { shape: (number | null)[] }) => `[${shape.join(', ')}]`;
  const [found, wanted] = [weights.map(textOf), model.weights.map(textOf)];
  const wrong = wanted.findIndex((shape, i) => shape !== found[i]);
  if (wrong < 0 && found.length === wanted.length) return;
  throw cannot(`use the weights of ${origin}`, {
    expected: wrong < 0 ? `${wanted.length} of them` : `the shape ${wanted[wrong] ?? ''} for weight ${wrong + 1}`,
    got: wrong < 0 ? `${found.length}` : (found[wrong] ?? 'none'),
    hint: 'config.json belongs to another run, or the file is damaged; train again',
  });
}

/** Throws a BnTrainError that names `origin` where the position was reached with another batch size. */
export function assertBatchSize({ batch, examples }: Position, batchSize: number, origin: string): void {
  if (batch === Math.ceil(examples / batchSize)) return;
  throw cannot(`resume ${origin}`, {
    expected: `${batch} batches of ${batchSize}, as config.json says, in its checkpoint`,
    got: `${examples} examples`,
    hint: 'config.json was changed or belongs to another run; start a new run instead',
  });
}

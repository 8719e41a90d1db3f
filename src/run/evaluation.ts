/** The evaluation.json of a run: what its page shows of the trained network, so that the page is made from the folder alone. */
import * as path from 'node:path';
import * as v from 'valibot';
import { cannot, shown } from '../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../common/files.js';
import { aboveZero, numberThat, oneOf, parseShaped, text, that, whole } from '../common/shape.js';
import type { Predictions } from '../train/predictions.js';
import type { Review } from '../train/review.js';

export const EVALUATION = 'evaluation.json';
/** Fashion-MNIST's have 0.7 MB. */
const LIMIT = 2 ** 26;
const VERSION = 1;
/** Probabilities are kept as sixteen bits each. */
const SCALE = 65535;

const bytes = text('base64', /^[A-Za-z0-9+/]*={0,2}$/);
const finite = numberThat('a number', () => true);
const PREDICTIONS = v.object({ classes: bytes, probabilities: bytes }, 'classes and probabilities');
const HISTOGRAM = v.object({ low: finite, step: aboveZero, counts: v.array(whole(0)) }, 'low, step and counts');
const CHANNEL = v.object(
  { mean: finite, variance: finite, gamma: finite, beta: finite, x: bytes },
  'mean, variance, gamma, beta and x',
);
const LAYER = v.object(
  {
    before: v.optional(HISTOGRAM),
    after: HISTOGRAM,
    channels: v.optional(v.array(CHANNEL, 'a list of channels')),
    epsilon: v.optional(finite),
  },
  'a layer',
);
const DRAW = v.object({ probability: finite, predicted: whole(0, 255) }, 'probability and predicted');
const COMPANIONS = v.object(
  {
    row: whole(0),
    batches: v.array(v.object({ size: whole(1), draws: v.array(DRAW) }, 'size and draws'), 'a list of batch sizes'),
  },
  'row and batches',
);
const PICTURE = v.object(
  { row: whole(0), height: whole(1), width: whole(1), pixels: bytes },
  'row, height, width and pixels',
);

const STORED = v.object({
  version: that<1>(`${VERSION}, the one that this program reads`, (value) => value === VERSION),
  /** How numbers stand in base64: little-endian. */
  encoding: oneOf('base64: uint8, probabilities uint16 of 65535, x float32', [
    'base64: uint8, probabilities uint16 of 65535, x float32',
  ]),
  labels: bytes,
  inference: PREDICTIONS,
  population: v.optional(PREDICTIONS),
  first: v.array(whole(0), 'a list of rows'),
  worst: v.array(whole(0), 'a list of rows'),
  pictures: v.array(PICTURE, 'a list of pictures'),
  activations: v.object({ images: whole(1), layers: v.array(LAYER, 'a list of layers') }, 'images and layers'),
  companions: v.array(COMPANIONS, 'a list of images'),
});
type Stored = v.InferOutput<typeof STORED>;

/** The file's content; the same for the same review. */
export function encodeEvaluation(review: Review): string {
  const { labels, inference, population, first, worst, pictures, activations, companions } = review;
  const stored: Stored = {
    version: VERSION,
    encoding: 'base64: uint8, probabilities uint16 of 65535, x float32',
    labels: toBase64(labels),
    inference: storedPredictions(inference),
    ...(population && { population: storedPredictions(population) }),
    ...{ first, worst, pictures: pictures.map(({ pixels, ...rest }) => ({ ...rest, pixels: toBase64(pixels) })) },
    activations: {
      images: activations.images,
      layers: activations.layers.map(({ channels, ...layer }) => ({
        ...layer,
        ...(channels && { channels: channels.map((channel) => ({ ...channel, x: toBase64(channel.x) })) }),
      })),
    },
    companions,
  };
  return `${JSON.stringify(stored)}\n`;
}

function storedPredictions({ classes, probabilities }: Predictions): Stored['inference'] {
  return {
    classes: toBase64(classes),
    probabilities: toBase64(Uint16Array.from(probabilities, (value) => Math.round(value * SCALE))),
  };
}

function toBase64({ buffer, byteOffset, byteLength }: NodeJS.TypedArray): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** What a run's folder has, or undefined where there is none. Throws a BnTrainError where it is damaged. */
export async function readEvaluation(folder: string): Promise<Review | undefined> {
  const file = path.join(folder, EVALUATION);
  const content = await readBounded(file, LIMIT).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cannot(`read ${file}`, { expected: "a run's evaluation", got: describeFileError(error), cause: error });
  });
  return content && parseEvaluation(content.toString(), file);
}

/** The checked content of an evaluation.json; `file` names it in messages. */
export function parseEvaluation(content: string, file: string): Review {
  const stored = parseShaped(STORED, content, file);
  const decode = (name: string, base64: string, size: number, count?: number): Buffer => {
    const found = Buffer.from(base64, 'base64');
    if (count === undefined ? found.length % size === 0 : found.length === count * size) return found;
    throw cannot(`read ${file}`, {
      expected: `${name} to have ${count === undefined ? `whole values of ${size} bytes` : `${count * size} bytes`}`,
      got: `${found.length}`,
    });
  };
  const labels = Uint8Array.from(decode('labels', stored.labels, 1));
  const predictions = (name: string, { classes, probabilities }: Stored['inference']): Predictions => {
    const named = Uint8Array.from(decode(`${name}.classes`, classes, 1, labels.length));
    const found = decode(`${name}.probabilities`, probabilities, 2);
    const width = found.length / 2 / labels.length;
    if (!Number.isInteger(width) || [...named, ...labels].some((each) => each >= width))
      throw cannot(`read ${file}`, {
        expected: `${name}.probabilities to have one of each class for each image`,
        got: `${found.length / 2} for ${labels.length} images`,
      });
    return {
      classes: named,
      probabilities: Float32Array.from({ length: found.length / 2 }, (_, i) => found.readUInt16LE(2 * i) / SCALE),
    };
  };
  const { population, activations, companions, first, worst } = stored;
  const known = {
    labels,
    inference: predictions('inference', stored.inference),
    ...(population && { population: predictions('population', population) }),
  };
  const pictures = stored.pictures.map(({ pixels, ...picture }) => ({
    ...picture,
    pixels: Uint8Array.from(decode('pixels', pixels, 1, picture.height * picture.width)),
  }));
  const rows = [...first, ...worst, ...companions.map(({ row }) => row)];
  const unknown = rows.find((row) => row >= labels.length || !pictures.some((picture) => picture.row === row));
  if (unknown !== undefined)
    throw cannot(`read ${file}`, { expected: 'a picture of each row that it names', got: `none of ${shown(unknown)}` });
  return {
    ...{ ...known, first, worst, pictures, companions },
    activations: {
      images: activations.images,
      layers: activations.layers.map(({ channels, ...layer }) => ({
        ...layer,
        ...(channels && {
          channels: channels.map(({ x, ...channel }) => ({ ...channel, x: floats(decode('x', x, 4)) })),
        }),
      })),
    },
  };
}

function floats(found: Buffer): Float32Array {
  return Float32Array.from({ length: found.length / 4 }, (_, i) => found.readFloatLE(4 * i));
}

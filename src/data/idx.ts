/** The IDX format of the MNIST family, a big-endian header and then bytes: any input gives data or an error, never less. */
import { type BnTrainError, cannot } from '../common/errors.js';

/**
 * Images [count, height, width] as bytes 0 to 255, and a label from 0 for each. While a model trains on them TensorFlow may
 * share their memory: it is not to be written to, and cannot be transferred to another thread.
 */
export interface Dataset {
  count: number;
  height: number;
  width: number;
  images: Uint8Array;
  labels: Uint8Array;
}

export interface Datasets {
  train: Dataset;
  /** Its images have the size of the training images. */
  test: Dataset;
  /** One more than the largest label: labels are the numbers of the logits, so a number that is left out counts, too. */
  classes: number;
}

export interface IdxFile {
  bytes: Uint8Array;
  /** Its name, for messages. */
  origin: string;
}

type Files = Record<`${'train' | 'test'}${'Images' | 'Labels'}`, IdxFile>;

/** Both data sets. Throws a BnTrainError that names the file which is no IDX file, or does not go with the others. */
export function parseDatasets({ trainImages, trainLabels, testImages, testLabels }: Files): Datasets {
  const train = combine(trainImages, trainLabels);
  const test = combine(testImages, testLabels);
  const [wanted = '', got = ''] = [train, test].map(({ height, width }) => `${height}×${width}`);
  if (got !== wanted)
    throw wrong(testImages.origin, `images of ${wanted}, as the training images are`, `images of ${got}`);
  const largest = [train, test].map(({ labels }) => labels.reduce((most, label) => Math.max(most, label), 0));
  return { train, test, classes: Math.max(...largest) + 1 };
}

function combine(imageFile: IdxFile, labelFile: IdxFile): Dataset {
  const { pixels: images, ...sizes } = parseImages(imageFile.bytes, imageFile.origin);
  const labels = parseLabels(labelFile.bytes, labelFile.origin);
  const { count, height, width } = sizes;
  if (images.length === 0) throw wrong(imageFile.origin, 'at least one image', `${count} of ${height}×${width}`);
  if (labels.length !== count) throw wrong(labelFile.origin, `${count} labels, one an image`, `${labels.length}`);
  return { ...sizes, images, labels };
}

/**
 * Images from an idx3-ubyte file, whose pixels [count, height, width] are a view of the input. Throws a BnTrainError that
 * names `file` where the bytes are anything else.
 */
export function parseImages(bytes: Uint8Array, file: string) {
  const { sizes, payload } = parse(bytes, file, 3);
  const [count = 0, height = 0, width = 0] = sizes;
  return { count, height, width, pixels: payload };
}

/** Labels from an idx1-ubyte file. Throws a BnTrainError that names `file` where the bytes are anything else. */
export function parseLabels(bytes: Uint8Array, file: string): Uint8Array {
  return parse(bytes, file, 1).payload;
}

/** How many bytes an IDX file of this beginning has in all; undefined where it is none. */
export function idxSize(head: Uint8Array): number | undefined {
  const rank = [3, 1].find((each) => head.length >= 4 + 4 * each && magicOf(head) === 0x0800 + each);
  return rank && sizesIn(head, rank).reduce((product, size) => product * size, 1) + 4 + 4 * rank;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength);
const magicOf = (bytes: Uint8Array) => viewOf(bytes).getUint32(0);
const sizesIn = (bytes: Uint8Array, rank: number) =>
  Array.from({ length: rank }, (_, i) => viewOf(bytes).getUint32(4 + 4 * i));

/** The sizes in the header, and the bytes after it: as many as the header promises, before anything is made of that. */
function parse(bytes: Uint8Array, file: string, rank: number) {
  const length = 4 + 4 * rank;
  if (bytes.length < length) throw wrong(file, `a header of ${length} bytes`, `${bytes.length} bytes`);
  const [magic, found] = [0x0800 + rank, magicOf(bytes)];
  const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;
  if (found !== magic) throw wrong(file, `the magic number ${hex(magic)}`, hex(found));
  const [promised = 0, payload] = [idxSize(bytes), bytes.subarray(length)];
  if (bytes.length !== promised)
    throw wrong(file, `${promised - length} bytes after the header, as it says`, `${payload.length}`);
  return { sizes: sizesIn(bytes, rank), payload };
}

function wrong(file: string, expected: string, got: string): BnTrainError {
  return cannot(`read ${file}`, { expected, got, hint: 'fetch the data set again from where it came' });
}

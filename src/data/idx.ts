/** The IDX format of the MNIST family: big-endian header, then bytes. Any input gives data or an error, never less. */
import { type BnTrainError, cannot } from '../common/errors.js';

export interface Images {
  count: number;
  height: number;
  width: number;
  /** [count, height, width], a view of the input. */
  pixels: Uint8Array;
}

const CLASSES = 10;

/** Images from an idx3-ubyte file. Throws a BnTrainError that names `file` where the bytes are anything else. */
export function parseImages(bytes: Uint8Array, file: string): Images {
  const { sizes, payload } = parse(bytes, file, 0x00000803, 3);
  const [count = 0, height = 0, width = 0] = sizes;
  return { count, height, width, pixels: payload };
}

/** Labels 0 to 9 from an idx1-ubyte file. Throws a BnTrainError that names `file` where the bytes are anything else. */
export function parseLabels(bytes: Uint8Array, file: string): Uint8Array {
  const labels = parse(bytes, file, 0x00000801, 1).payload;
  const at = labels.findIndex((label) => label >= CLASSES);
  if (at >= 0) throw wrong(file, `labels from 0 to ${CLASSES - 1}`, `${labels[at] ?? ''} as label ${at}`);
  return labels;
}

/** The sizes in the header, and the bytes after it: as many as the header promises, before anything is made of that. */
function parse(bytes: Uint8Array, file: string, magic: number, rank: number) {
  const length = 4 + 4 * rank;
  if (bytes.length < length) throw wrong(file, `a header of ${length} bytes`, `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const found = view.getUint32(0);
  const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;
  if (found !== magic) throw wrong(file, `the magic number ${hex(magic)}`, hex(found));
  const sizes = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const [promised, payload] = [sizes.reduce((product, size) => product * size, 1), bytes.subarray(length)];
  if (payload.length !== promised)
    throw wrong(file, `${promised} bytes after the header, as it says`, `${payload.length}`);
  return { sizes, payload };
}

function wrong(file: string, expected: string, got: string): BnTrainError {
  return cannot(`read ${file}`, { expected, got, hint: 'delete the file and run: bn-train data' });
}

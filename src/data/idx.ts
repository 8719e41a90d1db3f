/** The IDX format of the MNIST family, a big-endian header and then bytes: any input gives data or an error, never less. */
import { cannot } from '../common/errors.js';

export interface Images {
  count: number;
  height: number;
  width: number;
  /** [count, height, width], a view of the input. */
  pixels: Uint8Array;
}

const REMEDY = 'delete the file and run: bn-train data';
const CLASSES = 10;

/** Images from an idx3-ubyte file. Throws a BnTrainError that names `file` where the bytes are anything else. */
export function parseImages(bytes: Uint8Array, file: string): Images {
  const [count = 0, height = 0, width = 0] = readHeader(bytes, file, 0x00000803, 3);
  return { count, height, width, pixels: readPayload(bytes, file, 16, count * height * width) };
}

/** Labels 0 to 9 from an idx1-ubyte file. Throws a BnTrainError that names `file` where the bytes are anything else. */
export function parseLabels(bytes: Uint8Array, file: string): Uint8Array {
  const [count = 0] = readHeader(bytes, file, 0x00000801, 1);
  const labels = readPayload(bytes, file, 8, count);
  const wrong = labels.findIndex((label) => label >= CLASSES);
  if (wrong >= 0)
    throw cannot(`read ${file}`, {
      expected: `labels from 0 to ${CLASSES - 1}`,
      got: `${labels[wrong] ?? ''} as label ${wrong}`,
      hint: REMEDY,
    });
  return labels;
}

function readHeader(bytes: Uint8Array, file: string, magic: number, dimensions: number): number[] {
  const length = 4 + 4 * dimensions;
  if (bytes.length < length)
    throw cannot(`read ${file}`, {
      expected: `a header of ${length} bytes`,
      got: `${bytes.length} bytes`,
      hint: REMEDY,
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const found = view.getUint32(0);
  const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;
  if (found !== magic)
    throw cannot(`read ${file}`, { expected: `the magic number ${hex(magic)}`, got: hex(found), hint: REMEDY });
  return Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
}

/** The bytes after the header, held against what the header promises before anything is made of that promise. */
function readPayload(bytes: Uint8Array, file: string, offset: number, promised: number): Uint8Array {
  if (bytes.length - offset !== promised)
    throw cannot(`read ${file}`, {
      expected: `${promised} bytes after the header, as it says`,
      got: `${bytes.length - offset}`,
      hint: REMEDY,
    });
  return bytes.subarray(offset);
}

/** PNG and JPEG as pixels, by the same code on every backend; whatever else the bytes are is refused in words. */
import { inflateSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { BnTrainError, cannot, messageOf } from '../../common/errors.js';
import { codeOf } from '../../common/files.js';
import { formatCount } from '../../common/format.js';
import { orientationIn } from './orientation.js';

export interface Decoded {
  width: number;
  height: number;
  /** Red, green, blue and opacity of each pixel, 0 to 255. */
  pixels: Uint8Array;
  /** EXIF's: 1 is upright. */
  orientation: number;
}

/** As many as a phone's photo has; a small file may promise any number of them. */
const MOST_PIXELS = 50_000_000;
/** What a photo of so many takes while it is decoded. */
const MOST_MEGABYTES = 1024;
const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';

/** Decodes a file's content; `file` names it in messages. Throws a BnTrainError where it is no whole PNG or JPEG. */
export function decodeImage(bytes: Buffer, file: string): Decoded {
  if (startsWith(bytes, PNG_SIGNATURE)) return decodePng(bytes, file);
  if (startsWith(bytes, '\xff\xd8\xff')) return decodeJpeg(bytes, file);
  const kind = KINDS.find(([, at, magic]) => bytes.toString('latin1', at, at + magic.length) === magic)?.[0];
  throw cannot(`read ${file}`, {
    expected: 'a PNG or JPEG image',
    got: bytes.length === 0 ? 'an empty file' : (kind ?? 'something else'),
    hint: kind === undefined ? undefined : 'save it as PNG first',
  });
}

const startsWith = (bytes: Buffer, magic: string) => bytes.toString('latin1', 0, magic.length) === magic;

/** What people try, and where it says so. */
const KINDS: [kind: string, at: number, magic: string][] = [
  ['a GIF image', 0, 'GIF8'],
  ['a WebP image', 8, 'WEBP'],
  ['an AVIF image', 4, 'ftypavif'],
  ['a HEIC image', 4, 'ftyp'],
  ['a BMP image', 0, 'BM'],
  ['a TIFF image', 0, 'II*\0'],
  ['a TIFF image', 0, 'MM\0*'],
  ['a PDF document', 0, '%PDF'],
  ['an SVG drawing', 0, '<svg'],
  ['an SVG drawing', 0, '<?xml'],
];

function decodePng(bytes: Buffer, file: string): Decoded {
  return whole('PNG', file, () => {
    const chunks = chunksOf(bytes);
    const [header] = chunks;
    if (header?.type !== 'IHDR' || header.data.length !== 13) throw new Error('no header');
    const size = { width: header.data.readUInt32BE(0), height: header.data.readUInt32BE(4) };
    assertSize(size, file);
    // The decoder takes too little data for whatever its memory holds, and unpacks all of an interlaced image's.
    const [data, length] = [
      chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data),
      lengthOf(header.data),
    ];
    if (inflateSync(Buffer.concat(data), { maxOutputLength: length }).length < length)
      throw new Error('less data than its size asks for');
    const { data: pixels } = PNG.sync.read(bytes.subarray(0, chunks.find(({ type }) => type === 'IEND')?.end));
    const exif = chunks.find(({ type }) => type === 'eXIf');
    return { ...size, pixels, orientation: exif ? orientationIn(exif.data) : 1 };
  });
}

/** Samples of a pixel by the header's colour type. */
const SAMPLES: Partial<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Of an interlaced image: where each pass begins, and how far apart its pixels are (PNG, section 8.2). */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** How many bytes the rows of an image have, each with its filter's, as its header says. */
function lengthOf(header: Buffer): number {
  const [width, height, depth = 0, type = 0] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8], header[9]];
  const bits = depth * (SAMPLES[type] ?? 0);
  const passes = header[12] === 0 ? [[0, 0, 1, 1] as const] : PASSES;
  return passes.reduce((sum, [left, top, across, down]) => {
    const [columns, rows] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
    return sum + (columns > 0 && rows > 0 ? rows * (1 + Math.ceil((columns * bits) / 8)) : 0);
  }, 0);
}

/** The chunks that are there, whole or not. */
function chunksOf(bytes: Buffer): { type: string; data: Buffer; end: number }[] {
  const chunks = [];
  for (let at = PNG_SIGNATURE.length; at + 12 <= bytes.length;) {
    const end = at + 8 + bytes.readUInt32BE(at);
    chunks.push({ type: bytes.toString('latin1', at + 4, at + 8), data: bytes.subarray(at + 8, end), end: end + 4 });
    at = end + 4;
  }
  return chunks;
}

/** Start-of-frame markers: all of C0 to CF but those of tables and extensions. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function decodeJpeg(bytes: Buffer, file: string): Decoded {
  return whole('JPEG', file, () => {
    const segments = segmentsOf(bytes);
    const frame = segments.find(({ marker }) => isFrame(marker))?.data;
    if (!frame || frame.length < 6) throw new Error('no header');
    if (frame[0] !== 8) throw new Error(`${frame[0] ?? 0} bits a sample instead of 8`);
    assertSize({ width: frame.readUInt16BE(3), height: frame.readUInt16BE(1) }, file);
    const exif = segments.find(({ marker, data }) => marker === 0xe1 && startsWith(data, 'Exif\0\0'))?.data;
    const limits = { maxResolutionInMP: MOST_PIXELS / 1e6, maxMemoryUsageInMB: MOST_MEGABYTES };
    const { width, height, data: pixels } = jpeg.decode(bytes, { useTArray: true, tolerantDecoding: false, ...limits });
    return { width, height, pixels, orientation: exif ? orientationIn(exif.subarray(6)) : 1 };
  });
}

/** The segments before the image's data. */
function segmentsOf(bytes: Buffer): { marker: number; data: Buffer }[] {
  const segments = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xda) break;
    const end = at + 2 + (marker === 0xff ? -1 : bytes.readUInt16BE(at + 2));
    if (marker !== 0xff) segments.push({ marker, data: bytes.subarray(at + 4, end) });
    at = end;
  }
  return segments;
}

function assertSize({ width, height }: { width: number; height: number }, file: string): void {
  if (width > 0 && height > 0 && width * height <= MOST_PIXELS) return;
  throw cannot(`read ${file}`, {
    expected: `an image of at most ${formatCount(MOST_PIXELS)} pixels`,
    got: `one of ${formatCount(width)}×${formatCount(height)}`,
    hint: 'scale it down first',
  });
}

/** What decoders say of a file that is cut off or damaged, as one error. */
function whole(kind: string, file: string, decode: () => Decoded): Decoded {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BnTrainError) throw error;
    const isMore = codeOf(error) === 'ERR_BUFFER_TOO_LARGE';
    const got = `one that is cut off, damaged or of a rare kind (${isMore ? 'more data than its size asks for' : messageOf(error)})`;
    throw cannot(`read ${file}`, { expected: `a whole ${kind} image`, got, hint: 'save it again', cause: error });
  }
}

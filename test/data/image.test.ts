/** Images of any kind and size, decoded, turned upright, and framed as the data set's are; what is none is refused in words. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { deflateSync } from 'node:zlib';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Grey, resized } from '../../src/data/image/area.js';
import { type Decoded, decodeImage } from '../../src/data/image/decodeImage.js';
import { frame, type FrameOptions } from '../../src/data/image/frame.js';
import { readImage, readStream } from '../../src/data/image/readImage.js';
import { upright } from '../../src/data/image/orientation.js';
import { type Datasets } from '../../src/data/idx.js';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { amount } from '../support/amount.js';

/** Red of each pixel. */
const redOf = ({ pixels }: Decoded) => Array.from({ length: pixels.length / 4 }, (_, i) => pixels[4 * i] ?? 0);
const gridOf = (value: (x: number, y: number) => number, width: number, height: number) =>
  Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));

/** Written by ImageMagick 6.9, whose own reader gives the same. */
const FOREIGN: [kind: string, base64: string, pixels: number[]][] = [
  [
    'an interlaced PNG with a palette',
    'iVBORw0KGgoAAAANSUhEUgAAAAkAAAAFCAMAAAHXigbPAAAAh1BMVEUAAAAZGRkyMjJLS0tkZGR9fX2Wlpavr6/IyMgKCgojIyM8PDxVVVVubm' +
      '6Hh4egoKC5ubnS0tIUFBQtLS1GRkZfX194eHiRkZGqqqrDw8Pc3NweHh43NzdQUFBpaWmCgoKbm5u0tLTNzc3m5uYoKChBQUFaWlpzc3OMjIyl' +
      'paW+vr7X19fw8PDKdfffAAAAPUlEQVQI1wXBhQGAMADAsOLO2HB35//7SMDFZLs+dJvjQWVF1aAZlkOalzX7eb94fhBGsUgkbdcP4zQv6w9d3A' +
      'Pf7TYeiQAAAABJRU5ErkJggg==',
    gridOf((x, y) => 25 * x + 10 * y, 9, 5),
  ],
  [
    'an interlaced PNG of two bits',
    'iVBORw0KGgoAAAANSUhEUgAAAAkAAAAFAgAAAAGPj7GAAAAAHUlEQVQI12NgAIMFQNjRwFDOcBeIc3IcGI4dOwAARu4HeF8WJ2kAAAAASUVORK' +
      '5CYII=',
    gridOf((x, y) => 85 * ((x + y) % 4), 9, 5),
  ],
  [
    'a PNG of sixteen bits',
    'iVBORw0KGgoAAAANSUhEUgAAAAkAAAAFEAAAAADiqEX0AAAAE0lEQVQI12NkYJBEA0xcGIBsIQDxIgRqT5BzJwAAAABJRU5ErkJggg==',
    gridOf((x, y) => 25 * x + 10 * y, 9, 5),
  ],
  [
    'a progressive JPEG',
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeX' +
      'BkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wgARCAAQ' +
      'ABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAABgX/xAAUAQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIQAxAAAAGSoLqD/8QAFBABAA' +
      'AAAAAAAAAAAAAAAAAAIP/aAAgBAQABBQIf/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwF//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/a' +
      'AAgBAgEBPwF//8QAFBABAAAAAAAAAAAAAAAAAAAAIP/aAAgBAQAGPwIf/8QAFBABAAAAAAAAAAAAAAAAAAAAIP/aAAgBAQABPyEf/9oADAMBAA' +
      'IAAwAAABAD/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPxB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPxB//8QAFBABAAAA' +
      'AAAAAAAAAAAAAAAAIP/aAAgBAQABPxAf/9k=',
    gridOf((x) => (x < 8 ? 40 : 200), 16, 16),
  ],
  [
    'a JPEG for print (CMYK)',
    '/9j/7gAOQWRvYmUAZAAAAAAC/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZH' +
      'hcZWdj/9sAQwEREhIYFRgvGhovY0I4QmNjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj/8AAFAgAEAAQ' +
      'BAEiAAIRAQMRAQQiAP/EABYAAQEBAAAAAAAAAAAAAAAAAAcABv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAUAQEAAAAAAAAAAAAAAAAAAAAA/8' +
      'QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAA4EAQACEQMRBAAAPwA/SQMmUBeUH//Z',
    gridOf((x) => (x < 8 ? 40 : 200), 16, 16),
  ],
];

const rgbaOf = (grey: number[], opacity = (_: number) => 255) =>
  Buffer.from(grey.flatMap((value, i) => [value, value, value, opacity(i)]));

function pngOf(grey: number[], width: number, opacity?: (i: number) => number): Buffer {
  const png = new PNG({ width, height: grey.length / width });
  rgbaOf(grey, opacity).copy(png.data);
  return PNG.sync.write(png);
}

const jpegOf = (grey: number[], width: number) =>
  Buffer.from(jpeg.encode({ data: rgbaOf(grey), width, height: grey.length / width }, 95).data);

/** A PNG by its parts: a size that is promised, and data that need not keep it. */
function madeUp(width: number, height: number, data: Buffer, interlace = 0): Buffer {
  const whole = pngOf([0], 1);
  const header = Buffer.from(whole.subarray(8, 33));
  header.writeUInt32BE(width, 8);
  header.writeUInt32BE(height, 12);
  header.set([8, 0, 0, 0, interlace], 16);
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length);
  chunk.write('IDAT', 4);
  chunk.set(data, 8);
  return Buffer.concat([whole.subarray(0, 8), header, chunk, whole.subarray(-12)]);
}

/** Puts EXIF's orientation into a JPEG, or into a PNG, in either order of bytes. */
function turned(image: Buffer, orientation: number, isLittle: boolean): Buffer {
  const tiff = Buffer.alloc(26);
  const put = (value: number, at: number, size: 2 | 4) =>
    isLittle ? tiff.writeUIntLE(value, at, size) : tiff.writeUIntBE(value, at, size);
  tiff.write(isLittle ? 'II' : 'MM');
  put(42, 2, 2);
  put(8, 4, 4);
  put(1, 8, 2);
  put(0x0112, 10, 2);
  put(3, 12, 2);
  put(1, 14, 4);
  put(orientation, 18, 2);
  if (image[0] !== 0xff) {
    const chunk = Buffer.alloc(12 + tiff.length);
    chunk.writeUInt32BE(tiff.length);
    chunk.write('eXIf', 4);
    chunk.set(tiff, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
    return Buffer.concat([image.subarray(0, 33), chunk, image.subarray(33)]);
  }
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, tiff.length + 8]), Buffer.from('Exif\0\0'), tiff]);
  return Buffer.concat([image.subarray(0, 2), segment, image.subarray(2)]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe('decoding', () => {
  it.each(FOREIGN)('%s', (_, base64, pixels) => {
    expect(redOf(decodeImage(Buffer.from(base64, 'base64'), 'a'))).toEqual(pixels);
  });

  it('a PNG with bytes behind its end, as some programs leave them', () => {
    const bytes = Buffer.concat([pngOf([1, 2], 2), Buffer.from('left over')]);
    expect(redOf(decodeImage(bytes, 'a'))).toEqual([1, 2]);
  });

  const noise = Array.from({ length: 48 * 32 }, (_, i) => (i * 7919) % 256);
  const damaged = Buffer.from(pngOf(noise, 48));
  damaged.writeUInt8(damaged.readUInt8(100) ^ 255, 100);
  const zeros = (length: number) => deflateSync(Buffer.alloc(length));
  const deep = Buffer.from(jpegOf(noise, 48));
  deep.writeUInt8(12, deep.indexOf(Buffer.from([0xff, 0xc0])) + 4);
  const wide = Buffer.from(jpegOf(noise, 48));
  wide.writeUInt32BE(0xffffffff, wide.indexOf(Buffer.from([0xff, 0xc0])) + 5);
  const cut = 'a whole PNG image, got one that is cut off, damaged or of a rare kind';
  const cutJpeg = 'a whole JPEG image, got one that is cut off, damaged or of a rare kind';
  const few = 'an image of at most 50,000,000 pixels, got one of';
  const none = 'a PNG or JPEG image, got';
  it.each<[string, Buffer, string, string | undefined]>([
    ['nothing', Buffer.alloc(0), `${none} an empty file`, undefined],
    ['a text', Buffer.from('hello'), `${none} something else`, undefined],
    ['a GIF', Buffer.from('GIF89a'), `${none} a GIF image`, 'save it as PNG first'],
    ['a WebP', Buffer.from('RIFF....WEBPVP8 '), `${none} a WebP image`, 'save it as PNG first'],
    ['an AVIF', Buffer.from('\0\0\0 ftypavif'), `${none} an AVIF image`, 'save it as PNG first'],
    ["a phone's HEIC", Buffer.from('\0\0\0 ftypheic'), `${none} a HEIC image`, 'save it as PNG first'],
    ['a BMP', Buffer.from('BM'), `${none} a BMP image`, 'save it as PNG first'],
    ['a TIFF', Buffer.from('II*\0'), `${none} a TIFF image`, 'save it as PNG first'],
    ['a PDF', Buffer.from('%PDF-1.7'), `${none} a PDF document`, 'save it as PNG first'],
    ['an SVG', Buffer.from('<svg xmlns="'), `${none} an SVG drawing`, 'save it as PNG first'],
    ['the beginning of a PNG', pngOf(noise, 48).subarray(0, 12), `${cut} (no header)`, 'save it again'],
    ['half a PNG', pngOf(noise, 48).subarray(0, 700), `${cut} (unexpected end of file)`, 'save it again'],
    ['a PNG with a wrong byte', damaged, `${cut} (`, 'save it again'],
    ['a PNG of a colour type that there is not', typed(5), `${cut} (`, 'save it again'],
    [
      'a PNG with too little data',
      madeUp(100, 100, zeros(99)),
      `${cut} (less data than its size asks for)`,
      'save it again',
    ],
    [
      'a PNG that unpacks to 300 MB',
      madeUp(9, 9, zeros(3e8)),
      `${cut} (more data than its size asks for)`,
      'save it again',
    ],
    [
      'an interlaced one that does',
      madeUp(9, 9, zeros(3e8), 1),
      `${cut} (more data than its size asks for)`,
      'save it again',
    ],
    [
      'a PNG that promises 3.6 billion pixels',
      madeUp(60000, 60000, zeros(9)),
      `${few} 60,000×60,000`,
      'scale it down first',
    ],
    ['a PNG without pixels', madeUp(0, 9, zeros(9)), `${few} 0×9`, 'scale it down first'],
    ['half a JPEG', jpegOf(noise, 48).subarray(0, 900), `${cutJpeg} (`, 'save it again'],
    ['the beginning of a JPEG', jpegOf(noise, 48).subarray(0, 50), `${cutJpeg} (no header)`, 'save it again'],
    ['a JPEG that promises 4 billion pixels', wide, `${few} 65,535×65,535`, 'scale it down first'],
    ['a JPEG of twelve bits', deep, `${cutJpeg} (12 bits a sample instead of 8)`, 'save it again'],
  ])('is refused: %s', (_, bytes, words, hint) => {
    const start = Date.now();
    const error = caught(() => decodeImage(bytes, 'a.png'));
    expect(error.message).toContain(`Cannot read a.png: expected ${words}`);
    expect(error).toMatchObject({ name: 'BnTrainError', hint });
    expect(Date.now() - start).toBeLessThan(2000);
  });

  function typed(type: number): Buffer {
    const png = madeUp(9, 9, zeros(90));
    png.writeUInt8(type, 25);
    return png;
  }

  it('never ends in anything but pixels or words, whatever bytes were changed', () => {
    const images = [pngOf(noise, 48), jpegOf(noise, 48), ...FOREIGN.map(([, base64]) => Buffer.from(base64, 'base64'))];
    for (let n = 0; n < amount(2000, 200); n++) {
      const bytes = Buffer.from(images[n % images.length] ?? '');
      for (let i = 0; i < 1 + (n % 5); i++) bytes[(n * 7919 + i * 104_729) % bytes.length] = (n * 31 + i * 97) % 256;
      try {
        const { pixels, width, height } = decodeImage(
          bytes.subarray(0, n % 3 === 0 ? n % bytes.length : undefined),
          'a',
        );
        expect(pixels.length).toBe(4 * width * height);
      } catch (error) {
        expect(error).toMatchObject({ name: 'BnTrainError' });
      }
    }
  });
});

function caught(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}

describe('orientation', () => {
  /** What a camera would store of "1 2 3 / 4 5 6" when it was held so (Exif 2.3, table of Orientation). */
  const STORED: [orientation: number, width: number, pixels: number[]][] = [
    [1, 3, [1, 2, 3, 4, 5, 6]],
    [2, 3, [3, 2, 1, 6, 5, 4]],
    [3, 3, [6, 5, 4, 3, 2, 1]],
    [4, 3, [4, 5, 6, 1, 2, 3]],
    [5, 2, [1, 4, 2, 5, 3, 6]],
    [6, 2, [3, 6, 2, 5, 1, 4]],
    [7, 2, [6, 3, 5, 2, 4, 1]],
    [8, 2, [4, 1, 5, 2, 6, 3]],
  ];

  it.each(STORED)('%i', (orientation, width, pixels) => {
    const image = { width, height: 6 / width, pixels: Uint8Array.from(pixels) };
    expect(upright(image, orientation)).toEqual({ width: 3, height: 2, pixels: Uint8Array.from([1, 2, 3, 4, 5, 6]) });
  });

  it.each([true, false])('is read from JPEG and PNG, with bytes in little-endian order: %s', (isLittle) => {
    const flat = Array.from({ length: 64 }, () => 100);
    for (const image of [jpegOf(flat, 8), pngOf(flat, 8)])
      for (const orientation of [1, 6, 8, 0, 9])
        expect(decodeImage(turned(image, orientation, isLittle), 'a').orientation).toBe(
          orientation >= 1 && orientation <= 8 ? orientation : 1,
        );
  });
});

describe('another size', () => {
  const image: Grey = { width: 4, height: 2, pixels: Uint8Array.from([0, 10, 20, 30, 40, 50, 60, 70]) };
  const whole = { left: 0, top: 0, width: 4, height: 2 };
  it.each([
    ['a quarter', whole, 2, 1, [25, 45]],
    ['parts of pixels', whole, 3, 1, [23, 35, 48]],
    ['the same', whole, 4, 2, [0, 10, 20, 30, 40, 50, 60, 70]],
    ['larger', { left: 1, top: 0, width: 1, height: 2 }, 2, 4, [10, 10, 10, 10, 50, 50, 50, 50]],
    ['one pixel', whole, 1, 1, [35]],
  ])('%s', (_, box, width, height, pixels) => {
    expect(resized(image, box, width, height)).toEqual({ width, height, pixels: Uint8Array.from(pixels) });
  });
});

const options: FrameOptions = { width: 28, height: 28, crop: true, invert: undefined };
const decoded = (grey: number[], width: number, opacity?: (i: number) => number): Decoded =>
  decodeImage(pngOf(grey, width, opacity), 'a');
/** The same without a file, which takes most of the time. */
const shown = (grey: number[], width: number): Decoded => ({
  width,
  height: grey.length / width,
  pixels: new Uint8Array(4 * grey.length).map((_, i) => (i % 4 === 3 ? 255 : (grey[i >> 2] ?? 0))),
  orientation: 1,
});
const disc = (x: number, y: number) => (x - 150) ** 2 + (y - 90) ** 2 < 40 ** 2;

describe('framing', () => {
  it('cuts an object out and centres it as large as it fits, and inverts where the background is light', () => {
    const dark = frame(
      decoded(
        gridOf((x, y) => (disc(x, y) ? 30 : 240), 400, 200),
        400,
      ),
      options,
    );
    expect(dark).toMatchObject({ size: { width: 400, height: 200 }, inverted: true, behind: null, blank: false });
    expect(dark.box?.width).toBeGreaterThanOrEqual(79);
    expect(dark.box?.width).toBeLessThanOrEqual(88);
    expect([dark.pixels[0], dark.pixels[27], dark.pixels[14 * 28 + 14]]).toEqual([0, 0, 223]);
    const light = frame(
      decoded(
        gridOf((x, y) => (disc(x, y) ? 240 : 30), 400, 200),
        400,
      ),
      options,
    );
    expect(light.inverted).toBe(false);
    expect(light.box).toEqual(dark.box);
    expect(light.pixels[14 * 28 + 14]).toBe(238);
  });

  it('finds it before a background that is noisy and unevenly lit', () => {
    const noisy = gridOf((x, y) => (disc(x, y) ? 60 : 225 + y / 10 - ((x * 7919 + y * 104_729) % 23)), 400, 200);
    const { box, pixels } = frame(decoded(noisy.map(Math.round), 400), options);
    expect(box?.width).toBeGreaterThanOrEqual(79);
    expect(box?.width).toBeLessThanOrEqual(88);
    expect(Math.max(...pixels.subarray(0, 8))).toBeLessThan(13);
  });

  it('keeps the ratio of its sides, and all of it with crop: false', () => {
    const wide = frame(
      decoded(
        gridOf((x, y) => (disc(x, y) ? 30 : 240), 400, 200),
        400,
      ),
      { ...options, crop: false },
    );
    expect(wide.box).toBeNull();
    const lit = Array.from({ length: 28 }, (_, row) =>
      wide.pixels.subarray(row * 28, row * 28 + 28).some((value) => value > 0),
    );
    expect(lit.indexOf(true)).toBeGreaterThanOrEqual(7 + 3);
    expect(lit.lastIndexOf(true)).toBeLessThan(21);
  });

  it.each([
    ['a dark object is seen before white', 30, 'white', true, 225],
    ['a bright object is seen before black', 220, 'black', false, 220],
  ])('where the background is transparent, %s', (_, value, behind, inverted, middle) => {
    const opacity = (i: number) => (disc(i % 400, Math.floor(i / 400)) ? 255 : 0);
    const { pixels, ...told } = frame(
      decoded(
        gridOf(() => value, 400, 200),
        400,
        opacity,
      ),
      options,
    );
    expect(told).toMatchObject({ behind, inverted });
    expect([pixels[0], pixels[14 * 28 + 14]]).toEqual([0, middle]);
  });

  it('does as it is told: invert true or false', () => {
    const grey = gridOf((x, y) => (disc(x, y) ? 30 : 240), 400, 200);
    expect(frame(decoded(grey, 400), { ...options, invert: false })).toMatchObject({ inverted: false, box: null });
    expect(
      frame(
        decoded(
          grey.map((value) => 255 - value),
          400,
        ),
        { ...options, invert: true },
      ).inverted,
    ).toBe(true);
  });

  it.each([
    ['white', gridOf(() => 255, 50, 30), 50],
    ['one black pixel', [0], 1],
    ['transparent', gridOf(() => 99, 50, 30), 50],
  ])('says where there is nothing to see: %s', (name, grey, width) => {
    const { blank, pixels } = frame(decoded(grey, width, name === 'transparent' ? () => 0 : undefined), options);
    expect(blank).toBe(true);
    expect(Math.max(...pixels)).toBe(0);
  });

  it.each([
    [1, 3000],
    [3000, 1],
  ])('a line of %i×%i', (width, height) => {
    const { pixels } = frame(
      decoded(
        gridOf((x, y) => (x + y > 999 && x + y < 2000 ? 255 : 0), width, height),
        width,
      ),
      options,
    );
    expect(pixels.filter((value) => value > 200).length).toBeGreaterThanOrEqual(26);
  });

  it('leaves test images as they are, whatever size they are scaled up to, inverted or not', async () => {
    const { test }: Datasets = await loadFashionMnist();
    let same = 0;
    const count = amount(500, 20);
    for (let n = 0; n < count; n++) {
      const own = [...test.images.subarray(n * 784, (n + 1) * 784)];
      const inverted = own.map((value) => 255 - value);
      const large = gridOf((x, y) => own[Math.floor(y / 10) * 28 + Math.floor(x / 10)] ?? 0, 280, 280);
      expect([...frame(shown(own, 28), options).pixels]).toEqual(own);
      expect(frame(shown(inverted, 28), options)).toMatchObject({ inverted: true, pixels: Uint8Array.from(own) });
      same += Number(Buffer.from(frame(shown(large, 280), options).pixels).equals(Buffer.from(own)));
    }
    // A few reach with their grey into two corners, which are then taken for the background.
    expect(same).toBeGreaterThanOrEqual(count * 0.995);
  });
});

describe('reading', () => {
  const work = mkdtempSync(path.join(tmpdir(), 'bn-train-image-'));
  afterAll(() => rm(work, { recursive: true }));

  it('a file that is not there is told with the nearest name, a folder as such, and a large one', async () => {
    writeFileSync(path.join(work, 'boot.png'), '');
    await mkdir(path.join(work, 'folder.png'));
    const told = (name: string) => readImage(path.join(work, name)).catch((error: unknown) => error);
    const expected = (name: string) =>
      `Cannot read ${path.join(work, name)}: expected an image's file of at most 64.0 MB, got`;
    expect(await told('boat.png')).toMatchObject({
      message: `${expected('boat.png')} no such file or folder`,
      hint: `did you mean ${path.join(work, 'boot.png')}?`,
    });
    expect(await told('other.jpeg')).toMatchObject({ hint: undefined });
    expect(await told('none/boot.png')).toMatchObject({
      message: `${expected('none/boot.png')} no such file or folder`,
    });
    expect(await told('folder.png')).toMatchObject({ message: `${expected('folder.png')} a folder` });
    expect(await readImage(path.join(work, 'boot.png'))).toEqual(Buffer.alloc(0));
  });

  it('a stream to its end, or to the bound', async () => {
    expect(await readStream(Readable.from([Buffer.from('a'), Buffer.from('b')]))).toEqual(Buffer.from('ab'));
    const endless = new Readable({ read: (size) => void endless.push(Buffer.alloc(size * 64)) });
    await expect(readStream(endless)).rejects.toMatchObject({
      message: 'Cannot read stdin: expected an image of at most 64.0 MB, got more',
    });
  });
});

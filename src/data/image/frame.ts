/** Any image as the data set's images are: grey, bright on black, the object as large as it fits and in the middle. */
import { type Box, type Grey, resized } from './area.js';
import type { Decoded } from './decodeImage.js';
import { upright } from './orientation.js';

export interface FrameOptions {
  /** Of what comes out. */
  width: number;
  height: number;
  /** Whether the object is cut out, as Fashion-MNIST's are; else the whole image is kept. */
  crop: boolean;
  /** Whether to invert; undefined is where the background is light. */
  invert: boolean | undefined;
}

export interface Framed extends Grey {
  /** The image's own size, upright. */
  size: { width: number; height: number };
  /** Whether its EXIF data asked for that. */
  turned: boolean;
  /** What a transparent background was taken for. */
  behind: 'black' | 'white' | null;
  inverted: boolean;
  /** What was cut out; null where all was kept. */
  box: Box | null;
  /** Whether there is anything that differs from the background. */
  blank: boolean;
}

/** How much brighter than the background the object is: 5 % (Xiao et al. 2017, section 2). */
const FAINT = 13;
/** An object that spans as much of the image is framed as the data set's are, the smallest of which spans 25 of 28 pixels. */
const SPAN = 7 / 8;
/** How many times as large as the network's images one is where the object is looked for. */
const OVERSAMPLED = 4;

/**
 * After Fashion-MNIST's own conversion (Xiao et al. 2017, arXiv 1708.07747, section 2): its edges trimmed, its longest side
 * scaled, centred. Here areas are averaged, nothing is sharpened, and an image of the very size is only inverted.
 */
export function frame(image: Decoded, { width, height, crop, invert }: FrameOptions): Framed {
  const { grey, behind } = greyOf(image);
  const shown = upright(grey, image.orientation);
  const size = { width: shown.width, height: shown.height };
  const corners = cornersOf(shown);
  const inverted = invert ?? between(corners) >= 128;
  const bright = inverted ? map(shown, (value) => 255 - value) : shown;
  const told = { size, turned: image.orientation !== 1, behind, inverted };
  const black = blackOf(inverted ? corners.map((value) => 255 - value) : corners);
  const object = boxOf(bright, black, OVERSAMPLED * Math.max(width, height));
  const blank = object === undefined;
  if (size.width === width && size.height === height) return { ...bright, ...told, box: null, blank };
  const longest = Math.max(size.width, size.height);
  const isFramed = !object || Math.max(object.width, object.height) >= SPAN * longest;
  const box = isFramed || !crop ? null : object;
  const fitted = centred(bright, box ?? wholeOf(bright), black, { width, height });
  return { ...fitted, ...told, box, blank };
}

/** Brightness as of television (ITU-R BT.601). Behind what is transparent stands what its object is seen before. */
function greyOf({ width, height, pixels }: Decoded): { grey: Grey; behind: Framed['behind'] } {
  const grey = { width, height, pixels: new Uint8Array(width * height) };
  let [opacity, brightness] = [0, 0];
  for (let i = 0; i < grey.pixels.length; i++) {
    const at = (channel: number) => pixels[4 * i + channel] ?? 0;
    const [value, opaque] = [Math.round(0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2)), at(3)];
    grey.pixels[i] = value;
    opacity += opaque;
    brightness += opaque * value;
  }
  if (opacity === 255 * grey.pixels.length) return { grey, behind: null };
  const backdrop = brightness < 127.5 * opacity ? 255 : 0;
  grey.pixels.forEach((value, i) => {
    grey.pixels[i] = Math.round(backdrop + ((value - backdrop) * (pixels[4 * i + 3] ?? 0)) / 255);
  });
  return { grey, behind: backdrop === 0 ? 'black' : 'white' };
}

/** The median of each corner, a square of a sixteenth of the shorter side. */
function cornersOf({ width, height, pixels }: Grey): number[] {
  const side = Math.max(1, Math.round(Math.min(width, height) / 16));
  return [0, height - side].flatMap((top) =>
    [0, width - side].map((left) => {
      const rows = Array.from({ length: side }, (_, y) => pixels.subarray((top + y) * width + left).subarray(0, side));
      return Uint8Array.from(rows.flatMap((row) => [...row])).sort()[(side * side) >> 1] ?? 0;
    }),
  );
}

/** The mean of the two corners in the middle: an object may reach into one, or two. */
function between(corners: number[]): number {
  const [, a = 0, b = 0] = corners.toSorted((one, other) => one - other);
  return (a + b) / 2;
}

/** The brightness of a dark background, of which no picture is evenly lit: that of its second brightest corner. */
function blackOf(corners: number[]): number {
  const [, , black = 0] = corners.toSorted((one, other) => one - other);
  return black < 128 ? black : 0;
}

function map<T extends Grey>(image: T, change: (value: number) => number): T {
  return { ...image, pixels: image.pixels.map(change) };
}

/** What is `black` becomes 0; white stays white. */
function onBlack(image: Grey, black: number): Grey {
  return map(image, (value) => Math.round((255 * Math.max(0, value - black)) / (255 - black)));
}

const wholeOf = ({ width, height }: Grey): Box => ({ left: 0, top: 0, width, height });

/** Around all that is no background, seen from as far as noise vanishes; undefined where there is nothing. */
function boxOf(image: Grey, black: number, most: number): Box | undefined {
  const far = Math.max(1, Math.max(image.width, image.height) / most);
  const sideOf = (length: number) => Math.max(1, Math.round(length / far));
  const seen = onBlack(resized(image, wholeOf(image), sideOf(image.width), sideOf(image.height)), black);
  let [left, top, right, bottom] = [seen.width, seen.height, -1, -1];
  seen.pixels.forEach((value, i) => {
    if (value < FAINT) return;
    const [x, y] = [i % seen.width, Math.floor(i / seen.width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  if (right < 0) return undefined;
  const [across, down] = [image.width / seen.width, image.height / seen.height];
  const [first, above] = [Math.floor(left * across), Math.floor(top * down)];
  const [width, height] = [Math.ceil((right + 1) * across) - first, Math.ceil((bottom + 1) * down) - above];
  return {
    left: first,
    top: above,
    width: Math.min(width, image.width - first),
    height: Math.min(height, image.height - above),
  };
}

/** As large as it fits with its sides' ratio kept, on black. */
function centred(image: Grey, box: Box, black: number, { width, height }: { width: number; height: number }): Grey {
  const scale = Math.min(width / box.width, height / box.height);
  const sideOf = (length: number) => Math.max(1, Math.round(length * scale));
  const fitted = onBlack(resized(image, box, sideOf(box.width), sideOf(box.height)), black);
  const [left, top] = [Math.floor((width - fitted.width) / 2), Math.floor((height - fitted.height) / 2)];
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < fitted.height; y++)
    pixels.set(fitted.pixels.subarray(y * fitted.width, (y + 1) * fitted.width), (top + y) * width + left);
  return { width, height, pixels };
}

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

/**
 * After Fashion-MNIST's own conversion (Xiao et al. 2017, arXiv 1708.07747, section 2): its edges trimmed, its longest side
 * scaled, centred. Here areas are averaged, nothing is sharpened, and an image of the very size is only inverted.
 */
export function frame(image: Decoded, { width, height, crop, invert }: FrameOptions): Framed {
  const { grey, behind } = greyOf(image);
  const shown = upright(grey, image.orientation);
  const size = { width: shown.width, height: shown.height };
  const background = backgroundOf(shown);
  const inverted = invert ?? background >= 128;
  const bright = inverted ? map(shown, (value) => 255 - value) : shown;
  const told = { size, turned: image.orientation !== 1, behind, inverted };
  const isFitting = size.width === width && size.height === height;
  const level = isFitting ? bright : onBlack(bright, inverted ? 255 - background : background);
  const object = boxOf(level);
  const longest = Math.max(size.width, size.height);
  const isFramed = !object || Math.max(object.width, object.height) >= SPAN * longest;
  const box = isFitting || !crop || isFramed ? null : object;
  const fitted = isFitting ? bright : centred(level, box ?? { left: 0, top: 0, ...size }, { width, height });
  return { ...fitted, ...told, box, blank: object === undefined };
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

/** The median of the four corners, each a sixteenth of the shorter side. */
function backgroundOf({ width, height, pixels }: Grey): number {
  const side = Math.max(1, Math.round(Math.min(width, height) / 16));
  const corners: number[] = [];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (const row of [y, height - 1 - y])
        for (const column of [x, width - 1 - x]) corners.push(pixels[row * width + column] ?? 0);
  return Uint8Array.from(corners).sort()[corners.length >> 1] ?? 0;
}

function map(image: Grey, change: (value: number) => number): Grey {
  return { ...image, pixels: image.pixels.map(change) };
}

/** A dark background's brightness becomes 0; white stays white. */
function onBlack(image: Grey, background: number): Grey {
  if (background === 0 || background >= 128) return image;
  return map(image, (value) => Math.round((255 * Math.max(0, value - background)) / (255 - background)));
}

/** Around all that is no background; undefined where there is nothing. */
function boxOf({ width, height, pixels }: Grey): Box | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  pixels.forEach((value, i) => {
    if (value < FAINT) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** As large as it fits with its sides' ratio kept, on black. */
function centred(image: Grey, box: Box, { width, height }: { width: number; height: number }): Grey {
  const scale = Math.min(width / box.width, height / box.height);
  const sideOf = (length: number) => Math.max(1, Math.round(length * scale));
  const fitted = resized(image, box, sideOf(box.width), sideOf(box.height));
  const [left, top] = [Math.floor((width - fitted.width) / 2), Math.floor((height - fitted.height) / 2)];
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < fitted.height; y++)
    pixels.set(fitted.pixels.subarray(y * fitted.width, (y + 1) * fitted.width), (top + y) * width + left);
  return { width, height, pixels };
}

/** How a camera was held when it took a photo, as its file says in EXIF, and the photo turned upright. */
import type { Grey } from './area.js';

const ORIENTATION_TAG = 0x0112;

/** EXIF's orientation, 1 to 8, from a TIFF structure (TIFF 6.0, section 2; Exif 2.3, 4.6.4); 1, upright, where it has none. */
export function orientationIn(tiff: Buffer): number {
  const isLittle = tiff.toString('latin1', 0, 2) === 'II';
  const has = (at: number, size: number) => at + size <= tiff.length;
  const uint16 = (at: number) => (!has(at, 2) ? 0 : isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const uint32 = (at: number) => (!has(at, 4) ? 0 : isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const directory = uint32(4);
  const entries = Array.from({ length: uint16(directory) }, (_, i) => directory + 2 + 12 * i);
  const entry = entries.find((at) => uint16(at) === ORIENTATION_TAG);
  const value = entry === undefined ? 1 : uint16(entry + 8);
  return value >= 1 && value <= 8 ? value : 1;
}

/** An image as it is to be seen: 2 to 4 mirror it or turn it by half, 5 to 8 swap its sides. */
export function upright(image: Grey, orientation: number): Grey {
  if (orientation === 1) return image;
  const isSwapped = orientation >= 5;
  const [width, height] = isSwapped ? [image.height, image.width] : [image.width, image.height];
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  const pixels = new Uint8Array(image.pixels.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [across, down] = isSwapped ? [y, x] : [x, y];
      const column = fromRight ? image.width - 1 - across : across;
      const row = fromBelow ? image.height - 1 - down : down;
      pixels[y * width + x] = image.pixels[row * image.width + column] ?? 0;
    }
  return { width, height, pixels };
}

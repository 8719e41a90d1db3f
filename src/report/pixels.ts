/** Grey pixels in a line of text: a character stands for two of them, one above the other, until a stream's looks are known. */

/** The sixteenth plane of Unicode has no characters but private ones, 65,536: one for each pair of bytes. */
const FIRST = 0xf0000;
export const PIXELS = /[\u{f0000}-\u{fffff}]+/gu;
/** From black to white. */
const INK = ' .:-=+*#%@';

/** An image of bytes 0 to 255 as lines, one for each two rows. */
export function pixelLines(pixels: Uint8Array, width: number): string[] {
  return Array.from({ length: Math.ceil(pixels.length / width / 2) }, (_, row) => {
    const top = pixels.subarray(2 * row * width, (2 * row + 1) * width);
    return Array.from(top, (above, i) => {
      const below = pixels[(2 * row + 1) * width + i] ?? 0;
      return String.fromCodePoint(FIRST + 256 * above + below);
    }).join('');
  });
}

/** What `PIXELS` found, drawn: half blocks in 24 or 8 bits of colour, else characters of as much ink as a pair is bright. */
export function drawPixels(text: string, colour: number): string {
  const pairs = Array.from(text, (pair) => {
    const bytes = (pair.codePointAt(0) ?? FIRST) - FIRST;
    return { above: bytes >> 8, below: bytes & 255 };
  });
  if (colour < 8) return pairs.map(({ above, below }) => INK[Math.round(((above + below) / 510) * 9)]).join('');
  const code =
    colour === 24 ? (value: number) => `2;${value};${value};${value}` : (value: number) => `5;${grey(value)}`;
  return `${pairs.map(({ above, below }) => `\x1b[38;${code(above)};48;${code(below)}m▀`).join('')}\x1b[0m`;
}

/** The nearest of xterm's 256 colours: black, 24 greys from 8 to 238, white. */
function grey(value: number): number {
  if (value < 4) return 16;
  return value > 246 ? 231 : 232 + Math.min(23, Math.max(0, Math.round((value - 8) / 10)));
}

/** Grey images in another size: each new pixel is the mean of the area that it covers. */

/** Bytes 0 to 255, row by row. */
export interface Grey {
  width: number;
  height: number;
  pixels: Uint8Array;
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** What stands within `box`, in so many pixels. */
export function resized(image: Grey, box: Box, width: number, height: number): Grey {
  const columns = shares(box.left, box.width, width);
  const rows = shares(box.top, box.height, height);
  const pixels = rows.flatMap((down) =>
    columns.map((across) => {
      let sum = 0;
      for (const [i, ofRow] of down.weights.entries()) {
        const start = (down.first + i) * image.width + across.first;
        for (const [j, ofColumn] of across.weights.entries()) sum += ofRow * ofColumn * (image.pixels[start + j] ?? 0);
      }
      return Math.round(sum);
    }),
  );
  return { width, height, pixels: Uint8Array.from(pixels) };
}

/** For each of `count` parts of a side, which pixels it covers, and how much of it each of them is. */
function shares(start: number, length: number, count: number) {
  return Array.from({ length: count }, (_, part) => {
    const [from, to] = [(part * length) / count, ((part + 1) * length) / count];
    const first = Math.floor(from);
    const covered = Array.from({ length: Math.ceil(to) - first }, (_, i) => {
      return Math.min(to, first + i + 1) - Math.max(from, first + i);
    });
    return { first: start + first, weights: covered.map((each) => (each * count) / length) };
  });
}

/** What `predict` is asked about, made ready for the network: files, stdin, and images of the test set. */
import { statSync } from 'node:fs';
import { cannot, EXIT } from '../common/errors.js';
import { formatCount } from '../common/format.js';
import { toType } from '../common/invocation.js';
import type { Framed, FrameOptions } from '../data/image/frame.js';
import type { Dataset } from '../data/idx.js';

export interface AskedImage {
  name: string;
  pixels: Uint8Array;
  /** How it was made ready; undefined for those of the data set. */
  framed?: Framed;
  label?: number;
}

/** The run and the images among the command's words: the first is the run where it is a folder, or no image's name. */
export function splitWords([first = '', ...others]: string[]): { run: string | undefined; images: string[] } {
  const isRun = !isImage(first);
  const images = isRun ? others : [first, ...others];
  if (images.length > 0) return { run: isRun ? first : undefined, images };
  throw cannot(`predict with the run ${first}`, {
    expected: 'images after it',
    got: 'none',
    hint: toType(`predict ${first} test:0`),
    exitCode: EXIT.usage,
  });
}

function isImage(word: string): boolean {
  if (isTest(word) || word === '-') return true;
  const stats = statSync(word, { throwIfNoEntry: false });
  return stats ? !stats.isDirectory() : /\.(png|jpe?g)$/i.test(word);
}

export const isTest = (word: string) => word.startsWith('test:');

/** A file, or stdin for `-`, decoded and framed. */
export async function fromFile(word: string, options: FrameOptions): Promise<AskedImage> {
  const [{ readImage, readStream }, { decodeImage }, { frame }] = await Promise.all([
    import('../data/image/readImage.js'),
    import('../data/image/decodeImage.js'),
    import('../data/image/frame.js'),
  ]);
  const name = word === '-' ? 'stdin' : word;
  const bytes = word === '-' ? await readStream(process.stdin) : await readImage(word);
  const framed = frame(decodeImage(bytes, name), options);
  return { name, pixels: framed.pixels, framed };
}

/** "test:17" as the test set's image of that number, counted from 0. */
export function fromTest(word: string, { images, labels, count, height, width }: Dataset): AskedImage {
  const digits = word.slice('test:'.length);
  const row = /^\d+$/.test(digits) ? Number(digits) : NaN;
  if (!(row < count))
    throw cannot(`predict ${word}`, {
      expected: `a test image from test:0 to test:${count - 1}, as there are ${formatCount(count)}`,
      got: word,
      hint: `for a file of that name: ./${word}`,
      exitCode: EXIT.usage,
    });
  return {
    name: `test:${row}`,
    pixels: images.slice(row * height * width, (row + 1) * height * width),
    label: labels[row],
  };
}

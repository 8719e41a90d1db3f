/** An image's file, read within a bound, from the disk or from stdin; what is not there is told with the nearest name. */
import { readdir } from 'node:fs/promises';
import * as path from 'node:path';
import { cannot, nearest } from '../../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../../common/files.js';
import { formatBytes } from '../../common/format.js';

/** The most bytes that an image's file may have. */
const LARGEST = 64_000_000;

/** Throws a BnTrainError for what is no file, or too large a one. */
export async function readImage(file: string): Promise<Buffer> {
  return readBounded(file, LARGEST).catch(async (error: unknown) => {
    throw cannot(`read ${file}`, {
      expected: `an image's file of at most ${formatBytes(LARGEST)}`,
      got: describeFileError(error),
      hint: codeOf(error) === 'ENOENT' ? await nearby(file) : undefined,
      cause: error,
    });
  });
}

/** "did you mean photos/boot.png?" */
async function nearby(file: string): Promise<string | undefined> {
  const folder = path.dirname(file);
  const names = await readdir(folder).catch(() => []);
  const meant = nearest(path.basename(file), names);
  return meant === undefined ? undefined : `did you mean ${path.join(folder, meant)}?`;
}

/** All of a stream, as `-` names stdin. Throws a BnTrainError where it does not end within the bound. */
export async function readStream(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > LARGEST)
      throw cannot('read stdin', { expected: `an image of at most ${formatBytes(LARGEST)}`, got: 'more' });
  }
  return Buffer.concat(chunks);
}

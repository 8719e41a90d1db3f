/** Bytes become data only here: unpacked within bounds and held against the manifest's size and SHA-256. */
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type BnTrainError, cannot, messageOf } from '../common/errors.js';
import { describeFileError, exists, readBounded } from '../common/files.js';
import type { DataFile } from './manifest.js';

const unzip = promisify(gunzip);

/**
 * Large arrays begin 16 bytes into a page of memory. With this lead, what follows the 16 bytes of the images' header begins
 * at a multiple of 64, where TensorFlow uses it in place; anywhere else it would make a copy of 47 MB.
 */
const LEAD = 32;

/** The file from a folder, unpacked or as .gz, verified; undefined if the folder has neither. Throws if it is damaged. */
export async function readVerified(folder: string, file: DataFile): Promise<Uint8Array | undefined> {
  const plain = path.join(folder, file.name);
  if (await exists(plain)) return verify(await readAtMost(plain, file.size), file, plain);
  const packed = `${plain}.gz`;
  if (await exists(packed)) return unpack(await readAtMost(packed, packedLimit(file)), file, packed);
  return undefined;
}

/** The most bytes that the file may have as .gz: what cannot be compressed grows a little. */
export function packedLimit(file: DataFile): number {
  return file.size + 65_536;
}

/** The bytes of a file that has at most `limit`. */
export async function readAtMost(name: string, limit: number): Promise<Buffer> {
  return readBounded(name, limit, LEAD).catch((error: unknown) => {
    throw wrong(name, `a file of at most ${limit} bytes`, describeFileError(error), error);
  });
}

/** Unpacks gzip and verifies; `origin` names where the bytes came from. */
export async function unpack(bytes: Uint8Array, file: DataFile, origin: string): Promise<Uint8Array> {
  const unpacked = await unzip(bytes, { maxOutputLength: file.size + 1 }).catch((error: unknown) => {
    throw cannot(`unpack ${origin}`, {
      expected: `gzip of ${file.size} bytes`,
      got: messageOf(error),
      hint: 'delete it and run: bn-train data',
      cause: error,
    });
  });
  return verify(unpacked, file, origin);
}

function verify(bytes: Uint8Array, file: DataFile, origin: string): Uint8Array {
  if (bytes.length !== file.size) throw wrong(origin, `${file.size} bytes`, `${bytes.length}`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== file.sha256) throw wrong(origin, `SHA-256 ${file.sha256}`, sha256);
  return bytes;
}

function wrong(origin: string, expected: string, got: string, cause?: unknown): BnTrainError {
  return cannot(`use ${origin}`, { expected, got, hint: 'delete it and run: bn-train data', cause });
}

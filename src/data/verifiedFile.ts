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
  return (await exists(packed)) ? unpack(await readAtMost(packed, packedLimit(file)), file, packed) : undefined;
}

/** The most bytes that the file may have as .gz: what cannot be compressed grows a little. */
export function packedLimit({ size }: DataFile): number {
  return size + 65_536;
}

async function readAtMost(name: string, limit: number): Promise<Buffer> {
  return readBounded(name, limit, LEAD).catch((error: unknown) => {
    throw wrong(`use ${name}`, `a file of at most ${limit} bytes`, describeFileError(error), error);
  });
}

/** Unpacks gzip and verifies; `origin` names where the bytes came from. */
export async function unpack(bytes: Uint8Array, file: DataFile, origin: string): Promise<Uint8Array> {
  const unpacked = await unzip(bytes, { maxOutputLength: file.size + 1 }).catch((cause: unknown) => {
    throw wrong(`unpack ${origin}`, `gzip of ${file.size} bytes`, messageOf(cause), cause);
  });
  return verify(unpacked, file, origin);
}

function verify(bytes: Uint8Array, file: DataFile, origin: string): Uint8Array {
  if (bytes.length !== file.size) throw wrong(`use ${origin}`, `${file.size} bytes`, `${bytes.length}`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== file.sha256) throw wrong(`use ${origin}`, `SHA-256 ${file.sha256}`, sha256);
  return bytes;
}

function wrong(action: string, expected: string, got: string, cause?: unknown): BnTrainError {
  return cannot(action, { expected, got, hint: 'delete it and run: bn-train data', cause });
}

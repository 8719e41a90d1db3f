/** Bytes become data only here: unpacked within bounds and held against the manifest's size and SHA-256. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { cannot, messageOf } from '../errors.js';
import { exists } from '../files.js';
import type { DataFile } from './manifest.js';

const unzip = promisify(gunzip);

/** The file from a folder, unpacked or as .gz, verified; undefined if the folder has neither. Throws if it is damaged. */
export async function readVerified(folder: string, file: DataFile): Promise<Uint8Array | undefined> {
  const plain = path.join(folder, file.name);
  if (await exists(plain)) return verify(await readFile(plain), file, plain);
  const packed = `${plain}.gz`;
  if (await exists(packed)) return unpack(await readFile(packed), file, packed);
  return undefined;
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
  const wrong = (expected: string, got: string) =>
    cannot(`use ${origin}`, { expected, got, hint: 'delete it and run: bn-train data' });
  if (bytes.length !== file.size) throw wrong(`${file.size} bytes`, `${bytes.length}`);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== file.sha256) throw wrong(`SHA-256 ${file.sha256}`, sha256);
  return bytes;
}

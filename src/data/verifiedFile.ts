/** Bytes become data only here: unpacked within bounds and held against the size and SHA-256 that are known of them. */
import * as path from 'node:path';
import { promisify } from 'node:util';
import { constants, gunzip } from 'node:zlib';
import { type BnTrainError, cannot, messageOf } from '../common/errors.js';
import { codeOf, describeFileError, exists, readBounded, sha256Of } from '../common/files.js';
import { idxSize } from './idx.js';
import { type DataFile, LARGEST } from './manifest.js';

const unzip = promisify(gunzip);

/**
 * Large arrays begin 16 bytes into a page of memory. With this lead, what follows the 16 bytes of the images' header begins
 * at a multiple of 64, where TensorFlow uses it in place; anywhere else it would make a copy of 47 MB.
 */
const LEAD = 32;

/** A file of which size and SHA-256 may be known. */
type Wanted = Pick<DataFile, 'name'> & Partial<DataFile>;

/** The file from a folder, unpacked or as .gz, verified; undefined if the folder has neither. Throws if it is another. */
export async function readVerified(folder: string, file: Wanted): Promise<Uint8Array | undefined> {
  const plain = path.join(folder, file.name);
  if (await exists(plain)) return verify(await readAtMost(plain, file.size ?? LARGEST), file, plain);
  const packed = `${plain}.gz`;
  return (await exists(packed)) ? unpack(await readAtMost(packed, packedLimit(file)), file, packed) : undefined;
}

/** The most bytes that the file may have as .gz: what cannot be compressed grows a little. */
export function packedLimit({ size = LARGEST }: Wanted): number {
  return Math.min(size + 65_536, LARGEST);
}

async function readAtMost(name: string, limit: number): Promise<Buffer> {
  return readBounded(name, limit, LEAD).catch((cause: unknown) => {
    const got = describeFileError(cause);
    if (codeOf(cause) !== undefined)
      throw cannot(`use ${name}`, { expected: 'a file that can be read', got, hint: 'check its permissions', cause });
    throw wrong(`use ${name}`, `a file of at most ${limit} bytes`, got, cause);
  });
}

/** Unpacks gzip and verifies; `origin` names where the bytes came from. */
export async function unpack(bytes: Uint8Array, file: Wanted, origin: string): Promise<Uint8Array> {
  const upTo = (size: number) => unzip(bytes, { maxOutputLength: size + 1 });
  const unpacked = await (file.size === undefined ? promisedSize(bytes).then(upTo) : upTo(file.size)).catch(
    (cause: unknown) => {
      const expected = `gzip of ${file.size === undefined ? 'an IDX file' : `${file.size} bytes`}`;
      throw wrong(`unpack ${origin}`, expected, messageOf(cause), cause);
    },
  );
  return verify(unpacked, file, origin);
}

/** How large the file says it is, so that no more than that is ever unpacked. */
async function promisedSize(packed: Uint8Array): Promise<number> {
  const size = idxSize(await unzip(packed.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH }));
  if (size === undefined || size > LARGEST) throw new Error(size === undefined ? 'other bytes' : `${size} bytes`);
  return size;
}

function verify(bytes: Uint8Array, { size, sha256 }: Wanted, origin: string): Uint8Array {
  if (size !== undefined && bytes.length !== size) throw wrong(`use ${origin}`, `${size} bytes`, `${bytes.length}`);
  if (sha256 === undefined) return bytes;
  const got = sha256Of(bytes);
  if (got !== sha256) throw wrong(`use ${origin}`, `SHA-256 ${sha256}`, got);
  return bytes;
}

function wrong(action: string, expected: string, got: string, cause?: unknown): BnTrainError {
  return cannot(action, { expected, got, hint: 'fetch the data set again from where it came', cause });
}

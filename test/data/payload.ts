/** A small data set with its own manifest, for the faults that a loopback server makes. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Manifest, Role, Source } from '../../src/data/manifest.js';

/** The header of an IDX file: its magic number and sizes, big-endian. */
export function header(magic: number, ...sizes: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * sizes.length);
  [magic, ...sizes].forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
  return bytes;
}

/** An idx3 file of `count` random images, which gzip cannot shrink. */
export function imageFile(count: number): Buffer {
  return Buffer.concat([header(0x803, count, 28, 28), randomBytes(count * 784)]);
}

export function labelFile(count: number): Buffer {
  return Buffer.concat([header(0x801, count), Buffer.from(Array.from({ length: count }, (_, i) => i % 10))]);
}

const NAMES: Record<Role, string> = {
  trainImages: 'train-images',
  trainLabels: 'train-labels',
  testImages: 'test-images',
  testLabels: 'test-labels',
};

export interface Payload {
  /** Unpacked, by name. */
  files: Map<string, Buffer>;
  /** What a server sends for "/name.gz". */
  packed: Map<string, Buffer>;
  manifest: (sources: Source[], folders?: string[]) => Manifest;
}

export function makePayload(trainCount = 1000, testCount = 20): Payload {
  const bytes: Record<Role, Buffer> = {
    trainImages: imageFile(trainCount),
    trainLabels: labelFile(trainCount),
    testImages: imageFile(testCount),
    testLabels: labelFile(testCount),
  };
  const roles = Object.keys(NAMES) as Role[];
  const files = roles.map((role) => ({
    role,
    name: NAMES[role],
    size: bytes[role].length,
    sha256: createHash('sha256').update(bytes[role]).digest('hex'),
  }));
  return {
    files: new Map(roles.map((role) => [NAMES[role], bytes[role]])),
    packed: new Map(roles.map((role) => [`/${NAMES[role]}.gz`, gzipSync(bytes[role])])),
    manifest: (sources, folders = []) => ({ files, sources, folders }),
  };
}

/** Writes the unpacked files, or some of them changed. */
export function writeFiles(folder: string, { files }: Payload, change: Record<string, Buffer> = {}): void {
  for (const [name, bytes] of files) writeFileSync(path.join(folder, name), change[name] ?? bytes);
}

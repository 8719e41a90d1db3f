/** The first examples of the real data as a data set of its own, which the built program reads as it reads the whole one. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import type { Dataset } from '../../src/data/idx.js';
import type { DataFile, Role } from '../../src/data/manifest.js';
import { header } from '../data/payload.js';

export interface SmallData {
  args: string[];
  env: Record<string, string>;
}

/** Writes the four files and their manifest; `args` and `env` make the program use them. */
export async function writeSmallData(folder: string, trainCount: number, testCount: number): Promise<SmallData> {
  mkdirSync(folder, { recursive: true });
  const real = await loadFashionMnist();
  const files = [...write(folder, 'train', real.train, trainCount), ...write(folder, 'test', real.test, testCount)];
  const manifest = path.join(folder, 'manifest.json');
  writeFileSync(manifest, JSON.stringify({ files, sources: [], folders: [] }));
  return { args: ['--data-dir', folder], env: { BN_TRAIN_DATA_MANIFEST: manifest } };
}

function write(folder: string, set: 'train' | 'test', { height, width, images, labels }: Dataset, count: number) {
  const contents: [Role, Uint8Array][] = [
    [`${set}Images`, Buffer.concat([header(0x803, count, height, width), images.subarray(0, count * height * width)])],
    [`${set}Labels`, Buffer.concat([header(0x801, count), labels.subarray(0, count)])],
  ];
  return contents.map(([role, bytes]): DataFile => {
    writeFileSync(path.join(folder, role), bytes);
    return { role, name: role, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { root } from '../support/program.js';
import { header } from './payload.js';

const NAMES = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];
const images = (count: number, height = 28, width = 28) =>
  Buffer.concat([header(0x803, count, height, width), randomBytes(count * height * width)]);
const labels = (count: number, classes = 10, first = 0) =>
  Buffer.concat([header(0x801, count), Buffer.from(Array.from({ length: count }, (_, i) => first + (i % classes)))]);
const mnist = () => [images(100), labels(100), images(20), labels(20)];

let work: string;
beforeEach(() => (work = mkdtempSync(path.join(tmpdir(), 'bn-train-any-'))));
afterEach(() => rm(work, { recursive: true }));

/** A folder with the four files, as .gz where `packed` says so. */
function folderOf(files: Uint8Array[], packed: (name: string) => boolean = () => false, name = 'mnist'): string {
  const folder = path.join(work, name);
  mkdirSync(folder, { recursive: true });
  NAMES.forEach((file, i) => {
    const bytes = files[i] ?? Buffer.alloc(0);
    writeFileSync(path.join(folder, packed(file) ? `${file}.gz` : file), packed(file) ? gzipSync(bytes) : bytes);
  });
  return folder;
}
const take = (folder: string) => loadFashionMnist({ dataDir: folder, anyData: true });

describe('--any-data takes', () => {
  it.each([
    { what: 'unpacked files', packed: () => false },
    { what: 'packed ones', packed: () => true },
    { what: 'both', packed: (name: string) => name.startsWith('train') },
  ])('$what, as they are', async ({ packed }) => {
    const files = mnist();
    const { train, test, ...rest } = await take(folderOf(files, packed));
    expect(rest).toEqual({
      classes: 10,
      name: 'mnist',
      folder: path.join(work, 'mnist'),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect([train.count, train.height, train.width, test.count]).toEqual([100, 28, 28, 20]);
    const pieces = [train.images, train.labels, test.images, test.labels];
    for (const [i, piece] of pieces.entries())
      expect(Buffer.from(piece).equals(files[i]?.subarray(i % 2 ? 8 : 16) ?? piece)).toBe(true);
  });

  it('images of any size, and as many classes as the labels have', async () => {
    const { train, classes } = await take(folderOf([images(47, 32, 20), labels(47, 47), images(3, 32, 20), labels(3)]));
    expect([train.height, train.width, classes]).toEqual([32, 20, 47]);
  });

  it('labels that begin at 1, or that only the test set has: one class more than the largest', async () => {
    expect((await take(folderOf([images(26), labels(26, 26, 1), images(2), labels(2)]))).classes).toBe(27);
    expect((await take(folderOf([images(2), labels(2), images(12), labels(12, 12)]))).classes).toBe(12);
    expect((await take(folderOf([images(2), labels(2, 2, 254), images(1), labels(1)]))).classes).toBe(256);
  });

  it('links to files', async () => {
    const folder = folderOf(mnist());
    const linked = path.join(work, 'linked');
    mkdirSync(linked);
    for (const name of NAMES) symlinkSync(path.join(folder, name), path.join(linked, name));
    expect(await take(linked)).toMatchObject({ name: 'linked', sha256: (await take(folder)).sha256 });
  });

  it('a set by the name of its folder, of the one above in torchvision’s layout, and Fashion-MNIST by its content', async () => {
    expect((await take(folderOf(mnist(), undefined, 'KMNIST/raw'))).name).toBe('KMNIST');
    const own = await loadFashionMnist();
    const other = path.join(work, 'other');
    symlinkSync(own.folder, other);
    expect(await take(other)).toMatchObject({ name: 'Fashion-MNIST', sha256: own.sha256, classes: 10 });
  });

  it('another hash for other content, however packed', async () => {
    const files = mnist();
    const { sha256 } = await take(folderOf(files));
    expect((await take(folderOf(files, () => true, 'packed'))).sha256).toBe(sha256);
    files[3] = labels(20, 9);
    expect((await take(folderOf(files, undefined, 'changed'))).sha256).not.toBe(sha256);
  });
});

describe('--any-data refuses', () => {
  const hint = 'fetch the data set again from where it came';
  const [trainImages = '', trainLabels = '', testImages = '', testLabels = ''] = NAMES;
  it.each<{ what: string; files: () => Uint8Array[]; file: string; words: string; ways?: boolean[] }>([
    {
      what: 'a training set without images',
      files: () => [images(0), labels(0), images(1), labels(1)],
      file: trainImages,
      words: 'expected at least one image, got 0 of 28×28',
    },
    {
      what: 'images without pixels',
      files: () => [images(1, 0), labels(1), images(1, 0), labels(1)],
      file: trainImages,
      words: 'expected at least one image, got 1 of 0×28',
    },
    {
      what: 'a test set without images',
      files: () => [images(1), labels(1), images(0), labels(0)],
      file: testImages,
      words: 'expected at least one image, got 0 of 28×28',
    },
    {
      what: 'fewer labels than images',
      files: () => [images(5), labels(4), images(1), labels(1)],
      file: trainLabels,
      words: 'expected 5 labels, one an image, got 4',
    },
    {
      what: 'more labels than images',
      files: () => [images(5), labels(5), images(1), labels(2)],
      file: testLabels,
      words: 'expected 1 labels, one an image, got 2',
    },
    {
      what: 'test images of another size',
      files: () => [images(5), labels(5), images(1, 32, 32), labels(1)],
      file: testImages,
      words: 'expected images of 28×28, as the training images are, got images of 32×32',
    },
    {
      what: 'labels in the place of images',
      files: () => [labels(20), images(20), images(1), labels(1)],
      file: trainImages,
      words: 'expected the magic number 0x00000803, got 0x00000801',
    },
    {
      what: 'bytes that are no IDX file',
      files: () => [randomBytes(99).fill(7), labels(5), images(1), labels(1)],
      file: trainImages,
      words: 'expected the magic number 0x00000803, got 0x07070707',
      ways: [false],
    },
    {
      what: 'a truncated file',
      files: () => [images(5).subarray(0, -1), labels(5), images(1), labels(1)],
      file: trainImages,
      words: 'expected 3920 bytes after the header, as it says, got 3919',
    },
  ])('$what', async ({ files, file, words, ways = [false, true] }) => {
    for (const packed of ways) {
      const folder = folderOf(files(), () => packed, `packed-${packed}`);
      await expect(take(folder)).rejects.toMatchObject({ message: expect.stringContaining(words) as string, hint });
      if (!packed) await expect(take(folder)).rejects.toThrow(`Cannot read ${folder}/${file}: ${words}`);
    }
  });

  it.each([
    { what: 'cut off', made: (gz: Buffer) => gz.subarray(0, -100), got: 'unexpected end of file' },
    { what: 'no gzip', made: () => Buffer.from('hello, this is no gzip'), got: 'incorrect header check' },
    { what: 'of other bytes', made: () => gzipSync('hello'), got: 'other bytes' },
    {
      what: 'of more than its header says',
      made: () => gzipSync(Buffer.concat([images(1), Buffer.alloc(10_000_000)])),
      got: 'Cannot create a Buffer larger than 801 bytes',
    },
    {
      what: 'whose header says more than fits',
      made: () => gzipSync(header(0x803, 2 ** 31, 28, 28)),
      got: '1683627180048 bytes',
    },
  ])('a .gz that is $what', async ({ made, got }) => {
    const folder = folderOf(mnist(), () => true);
    const file = path.join(folder, `${trainImages}.gz`);
    writeFileSync(file, made(gzipSync(images(100))));
    await expect(take(folder)).rejects.toMatchObject({
      message: `Cannot unpack ${file}: expected gzip of an IDX file, got ${got}`,
      hint,
    });
  });

  it('a folder without the files, or none', async () => {
    await expect(take(work)).rejects.toMatchObject({
      message: `Cannot read a data set from ${work}: expected ${NAMES.join(', ')} (or .gz), got no ${NAMES.join(', ')}`,
      hint: 'name a folder that has them',
      exitCode: 2,
    });
    await expect(take(`${work}-away`)).rejects.toMatchObject({
      message: expect.stringMatching(/ got no such folder$/) as unknown,
      exitCode: 2,
    });
    await expect(loadFashionMnist({ anyData: true })).rejects.toMatchObject({
      message: 'Cannot take any data: expected the folder that has it, got none',
      hint: 'dataDir DIR',
      exitCode: 2,
    });
  });

  it('a file that may not be read', () => {
    const folder = folderOf(mnist());
    const file = path.join(folder, trainImages);
    chmodSync(file, 0);
    const script = `
const { loadFashionMnist } = await import('${root}/dist/data/fashionMnist.js');
const { message, hint } = await loadFashionMnist({ dataDir: '${folder}', anyData: true }).catch((error) => error);
console.log(message + '|' + hint);`;
    // In a namespace of its own it has no rights beyond its files, as root would.
    const args = ['-U', process.execPath, '--input-type=module', '-e', script];
    expect(execFileSync('unshare', args, { encoding: 'utf8' })).toBe(
      `Cannot use ${file}: expected a file that can be read, got no permission|check its permissions\n`,
    );
  });

  it('a file of more than 2 GiB', async () => {
    const folder = folderOf(mnist());
    const file = path.join(folder, trainImages);
    execFileSync('truncate', ['-s', '3G', file]);
    await expect(take(folder)).rejects.toThrow(
      `Cannot use ${file}: expected a file of at most 2147483647 bytes, got 3221225472 bytes where at most 2147483647 belong`,
    );
  });
});

describe('without --any-data', () => {
  const named = (folder: string) => loadFashionMnist({ dataDir: folder });

  it.each([
    { what: 'MNIST', files: mnist, size: '100 + 20 images of 28×28 in 10 classes' },
    {
      what: 'EMNIST',
      files: () => [images(94, 32, 32), labels(94, 47), images(10, 32, 32), labels(10)],
      size: '94 + 10 images of 32×32 in 47 classes',
    },
  ])('$what is no damaged Fashion-MNIST, and nobody is told to delete it', async ({ files, size }) => {
    for (const packed of [false, true]) {
      const folder = folderOf(files(), () => packed, `packed-${packed}`);
      await expect(named(folder)).rejects.toMatchObject({
        message: `Cannot read Fashion-MNIST from ${folder}: expected its four files, got another data set, ${size}`,
        hint: 'to use it as it is: anyData; for Fashion-MNIST name another folder, or leave dataDir out',
      });
    }
  });

  it('what is no data set at all is told by its fault', async () => {
    const folder = folderOf([images(3), labels(2), images(1), labels(1)]);
    await expect(named(folder)).rejects.toThrow(`Cannot use ${folder}/${NAMES[0]}: expected 47040016 bytes, got 2368`);
  });
});

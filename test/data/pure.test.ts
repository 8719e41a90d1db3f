import { describe, expect, it } from 'vitest';
import { batches, shuffledOrder } from '../../src/data/batches.js';
import { parseImages, parseLabels } from '../../src/data/idx.js';
import { parseManifest } from '../../src/data/manifest.js';
import { imageFile, labelFile, makePayload } from './payload.js';

const hint = 'fetch the data set again from where it came';

describe('IDX files', () => {
  it('give images and labels', () => {
    const images = imageFile(3);
    expect(parseImages(images, 'f')).toMatchObject({ count: 3, height: 28, width: 28 });
    expect([...parseImages(images, 'f').pixels]).toEqual([...images.subarray(16)]);
    expect([...parseLabels(labelFile(12), 'f')]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  });

  const claim = Buffer.from([0, 0, 8, 3, 0x80, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]);
  it.each([
    {
      name: 'an empty file',
      run: () => parseImages(Buffer.alloc(0), 'f'),
      message: 'Cannot read f: expected a header of 16 bytes, got 0 bytes',
    },
    {
      name: 'half a header',
      run: () => parseLabels(Buffer.alloc(7), 'f'),
      message: 'Cannot read f: expected a header of 8 bytes, got 7 bytes',
    },
    {
      name: 'labels for images',
      run: () => parseImages(labelFile(20), 'f'),
      message: 'Cannot read f: expected the magic number 0x00000803, got 0x00000801',
    },
    {
      name: 'images for labels',
      run: () => parseLabels(imageFile(1), 'f'),
      message: 'Cannot read f: expected the magic number 0x00000801, got 0x00000803',
    },
    {
      name: 'a truncated file',
      run: () => parseImages(imageFile(2).subarray(0, -1), 'f'),
      message: 'Cannot read f: expected 1568 bytes after the header, as it says, got 1567',
    },
    {
      name: 'a byte too many',
      run: () => parseLabels(Buffer.concat([labelFile(2), Buffer.alloc(1)]), 'f'),
      message: 'Cannot read f: expected 2 bytes after the header, as it says, got 3',
    },
    {
      name: 'a header that claims 2^31 images',
      run: () => parseImages(claim, 'f'),
      message: 'Cannot read f: expected 1683627180032 bytes after the header, as it says, got 0',
    },
  ])('refuse $name', ({ run, message }) => {
    expect(run).toThrow(expect.objectContaining({ message, hint }) as Error);
  });
});

describe('the order of the examples', () => {
  it('is a permutation that seed and epoch decide', () => {
    const order = shuffledOrder(1000, 1, 1);
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect(shuffledOrder(1000, 1, 1)).toEqual(order);
    expect(shuffledOrder(1000, 1, 2)).not.toEqual(order);
    expect(shuffledOrder(1000, 2, 1)).not.toEqual(order);
  });

  it('puts each example anywhere, about equally often', () => {
    const counts = [0, 0, 0, 0, 0];
    for (let epoch = 0; epoch < 2000; epoch++) {
      const place = shuffledOrder(5, 7, epoch).indexOf(0);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    // 2,000 draws over 5 places: 400 each with deviation 18; five deviations leave room for no real fault.
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(90);
  });

  it('is cut into batches, the last one smaller', () => {
    expect([...batches(Int32Array.from([0, 1, 2, 3, 4]), 2)].map((batch) => [...batch])).toEqual([[0, 1], [2, 3], [4]]);
  });
});

describe('a manifest', () => {
  const good = makePayload(1, 1).manifest([{ kind: 'http', url: 'http://127.0.0.1/' }]);
  it('is read back', () => {
    expect(parseManifest(JSON.stringify(good), 'm')).toEqual(good);
  });

  it.each([
    { change: { files: 3 }, message: 'a part is missing' },
    { change: { files: [] }, message: 'no file for trainImages' },
    { change: { files: good.files.map((file) => ({ ...file, name: '../../etc/passwd' })) }, message: 'the file {' },
    { change: { files: good.files.map((file) => ({ ...file, sha256: 'x' })) }, message: 'the file {' },
    { change: { sources: [{ kind: 'ftp' }] }, message: 'the source {"kind":"ftp"}' },
    {
      change: { sources: [{ kind: 'debian', package: '-o=x', folder: 'f' }] },
      message: 'the source {"kind":"debian","package":"-o=x"',
    },
    { change: { files: [...good.files, null] }, message: 'the file null' },
    { change: { files: [...good.files, ...good.files] }, message: '2 files for trainImages' },
    { change: { files: good.files.map((file) => ({ ...file, name: 'one' })) }, message: 'two files of one name' },
    { change: { sources: [null] }, message: 'the source null' },
    {
      change: { sources: [{ kind: 'debian', package: '--yes', folder: 'f' }] },
      message: 'the source {"kind":"debian"',
    },
    ...['..', 'usr/../../x', '/usr', '', 'a\u0000', ['usr']].map((folder) => ({
      change: { sources: [{ kind: 'debian', package: 'x1', folder }] },
      message: 'the source {"kind":"debian","package":"x1","folder":',
    })),
    {
      change: { sources: [{ kind: 'http', url: 'http://[/' }] },
      message: 'the source {"kind":"http","url":"http://[/"}',
    },
    { change: { folders: [1] }, message: 'a folder that is no text' },
  ])('is refused with $change', ({ change, message }) => {
    expect(() => parseManifest(JSON.stringify({ ...good, ...change }), 'm')).toThrow(
      `Cannot read the manifest m: expected files, sources and folders as in data/fashion-mnist.json, got ${message}`,
    );
  });
});

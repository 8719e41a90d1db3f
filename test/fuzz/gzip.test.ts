/** Any bytes as a .gz of a known file, and anything in the place of a file: that file, or an error with file and reason, in bounded memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { DataFile } from '../../src/data/manifest.js';
import { readVerified, unpack } from '../../src/data/verifiedFile.js';
import { CASES, mutated, outcomeLater, Tally } from '../support/fuzz.js';
import { root } from '../support/program.js';

const fileOf = (bytes: Uint8Array): DataFile => ({
  role: 'trainImages',
  name: 'data',
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

/** A gzip member by hand: with flags that gzipSync never sets, the name, comment and extra field they announce. */
function member(bytes: Uint8Array, flags: number, level: number): Buffer {
  const text = Buffer.from('../../name\0');
  const fields: [number, Buffer][] = [
    [4, Buffer.from([3, 0, 1, 2, 3])],
    [8, text],
    [16, text],
  ];
  const header = Buffer.from([0x1f, 0x8b, 8, flags & 28, 0, 0, 0, 0, 0, 3]);
  const announced = fields.filter(([flag]) => flags & flag).map(([, field]) => field);
  return Buffer.concat([header, ...announced, deflateRawSync(bytes, { level }), gzipSync(bytes).subarray(-8)]);
}

const packed = fc
  .record({
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    cut: fc.nat({ max: 200 }),
    members: fc.integer({ min: 1, max: 2 }),
    flags: fc.nat({ max: 31 }),
    level: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ bytes, cut, members, flags, level }) => {
    const parts = members === 1 ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)];
    return { file: fileOf(bytes), whole: bytes, gz: Buffer.concat(parts.map((part) => member(part, flags, level))) };
  });

it('any bytes as .gz are unpacked to exactly the file, or an error names their origin', async () => {
  const tally = new Tally();
  const example = packed.chain(({ file, whole, gz }) =>
    mutated(fc.constant(gz)).map((change) => ({ file, whole, ...change })),
  );
  await fc.assert(
    fc.asyncProperty(example, async ({ file, whole, original, bytes }) => {
      const outcome = tally.add(await outcomeLater('some/data.gz', () => unpack(bytes, file, 'some/data.gz')));
      if ('value' in outcome) assert.ok(Buffer.from(outcome.value).equals(whole));
      else assert.ok(!bytes.equals(original), outcome.error.message);
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

describe('a .gz that is wrong in its own way', () => {
  const bytes = Buffer.from('a hundred bytes of something '.repeat(4).slice(0, 100));
  const gz = gzipSync(bytes);
  const flip = (at: number) => Buffer.from(gz.map((byte, i) => (i === (at + gz.length) % gz.length ? byte ^ 1 : byte)));
  it.each([
    { name: 'no gzip', made: bytes, got: 'incorrect header check' },
    { name: 'nothing', made: Buffer.alloc(0), got: 'unexpected end of file' },
    { name: 'cut in the middle', made: gz.subarray(0, 30), got: 'unexpected end of file' },
    { name: 'cut before its checksum', made: gz.subarray(0, -8), got: 'unexpected end of file' },
    { name: 'with another checksum', made: flip(-8), got: 'incorrect data check' },
    { name: 'with another length', made: flip(-1), got: 'incorrect length check' },
    { name: 'of another method', made: flip(2), got: 'unknown compression method' },
    { name: 'with a second member', made: Buffer.concat([gz, gzipSync('x')]), got: '101' },
    {
      name: 'with half a second member',
      made: Buffer.concat([gz, gz.subarray(0, 20)]),
      got: /Cannot create a Buffer|unexpected end/,
    },
  ])('$name', async ({ made, got }) => {
    const outcome = await outcomeLater('f.gz', () => unpack(made, fileOf(bytes), 'f.gz'));
    expect('error' in outcome && outcome.error.message).toMatch(got);
    expect('error' in outcome && outcome.error.hint).toBe('fetch the data set again from where it came');
  });
});

describe('in the place of a file', () => {
  const work = mkdtempSync(path.join(tmpdir(), 'bn-train-gzip-'));
  afterAll(() => rm(work, { recursive: true }));
  const bytes = Buffer.from('a hundred bytes of something '.repeat(4).slice(0, 100));
  const places: Record<string, (name: string) => void> = {
    'a folder': (name) => mkdirSync(name),
    'a pipe that nobody writes to': (name) => execFileSync('mkfifo', [name]),
    'a device without end': (name) => symlinkSync('/dev/zero', name),
    'a file of 3 GB': (name) => {
      writeFileSync(name, bytes);
      truncateSync(name, 3e9);
    },
    'a byte too many': (name) => writeFileSync(name, Buffer.alloc(101)),
  };

  it.each(
    Object.keys(places)
      .flatMap((what) => ['', '.gz'].map((ending) => ({ what, ending })))
      .filter(({ what, ending }) => ending === '' || what !== 'a byte too many'),
  )('$what as data$ending is an error that names it', async ({ what, ending }) => {
    const folder = mkdtempSync(path.join(work, 'place-'));
    const name = path.join(folder, `data${ending}`);
    places[what]?.(name);
    const before = process.memoryUsage().rss;
    const outcome = await outcomeLater(name, () => readVerified(folder, fileOf(bytes)));
    expect('error' in outcome && outcome.error.message).toMatch(
      /^Cannot use .*: expected a file of at most \d+ bytes, got (a folder|a pipe or a device|\d+ bytes where at most \d+ belong)$/,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(5e7);
  });
});

describe('memory', () => {
  // A process of its own, as the largest size that a process ever had does not go down again.
  it('stays bounded where 10 MB of .gz unpack to 10 GB, and where a header claims 2^31 images', () => {
    const script = `
import { gzipSync } from 'node:zlib';
import { unpack } from './dist/data/verifiedFile.js';
import { parseImages } from './dist/data/idx.js';
const piece = gzipSync(Buffer.alloc(2 ** 24));
const bomb = Buffer.concat(Array(640).fill(piece));
const header = Buffer.from([0, 0, 8, 3, 0x80, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]);
const before = process.resourceUsage().maxRSS;
const file = { role: 'trainImages', name: 'data', size: 1000, sha256: '0'.repeat(64) };
const said = [await unpack(bomb, file, 'bomb.gz').catch((error) => error.message)];
try { parseImages(header, 'header'); } catch (error) { said.push(error.message); }
console.log(JSON.stringify({ said, grown: process.resourceUsage().maxRSS - before }));`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    const { said, grown } = JSON.parse(output) as { said: string[]; grown: number };
    expect(said).toEqual([
      'Cannot unpack bomb.gz: expected gzip of 1000 bytes, got Cannot create a Buffer larger than 1001 bytes',
      'Cannot read header: expected 1683627180032 bytes after the header, as it says, got 0',
    ]);
    // In kilobytes.
    expect(grown).toBeLessThan(50_000);
  });
});

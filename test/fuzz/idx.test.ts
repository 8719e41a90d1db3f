/** Any bytes as an IDX file: the images and labels they hold, or an error with file and reason. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseImages, parseLabels } from '../../src/data/idx.js';
import { CASES, mutated, outcomeOf, Tally } from '../support/fuzz.js';

function idx(magic: number, sizes: number[], payload: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  [magic, ...sizes].forEach((value, i) => header.writeUInt32BE(value, 4 * i));
  return Buffer.concat([header, payload]);
}

const size = fc.nat({ max: 4 });
const images = fc
  .tuple(size, size, size, fc.uint8Array({ minLength: 64, maxLength: 64 }))
  .map(([count, height, width, pixels]) =>
    idx(0x803, [count, height, width], pixels.subarray(0, count * height * width)),
  );
const labels = fc
  .array(fc.oneof({ weight: 30, arbitrary: fc.nat({ max: 9 }) }, { weight: 1, arbitrary: fc.nat({ max: 255 }) }))
  .map((values) => idx(0x801, [values.length], Buffer.from(values)));

/** The sizes in a header and the payload, where bytes are a file of that magic and rank; exact, whatever they claim. */
function expected(bytes: Buffer, magic: number, rank: number): { sizes: bigint[]; payload: number[] } | undefined {
  const digits = bytes.toString('hex');
  if (digits.length < 8 + 8 * rank || !digits.startsWith(magic.toString(16).padStart(8, '0'))) return undefined;
  const sizes = Array.from({ length: rank }, (_, i) => BigInt(`0x${digits.slice(8 + 8 * i, 16 + 8 * i)}`));
  const payload = [...bytes].slice(4 + 4 * rank);
  return sizes.reduce((product, n) => product * n, 1n) === BigInt(payload.length) ? { sizes, payload } : undefined;
}

/** The same bytes somewhere in the middle of a larger buffer, as files read in one go lie. */
function amid(bytes: Buffer): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.alloc(3, 8), bytes, Buffer.alloc(5, 8)])).subarray(3, 3 + bytes.length);
}

it('images are exactly what the bytes say, or an error names the file', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(mutated(fc.oneof(images, labels)), ({ bytes }) => {
      const outcome = tally.add(outcomeOf('some/file', () => parseImages(amid(bytes), 'some/file')));
      const wanted = expected(bytes, 0x803, 3);
      assert.equal('value' in outcome, wanted !== undefined);
      if (!('value' in outcome) || !wanted) return;
      const { count, height, width, pixels } = outcome.value;
      assert.deepEqual([count, height, width].map(BigInt), wanted.sizes);
      assert.deepEqual([...pixels], wanted.payload);
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

it('labels are exactly what the bytes say, or an error names the file', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(mutated(fc.oneof(labels, labels, images)), ({ bytes }) => {
      const outcome = tally.add(outcomeOf('some/file', () => parseLabels(amid(bytes), 'some/file')));
      assert.deepEqual('value' in outcome ? [...outcome.value] : undefined, expected(bytes, 0x801, 1)?.payload);
    }),
    { numRuns: CASES },
  );
  tally.expectBoth();
});

it('a header that claims 2^31 images, or a product beyond 2^64, takes no memory', () => {
  const before = process.memoryUsage();
  for (const sizes of [
    [2 ** 31, 28, 28],
    [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1],
    [2 ** 16, 2 ** 16, 2 ** 31],
  ])
    expect(() => parseImages(idx(0x803, sizes, Buffer.alloc(100)), 'f')).toThrow(
      /^Cannot read f: expected \d.*, got 100$/,
    );
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1e6);
});

/** What the fuzz tests share: what may come of any input, and valid inputs changed a little or a lot. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { BnTrainError } from '../../src/common/errors.js';
import { amount } from './amount.js';

/** Cases of each property; a longer hunt: FUZZ_CASES=1000000 npx vitest run test/fuzz. */
export const CASES = Number(process.env['FUZZ_CASES'] ?? amount(10_000, 2000));

export type Outcome<T> = { value: T } | { error: BnTrainError };

/** The value, or the error if it is one for people: it says what cannot be done and with which file, in one short line. */
export function outcomeOf<T>(name: string, parse: () => T): Outcome<T> {
  try {
    return { value: parse() };
  } catch (error) {
    return { error: wellPut(error, name) };
  }
}

/** The same of a promise. */
export async function outcomeLater<T>(name: string, parse: () => Promise<T>): Promise<Outcome<T>> {
  return parse().then(
    (value) => ({ value }),
    (error: unknown) => ({ error: wellPut(error, name) }),
  );
}

/** Throws on what is no error of this project, or one that does not tell the file, is too long, or could move a cursor. */
export function wellPut(error: unknown, name: string): BnTrainError {
  if (!(error instanceof BnTrainError)) throw error;
  const { message } = error;
  assert.match(message, /^Cannot .+: expected .+, got ./);
  assert.ok(message.includes(name), `"${name}" is not in: ${message}`);
  assert.ok(message.length < 600 + name.length, `${message.length} characters: ${message.slice(0, 200)}`);
  assert.doesNotMatch(message, /[\p{Cc}\p{Bidi_C}]/u);
  return error;
}

/** Counts outcomes, as a property that only ever sees one kind proves little. */
export class Tally {
  private readonly counts = { value: 0, error: 0 };

  add<T>(outcome: Outcome<T>): Outcome<T> {
    this.counts['value' in outcome ? 'value' : 'error']++;
    return outcome;
  }

  expectBoth(least = CASES / 100): void {
    expect(Math.min(this.counts.value, this.counts.error)).toBeGreaterThan(least);
  }
}

const BOUNDARIES = [0, 1, 2, 27, 28, 255, 256, 0x0801, 0x0802, 0x0803, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
/** A place in a file, more often near its beginning, where headers are. */
const place = fc.oneof(fc.nat({ max: 24 }), fc.nat({ max: 2 ** 30 }));

type Mutation = (bytes: Buffer) => Buffer;

const within = (at: number, bytes: Buffer, room = 0) => at % Math.max(1, bytes.length + 1 - room);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat({ max: 7 })).map(([at, bit]): Mutation => (bytes) => {
    const changed = Buffer.from(bytes);
    const i = within(at, bytes, 1);
    if (i < bytes.length) changed[i] = (changed[i] ?? 0) ^ (1 << bit);
    return changed;
  }),
  place.map(
    (at): Mutation =>
      (bytes) =>
        bytes.subarray(0, within(at, bytes)),
  ),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 9 })).map(([at, more]): Mutation => (bytes) => {
    const i = within(at, bytes);
    return Buffer.concat([bytes.subarray(0, i), more, bytes.subarray(i)]);
  }),
  fc.tuple(place, fc.integer({ min: 1, max: 9 })).map(([at, count]): Mutation => (bytes) => {
    const i = within(at, bytes);
    return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + count)]);
  }),
  fc.uint8Array({ minLength: 1, maxLength: 9 }).map(
    (more): Mutation =>
      (bytes) =>
        Buffer.concat([bytes, more]),
  ),
  fc.constant<Mutation>((bytes) => Buffer.concat([bytes, bytes])),
  fc
    .tuple(fc.nat({ max: 4 }), fc.oneof(fc.constantFrom(...BOUNDARIES), fc.nat({ max: 2 ** 32 - 1 })))
    .map(([field, value]): Mutation => (bytes) => {
      const changed = Buffer.from(bytes);
      if (changed.length >= 4 * field + 4) changed.writeUInt32BE(value, 4 * field);
      return changed;
    }),
);

/** Valid bytes, and what they became: unchanged about one time in four. */
export function mutated(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<{ original: Buffer; bytes: Buffer }> {
  const changes = fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 4 }) },
  );
  return fc
    .tuple(valid, changes)
    .map(([original, list]) => ({ original, bytes: list.reduce((bytes, change) => change(bytes), original) }));
}

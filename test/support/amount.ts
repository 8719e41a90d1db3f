/** How much of a long repetition runs: all of it in CI and for `npm run test:all`, a fixed smaller part in `npm test`. */

export const ALL = [process.env['CI'], process.env['BN_TRAIN_TEST_ALL']].some((value) => (value ?? '') !== '');

export function amount(whole: number, part: number): number {
  return ALL ? whole : part;
}

/** All cases of a sweep, or its first ones. */
export function firstOf<T>(cases: readonly T[], part: number): readonly T[] {
  return ALL ? cases : cases.slice(0, part);
}

/** All cases of a sweep, or one in every `part`, from all over it. */
export function sampleOf<T>(cases: readonly T[], part: number): readonly T[] {
  return cases.filter((_, i) => i % amount(1, part) === 0);
}

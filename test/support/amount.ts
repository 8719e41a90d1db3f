/** How much of a long repetition runs: all of it in CI and for `npm run test:all`, a fixed smaller part in `npm test`. */

const all = [process.env['CI'], process.env['BN_TRAIN_TEST_ALL']].some((value) => value !== undefined && value !== '');

export function amount(whole: number, part: number): number {
  return all ? whole : part;
}

/** Results without what no two runs share: their time figures. */

/** A copy of plain data with every `seconds`, `trainingSeconds` and `examplesPerSecond` set to 0. */
export function timeless(value: unknown): unknown {
  const keep = (key: string, part: unknown) =>
    ['seconds', 'trainingSeconds', 'examplesPerSecond'].includes(key) ? 0 : part;
  return JSON.parse(JSON.stringify(value, keep)) as unknown;
}

/** Numbers of records are rounded, so that a record of thousands of steps stays small. */

/** To so many significant digits; six are about half as many as float32 carries through a sum of a batch. */
export function rounded(value: number, digits = 6): number {
  return Number(value.toPrecision(digits));
}

/** The crossed bootstrap: an interval for which both the seeds and the test images are drawn anew. */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Interval } from './result.js';

const DRAWS = 1000;

/**
 * Of the mean of `differences`, a row a seed and a column an image (Bouthillier et al. 2021, arXiv 2103.03098, on why both
 * vary). Null where there are none. The same rows give the same interval.
 */
export function crossedBootstrap(differences: readonly (readonly number[])[], level: number): Interval | null {
  const images = differences[0]?.length ?? 0;
  if (images === 0) return null;
  const generator = xoroshiro128plus(1);
  const below = (bound: number) => Math.floor(((generator.next() >>> 0) / 2 ** 32) * bound);
  const means = Array.from({ length: DRAWS }, () => {
    const rows = differences.map(() => differences[below(differences.length)] ?? []);
    const columns = Array.from({ length: images }, () => below(images));
    const sums = rows.map((row) => columns.reduce((sum, column) => sum + (row[column] ?? NaN), 0));
    return sums.reduce((sum, value) => sum + value, 0) / (rows.length * images);
  }).sort((a, b) => a - b);
  const at = (share: number) => means[Math.round(share * (DRAWS - 1))] ?? NaN;
  return { low: at((1 - level) / 2), high: at((1 + level) / 2), level };
}

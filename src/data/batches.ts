/** The order of the examples: shuffled anew each epoch, from the seed and the epoch's number alone. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/**
 * The numbers 0 to count − 1 in random order (Fisher–Yates on xoroshiro128+). An epoch's order needs no earlier epoch's,
 * so a run can go on from anywhere: epoch n uses the generator jumped n times by 2^64 numbers, far from all others.
 */
export function shuffledOrder(count: number, seed: number, epoch: number): Int32Array {
  const generator = xoroshiro128plus(seed);
  for (let jump = 0; jump < epoch; jump++) generator.jump();
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(generator, 0, i);
    const swapped = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = swapped;
  }
  return order;
}

/** Cuts an order into batches, as views; the last one may be smaller. */
export function* batches(order: Int32Array, batchSize: number): Generator<Int32Array> {
  for (let start = 0; start < order.length; start += batchSize) yield order.subarray(start, start + batchSize);
}

/** The order of the examples, shuffled anew each epoch from the seed and the epoch's number alone, its batches, and calls of several. */
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

export interface CallOptions {
  /** Batches a call. */
  most: number;
  /** How many batches of the epoch came before. Default 0. */
  before?: number;
  /** No call goes on beyond a multiple of this many batches of the epoch. Default: no such bound. */
  bound?: number;
}

/** Consecutive batches of one size each, for one call into TensorFlow: several steps of one graph, where a call has a price. */
export function* calls(
  batches: Iterable<Int32Array>,
  { most, before = 0, bound = Infinity }: CallOptions,
): Generator<Int32Array[]> {
  let call: Int32Array[] = [];
  let done = before;
  for (const rows of batches) {
    if (call.length > 0 && (call.length === most || rows.length !== call[0]?.length || done % bound === 0)) {
      yield call;
      call = [];
    }
    call.push(rows);
    done++;
  }
  if (call.length > 0) yield call;
}

/** Which batches go into one call: several steps of one graph, where a call has a price. */

export interface CallOptions {
  /** Batches a call. */
  most: number;
  /** How many batches of the epoch came before. Default 0. */
  before?: number;
  /** No call goes on beyond a multiple of this many batches of the epoch. Default: no such bound. */
  bound?: number;
}

/** Consecutive batches of one size each. */
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

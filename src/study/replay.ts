/** What follows from the moments of every batch after the training: moving averages of any momentum, and how far moments moved. */

/** Means and variances, [channels] each, layer by layer in turn. */
export type Moments = readonly Float32Array[];

/** Moving averages of batches' moments, as batch normalization keeps them from means of 0 and variances of 1 on. */
export class MovingAverages {
  private averages: Float64Array[] | undefined;
  private batches = 0;

  constructor(readonly momentum: number) {}

  add(moments: Moments): void {
    this.averages ??= moments.map(({ length }, i) => new Float64Array(length).fill(startOf(i)));
    for (const [i, average] of this.averages.entries())
      for (const [channel, value] of (moments[i] ?? []).entries())
        average[channel] = this.momentum * (average[channel] ?? 0) + (1 - this.momentum) * value;
    this.batches++;
  }

  /** How much of its start an average still holds, in [0, 1]. */
  get start(): number {
    return this.momentum ** this.batches;
  }

  /** The averages; `corrected` is free of its start (Kingma & Ba 2015, arXiv 1412.6980, section 3). */
  values(corrected: boolean): Float32Array[] {
    const { averages = [], start } = this;
    return averages.map((average, i) =>
      Float32Array.from(average, (value) => (corrected ? (value - start * startOf(i)) / (1 - start) : value)),
    );
  }
}

/** Means begin at 0, variances at 1. */
const startOf = (i: number) => i % 2;

/** From one batch to the next, the mean over all channels of |Δ mean| + |Δ standard deviation|. */
export function movement(before: Moments, after: Moments): number {
  let [sum, channels] = [0, 0];
  for (const [i, vector] of after.entries()) {
    const scale = i % 2 === 0 ? (value: number) => value : Math.sqrt;
    for (const [channel, value] of vector.entries()) sum += Math.abs(scale(value) - scale(before[i]?.[channel] ?? NaN));
    if (i % 2 === 0) channels += vector.length;
  }
  return sum / channels;
}

/** What another project states of batch normalization: values that its tests or issues give, and their source. */
import type { Quantity } from '../apply.js';
import type { Vectors } from '../reference.js';

/** Its vectors default to those of a fresh layer: γ and variance 1, β and mean 0. */
export interface Published extends Partial<Vectors> {
  name: string;
  /** Repository, file and test with the commit read, or the issue. */
  source: string;
  training: boolean;
  /** Channels last, whatever the source's order; a third axis becomes the height. */
  shape: number[];
  x: number[];
  epsilon: number;
  /** Share of the old average that is kept, which PyTorch calls 1 − momentum. Default 0. */
  momentum?: number;
  dy?: number[];
  /** True where the values are what mathematics gives; else a float32 program gave them, with rounding of its own. */
  exact?: true;
  states: Stated[];
}

export interface Stated {
  of: Quantity | 'unbiasedMovingVariance';
  values: number[];
  /** How far the stated values may be from the true ones: half of their last digit, or what their test allows. */
  within: number;
}

/** Float32 values printed so that they read back the same: their rounding is that of their computation. */
export const ALL_DIGITS = 0;

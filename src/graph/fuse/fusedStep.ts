/** What a fused op is: one of a few kinds of loops over what it reads. */
import type { Value } from '../graph.js';
import type { Axis } from './geometry.js';

export interface Operand {
  /** The value whose elements are read, whatever its shape. */
  readonly id: number;
  /** Whether each row of the batch reads a row of its own. */
  readonly moves: boolean;
  /** How it is read along the elements of a row, or of everything. */
  readonly axes: readonly Axis[];
  /** Its first element that is read. */
  readonly offset: number;
}

/**
 * A fused op. `map`: an element at a time, of operands that are read so, or are one element; `spread`: repeated along some
 * axes; `reduce`: over some axes of what it reads, which are those of stride 0 in `axes`; `total`: over the rows of the
 * batch, too; `route`: what a maximum over some axes came from gets its gradient; `conv`: a convolution of each row, or its
 * gradient with respect to the image. The one with respect to the filter is a `total`.
 */
export interface Step {
  readonly kind: 'map' | 'spread' | 'reduce' | 'total' | 'route' | 'conv';
  readonly output: Value;
  /** The op as C++ for `map`, by its name otherwise. */
  readonly op: string;
  /** Whether it is done row by row of the batch. */
  readonly byRow: boolean;
  /** Elements of the result: of a row of it where there is one for each row, else of all of it. */
  readonly width: number;
  readonly operands: readonly Operand[];
  /** Of `reduce`, `total` and `route`: how the smaller value is read along the larger one. */
  readonly axes: readonly Axis[];
  /** Of a mean, which is a `Sum` otherwise: of how many numbers, in each row. */
  readonly count?: number;
  /** Whether it may be computed again instead of being stored. */
  readonly cheap: boolean;
  /** Of a convolution or its gradient. */
  readonly kernel?: Kernel;
}

/** A direct convolution: the C++ for it, and how many numbers its weights take, or their gradient, as it has them. */
export interface Kernel {
  readonly type: string;
  readonly packed: number;
}

/** Its inputs: a larger value, the maxima, their gradient. It is no op of TensorFlow's, and always fused. */
export const ROUTE = 'RouteToMaximum';

/** The maximum of a pooling's window; no op of TensorFlow's. */
export const WINDOW = 'MaxOfWindow';

/** What `loops.h` has by their names. */
export const REDUCTIONS: readonly string[] = ['Sum', 'Mean', 'Max', 'Min', WINDOW];

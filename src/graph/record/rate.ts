/** An optimizer's learning rate as a variable of a recorded step, so that it may change from run to run. */
import * as tf from '@tensorflow/tfjs';
import { DTYPE } from '../graph.js';

/** What the rate is while a step is recorded: a number that stands nowhere else in it. */
const MARK = Math.fround(6.180339887e-4);

/** Each has its rate, or minus it, as a factor of its own in the step, so that a scalar of that value stands for it. */
const KNOWN: readonly unknown[] = [
  tf.SGDOptimizer,
  tf.MomentumOptimizer,
  tf.AdagradOptimizer,
  tf.AdadeltaOptimizer,
  tf.RMSPropOptimizer,
  tf.AdamOptimizer,
  tf.AdamaxOptimizer,
];

interface WithRate {
  learningRate: number;
}

/** Values that become a tensor. */
export interface Written {
  readonly shape: readonly number[];
  /** TensorFlow's number. */
  readonly dtype: number;
  readonly values: ArrayBufferView;
}

/** Variables of a step that stand for values that it writes, which would be constants of the graph. */
export interface StandIns {
  readonly variables: readonly tf.Variable[];
  /** The one for the nth values that the step writes. */
  standsFor: (written: Written, nth: number) => tf.Variable | undefined;
}

export class Rate implements StandIns {
  private readonly rate = scalar();
  private readonly minus = scalar();
  private last = NaN;

  /** Use `rateOf`. */
  constructor(readonly optimizer: tf.Optimizer) {}

  get variables(): tf.Variable[] {
    return [this.rate, this.minus];
  }

  standsFor({ shape, dtype, values }: Written): tf.Variable | undefined {
    if (shape.length > 0 || dtype !== DTYPE.float32) return undefined;
    const [value = NaN] = values as Float32Array;
    return Math.abs(value) === MARK ? this.variables[value > 0 ? 0 : 1] : undefined;
  }

  /** Calls a step that is recorded. */
  marked<T>(step: () => T): T {
    const { learningRate } = this.optimizer as unknown as WithRate;
    Object.assign(this.optimizer, { learningRate: MARK });
    try {
      return step();
    } finally {
      Object.assign(this.optimizer, { learningRate });
    }
  }

  /** To be called before a run: the optimizer may have another rate by now. */
  follow(): void {
    const { learningRate: now } = this.optimizer as unknown as WithRate;
    if (now === this.last) return;
    tf.tidy(() => {
      this.rate.assign(tf.scalar(now));
      this.minus.assign(tf.scalar(-now));
    });
    this.last = now;
  }

  dispose(): void {
    tf.dispose([this.rate, this.minus]);
  }
}

const scalar = () => tf.tidy(() => tf.variable(tf.scalar(0), false));

/** The rate of one of tfjs's own optimizers; undefined for others, whose rate is a constant. */
export const rateOf = (optimizer: tf.Optimizer) =>
  KNOWN.includes(optimizer.constructor) ? new Rate(optimizer) : undefined;

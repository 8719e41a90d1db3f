/** Random numbers that TensorFlow draws where it computes, so that a compiled step has fresh ones at every run. */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import { cannot, shown } from '../common/errors.js';
import { execute, nativeTensor, nativeValue, requireNative } from './binding.js';
import { DTYPE } from './graph.js';

const { float32: dtype, int32 } = DTYPE;

/**
 * A generator that is all in one variable. Its draws are TensorFlow's stateless ones (Philox; Salmon et al. 2011,
 * doi:10.1145/2063384.2063405), which follow from the state alone: the same op by op, in a compiled step and in its
 * `runMany`, though not under XLA, which draws others.
 */
export class Generator {
  /** Use `generator`. */
  constructor(
    /** The seed, and how often it has drawn: int32 [2]. Save it to go on later, assign to it to draw the same again. */
    readonly state: tf.Variable,
    private readonly seed?: number,
  ) {}

  /** From `min` to below `max`, but for rounding: multiples of 2^-23 of the way. */
  uniform(shape: readonly number[], min = 0, max = 1): tf.Tensor {
    return tf.tidy(() => scaled(this.draw('StatelessRandomUniform', shape), min, max - min));
  }

  normal(shape: readonly number[], mean = 0, standardDeviation = 1): tf.Tensor {
    return tf.tidy(() => scaled(this.draw('StatelessRandomNormal', shape), mean, standardDeviation));
  }

  /**
   * Each element of `x` is 0 with the probability `rate`, in [0, 1), and else divided by 1 - `rate`. Along axes where
   * `noiseShape` has a 1, all elements share their fate. Throws a BnTrainError for another rate.
   */
  dropout<T extends tf.Tensor>(x: T, rate: number, noiseShape: readonly number[] = x.shape): T {
    if (!(rate >= 0 && rate < 1)) throw cannot('drop out', { expected: 'a rate from 0 to below 1', got: String(rate) });
    if (rate === 0) return x.clone();
    return tf.tidy(() =>
      x.mul(
        this.uniform(noiseShape)
          .greaterEqual(rate)
          .toFloat()
          .div(1 - rate),
      ),
    );
  }

  /** Draws by another seed, as tfjs takes them, and counts on with this one. */
  withSeed(seed: number | string): Generator {
    return new Generator(this.state, wordOf(seed));
  }

  dispose(): void {
    this.state.dispose();
  }

  private draw(op: string, shape: readonly number[]): tf.Tensor {
    const backend = requireNative('draw random numbers');
    tf.util.assertNonNegativeIntegerDimensions([...shape]);
    const key = this.seed === undefined ? this.state : this.state.mul(ints([0, 1])).add(ints([this.seed, 0]));
    const ids = [ints(shape), key].map((tensor) => nativeValue(backend, tensor).id);
    const drawn = nativeTensor(backend, execute(backend.binding, op, { dtype, T: int32, Tseed: int32 }, ids));
    this.state.assign(this.state.add(ints([0, 1])));
    return drawn;
  }
}

/**
 * A generator by a seed, a whole number; without one, by a seed that is drawn. List it in a compiled step's
 * `variables`. Throws a BnTrainError for another seed.
 */
export function generator(seed = Math.floor(Math.random() * 2 ** 31)): Generator {
  if (!Number.isSafeInteger(seed))
    throw cannot('make a random generator', { expected: 'a whole number as its seed', got: shown(seed) });
  return new Generator(tf.tidy(() => tf.variable(ints([wordOf(seed), 0]), false)));
}

const ints = (values: readonly number[]) => tf.tensor1d([...values], 'int32');

const scaled = (x: tf.Tensor, offset: number, scale: number) => (scale === 1 ? x : x.mul(scale)).add(offset);

/** An int32 stands for itself, so that a state shows its seed; any other seed is hashed. */
function wordOf(seed: number | string): number {
  const word = Number(seed) | 0;
  return word === Number(seed) ? word : createHash('sha1').update(String(seed)).digest().readInt32LE();
}

/** Noise whose distribution moves at every step, to stand after batch normalization and undo its stability. */
import * as tf from '@tensorflow/tfjs';

/** Draws anew at every call; `random.generator` of bn-train/graph does, in compiled steps too. */
export interface Draws {
  uniform: (shape: readonly number[], min: number, max: number) => tf.Tensor;
  normal: (shape: readonly number[], mean: number, standardDeviation: number) => tf.Tensor;
}

/** Chosen here, as large as the normalized values themselves. */
const [MEAN, DEVIATION, SPREAD] = [0.5, 1.25, 0.1];

/**
 * In training, each channel is scaled and shifted by noise of which the mean and the deviation are drawn anew at every
 * step, channel by channel, and the values example by example: μ ~ U(−0.5, 0.5) and σ ~ U(1, 1.25) of each channel, then
 * m ~ U(μ − 0.1, μ + 0.1) and s ~ N(σ, 0.1) of each example in it; y = s·x + m. All positions of an example's channel share
 * them. In inference, y = x. After Santurkar et al. 2018, arXiv 1805.11604, section 2.1, but for the constants.
 */
export class MovingNoise extends tf.layers.Layer {
  static readonly className: string = 'MovingNoise';

  constructor(private readonly draws: Draws) {
    super({});
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training = false }: { training?: boolean } = {}): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
      if (!training) return x.clone();
      const channels = x.shape.at(-1) ?? 0;
      const each = [x.shape[0], ...x.shape.slice(1, -1).map(() => 1), channels];
      const mean = this.draws.uniform([channels], -MEAN, MEAN);
      const deviation = this.draws.uniform([channels], 1, DEVIATION);
      const shift = this.draws.uniform(each, -SPREAD, SPREAD).add(mean);
      const scale = this.draws.normal(each, 0, SPREAD).add(deviation);
      return x.mul(scale).add(shift);
    });
  }
}

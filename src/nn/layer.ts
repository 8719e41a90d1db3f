/** The batch normalization layer: it holds the weights and calls `batchNorm`; the mathematics is there. */
import * as tf from '@tensorflow/tfjs';
import { assertHyperparameters, batchNorm } from './batchNorm.js';

type LayerVariable = ReturnType<tf.layers.Layer['addWeight']>;

export interface BatchNormConfig {
  /** Share of the old moving average that is kept, in [0, 1]. Default 0.9. */
  momentum?: number;
  /** Added to the variance; greater than 0. Default 1e-5. */
  epsilon?: number;
  /** Whether there is a β. Default true. */
  center?: boolean;
  /** Whether there is a γ. Default true. */
  scale?: boolean;
  /** False freezes the layer: it normalizes by the moving statistics in training too, as in Keras 3. Default true. */
  trainable?: boolean;
  name?: string;
  /** Without the batch; only where this is a model's first layer. */
  inputShape?: tf.Shape;
}

/**
 * Normalizes the last axis of [batch, channels] or [batch, height, width, channels].
 * Weights: gamma, beta (trainable), moving_mean, moving_variance (not trainable), each [channels].
 */
export class BatchNorm extends tf.layers.Layer {
  static readonly className: string = 'BatchNorm';
  readonly momentum: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  private gamma: LayerVariable | undefined;
  private beta: LayerVariable | undefined;
  private movingMean!: LayerVariable;
  private movingVariance!: LayerVariable;

  constructor({ momentum = 0.9, epsilon = 1e-5, center = true, scale = true, ...rest }: BatchNormConfig = {}) {
    super(rest);
    assertHyperparameters({ momentum, epsilon });
    Object.assign(this, { supportsMasking: true });
    this.momentum = momentum;
    this.epsilon = epsilon;
    this.center = center;
    this.scale = scale;
  }

  override build(inputShape: tf.Shape): void {
    const channels = [inputShape.at(-1) ?? null];
    const add = (name: string, initializer: 'ones' | 'zeros', trainable: boolean) =>
      this.addWeight(name, channels, 'float32', tf.initializers[initializer](), undefined, trainable);
    if (this.scale) this.gamma = add('gamma', 'ones', true);
    if (this.center) this.beta = add('beta', 'zeros', true);
    this.movingMean = add('moving_mean', 'zeros', false);
    this.movingVariance = add('moving_variance', 'ones', false);
    this.built = true;
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training = false }: { training?: boolean } = {}): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
      const mean = this.movingMean.read();
      const variance = this.movingVariance.read();
      const gamma = this.gamma?.read() ?? tf.onesLike(mean);
      const beta = this.beta?.read() ?? tf.zerosLike(mean);
      const options = { training: training && this.trainable, epsilon: this.epsilon, momentum: this.momentum };
      const result = batchNorm(x, gamma, beta, mean, variance, options);
      if (options.training) {
        this.movingMean.write(result.movingMean);
        this.movingVariance.write(result.movingVariance);
      }
      return result.y;
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { momentum, epsilon, center, scale } = this;
    return { ...super.getConfig(), momentum, epsilon, center, scale };
  }
}
tf.serialization.registerClass(BatchNorm);

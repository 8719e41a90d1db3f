/** The batch normalization layer: it holds the weights and calls `batchNorm`; the mathematics is there. */
import * as tf from '@tensorflow/tfjs';
import { assertKnown, cannot, shown } from '../common/errors.js';
import { assertHyperparameters, batchNorm } from './batchNorm.js';

type LayerVariable = ReturnType<tf.layers.Layer['addWeight']>;
type BuiltinConfig = NonNullable<Parameters<typeof tf.layers.batchNormalization>[0]>;
/** What tf.layers.batchNormalization takes, whose momentum and epsilon default to 0.99 and 1e-3 though. */
export interface BatchNormConfig extends Omit<BuiltinConfig, 'axis'> {
  /** The last one, as -1, rank − 1 or [rank − 1]. Default -1. */
  axis?: number | number[];
  /** Share of the old moving average that is kept, in [0, 1]. Default 0.9. */
  momentum?: number;
  /** Added to the variance; greater than 0. Default 1e-5. */
  epsilon?: number;
  /** False freezes the layer: it normalizes by the moving statistics in training too, as in Keras 3. Default true. */
  trainable?: boolean;
}

type AddWeight = Parameters<tf.layers.Layer['addWeight']>;
type Initializer = AddWeight[3];
type Regularizer = AddWeight[4];
type Constraint = AddWeight[6];

/** The built-in layer, as far as it is read here. */
type Builtin = tf.layers.Layer &
  Record<'gammaInitializer' | 'betaInitializer', Initializer> &
  Record<'movingMeanInitializer' | 'movingVarianceInitializer', Initializer> &
  Record<'gammaRegularizer' | 'betaRegularizer', Regularizer> &
  Record<'gammaConstraint' | 'betaConstraint', Constraint>;

/** The options of every layer that do not stand in its config. */
const INPUT_OPTIONS = ['inputShape', 'batchInputShape', 'batchSize', 'dtype', 'inputDType', 'weights'];
const CHANNELS_LAST = 'put the channels last, as dataFormat: "channelsLast" and tf.layers.permute do';

/**
 * Normalizes the last axis of [batch, …, channels], of any rank from 2.
 * Weights: gamma, beta (trainable), moving_mean, moving_variance (not trainable), each [channels].
 *
 * Throws a BnTrainError for an option that it does not know, another axis, ε ≤ 0 or a momentum outside [0, 1]; and when
 * it is built, for rank 0 or 1 and for channels that are not known.
 */
export class BatchNorm extends tf.layers.Layer {
  static readonly className: string = 'BatchNorm';
  /** For `accelerate`: it computes the same always, but for its settings and weights. */
  static readonly settled = true;
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  /** Reads initializers, constraints and regularizers and writes them into a config: tfjs exports nothing else that does. */
  private readonly builtin: Builtin;
  private gamma: LayerVariable | undefined;
  private beta: LayerVariable | undefined;
  private movingMean!: LayerVariable;
  private movingVariance!: LayerVariable;

  constructor(config: BatchNormConfig = {}) {
    super(config);
    Object.assign(this, { supportsMasking: true });
    // A config may hold null for what it leaves open, as tfjs's own layer takes it.
    this.axis = axisOf(config.axis ?? -1);
    this.momentum = config.momentum ?? 0.9;
    this.epsilon = config.epsilon ?? 1e-5;
    this.center = config.center ?? true;
    this.scale = config.scale ?? true;
    assertHyperparameters(this);
    const { name, axis, momentum, epsilon, center, scale } = this;
    const settings = { ...config, name, axis, momentum, epsilon, center, scale };
    this.builtin = tf.layers.batchNormalization(settings) as tf.layers.Layer as Builtin;
    assertKnown('create a BatchNorm', config, [...Object.keys(this.builtin.getConfig()), ...INPUT_OPTIONS]);
    if ((this.batchInputShape as tf.Shape | undefined) !== undefined) this.channelsOf(this.batchInputShape);
  }

  /** tfjs adds `customObjects` to each config that it reads. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    { customObjects: _, ...config }: tf.serialization.ConfigDict,
  ): T {
    return new cls(config);
  }

  /**
   * This layer in the place of a tf.layers.batchNormalization: its configuration, name, momentum and epsilon included,
   * and a copy of its weights where it is built. Throws a BnTrainError for another layer, or one of another axis.
   */
  static fromBuiltin(layer: tf.layers.Layer): BatchNorm {
    if (layer.getClassName() !== 'BatchNormalization')
      throw cannot('make a BatchNorm of a layer', {
        expected: 'a tf.layers.batchNormalization',
        got: `${layer.getClassName()} ${shown(layer.name)}`,
      });
    const made = new BatchNorm(layer.getConfig());
    if (!layer.built) return made;
    const { ndim = 0, axes = {} } = layer.inputSpec[0] ?? {};
    made.build(Array.from({ length: ndim }, (_, axis) => axes[axis] ?? null));
    made.setWeights(layer.getWeights());
    return made;
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as tf.Shape[];
    const [shape = []] = shapes;
    if (shapes.length !== 1) throw cannot(`build ${this.name}`, { expected: 'one input', got: `${shapes.length}` });
    const channels = this.channelsOf(shape);
    const add = (name: string, initializer: Initializer, regularizer?: Regularizer, constraint?: Constraint) =>
      this.addWeight(name, [channels], 'float32', initializer, regularizer, !name.startsWith('moving'), constraint);
    const { gammaInitializer, gammaRegularizer, gammaConstraint, movingMeanInitializer } = this.builtin;
    const { betaInitializer, betaRegularizer, betaConstraint, movingVarianceInitializer } = this.builtin;
    if (this.scale) this.gamma = add('gamma', gammaInitializer, gammaRegularizer, gammaConstraint);
    if (this.center) this.beta = add('beta', betaInitializer, betaRegularizer, betaConstraint);
    this.movingMean = add('moving_mean', movingMeanInitializer);
    this.movingVariance = add('moving_variance', movingVarianceInitializer);
    this.inputSpec = [new tf.InputSpec({ ndim: shape.length, axes: { [shape.length - 1]: channels } })];
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
    return { ...this.builtin.getConfig(), ...super.getConfig() };
  }

  /** Throws for an input that this layer does not take; shapes with the batch. */
  private channelsOf(shape: tf.Shape): number {
    const refuse = (expected: string, hint?: string) =>
      cannot(`build ${this.name}`, {
        expected,
        got: `an input of shape ${JSON.stringify(shape)}`,
        ...(hint && { hint }),
      });
    const last = shape.length - 1;
    const channels = shape[last];
    if (last < 1) throw refuse('an input of shape [batch, …, channels], of rank 2 or more');
    if (this.axis !== -1 && this.axis !== last) throw refuse(`axis ${this.axis} to be the last one`, CHANNELS_LAST);
    if (channels == null) throw refuse('a known number of channels, the last axis');
    return channels;
  }
}
tf.serialization.registerClass(BatchNorm);

/** Which axis it is; that it is the last one shows when the rank is known. */
function axisOf(given: number | number[]): number {
  const [axis = NaN, ...others] = [given].flat();
  if (others.length === 0 && Number.isSafeInteger(axis) && (axis === -1 || axis >= 1)) return axis;
  throw cannot('create a BatchNorm', {
    expected: 'axis to be the last one, -1',
    got: shown(given),
    hint: CHANNELS_LAST,
  });
}

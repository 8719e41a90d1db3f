/** The group normalization layer: it holds γ and β and calls `groupNorm`. */
import * as tf from '@tensorflow/tfjs';
import { assertKnown } from '../common/errors.js';
import { assertDivides, assertGroupOptions, groupNorm, type GroupNormOptions } from './groupNorm.js';

type LayerConfig = NonNullable<ConstructorParameters<typeof tf.layers.Layer>[0]>;
export interface GroupNormConfig extends LayerConfig, GroupNormOptions {}

const OPTIONS = ['groups', 'epsilon', 'name', 'trainable', 'dtype', 'weights'];
const INPUT_OPTIONS = ['inputShape', 'batchInputShape', 'batchSize', 'inputDType'];

/**
 * Normalizes each example of [batch, …, channels] in groups of its channels; with one group it is layer normalization.
 * Weights: gamma and beta, each [channels]. Throws a BnTrainError for an option that it does not know and ε ≤ 0; and when
 * it is built, for groups that do not divide the channels.
 */
export class GroupNorm extends tf.layers.Layer {
  static readonly className: string = 'GroupNorm';
  /** For `accelerate`: it computes the same always, but for its settings and weights. */
  static readonly settled = true;
  private readonly options: Required<GroupNormOptions>;
  private gamma!: tf.LayerVariable;
  private beta!: tf.LayerVariable;

  constructor(config: GroupNormConfig) {
    super(config);
    assertKnown('create a GroupNorm', config, [...OPTIONS, ...INPUT_OPTIONS]);
    this.options = { groups: config.groups, epsilon: config.epsilon ?? 1e-5 };
    assertGroupOptions(this.options);
  }

  /** tfjs adds `customObjects` to each config that it reads. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    { customObjects: _, ...config }: tf.serialization.ConfigDict,
  ): T {
    return new cls(config);
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const channels = (inputShape as tf.Shape).at(-1) ?? 0;
    assertDivides(this.options.groups, channels);
    this.gamma = this.addWeight('gamma', [channels], 'float32', tf.initializers.ones());
    this.beta = this.addWeight('beta', [channels], 'float32', tf.initializers.zeros());
    this.built = true;
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
    return tf.tidy(() => groupNorm(x, this.gamma.read(), this.beta.read(), this.options));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.options };
  }
}
tf.serialization.registerClass(GroupNorm);

/** What training takes, and what its values must be. */
import type * as tf from '@tensorflow/tfjs';
import { assertKnown, cannot, shown } from '../common/errors.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import type { Progressed } from './events.js';
import { type Mode, MODES } from './step.js';

export interface TrainOptions {
  /** Takes images [batch, height, width, 1] in [0, 1], gives logits [batch, classes]. Trained in place. */
  model: tf.Sequential;
  data: Pick<FashionMnist, 'train' | 'test'>;
  /** Of plain SGD. Default 1. */
  learningRate?: number;
  /** Default 10. */
  epochs?: number;
  /** Default 256; the smaller last batch of an epoch is trained on too. */
  batchSize?: number;
  /** Decides the order of the examples, a new one each epoch. Default 0. */
  seed?: number;
  /** Yields a 'checkpoint' event after each so many batches of an epoch. Default: none. */
  checkpointSteps?: number | undefined;
  /**
   * How steps are run: as one graph each, fused or not, or op by op. Default: the first of these that is to be had, which
   * the 'start' event tells.
   */
  mode?: Mode;
  /**
   * Steps that one call into TensorFlow takes, as one graph. The events are the same, and come together at the end of the
   * call. Default 64 on a GPU, where a step is bound by launches and a wait between calls leaves it idle; 1 elsewhere.
   */
  stepsPerCall?: number | undefined;
  /** Has XLA compile the graphs, for the device they run on. Default false, as it is many times slower on the CPU. */
  xla?: boolean | undefined;
  /**
   * Measures the test accuracy under population statistics as well: after each epoch with those of the first 10 whole
   * batches, at the end with the whole training set's. Default true; without batch normalization there are none.
   */
  population?: boolean | undefined;
  /** Ends the run after the call under way, with an 'interrupted' event. */
  signal?: AbortSignal;
  /** Continue from here, with a model whose weights are those of that moment. */
  from?: Progressed;
}

type Holds = (value: unknown) => boolean;

const ANY: readonly [expected: string, holds: Holds] = ['anything', () => true];
const COUNT: readonly [expected: string, holds: Holds] = [
  'a whole number from 1',
  (value) => Number.isSafeInteger(value) && Number(value) >= 1,
];
const YES_OR_NO: readonly [expected: string, holds: Holds] = ['true or false', (value) => typeof value === 'boolean'];
const RULES: Record<keyof TrainOptions, readonly [expected: string, holds: Holds]> = {
  model: ANY,
  data: ANY,
  learningRate: ['a number above 0', (value) => Number.isFinite(value) && Number(value) > 0],
  epochs: COUNT,
  batchSize: COUNT,
  seed: ['a whole number from 0', (value) => Number.isSafeInteger(value) && Number(value) >= 0],
  checkpointSteps: COUNT,
  mode: ['fused, graph or eager', (value) => MODES.some((mode) => mode === value)],
  stepsPerCall: COUNT,
  xla: YES_OR_NO,
  population: YES_OR_NO,
  signal: ['an AbortSignal', (value) => value instanceof AbortSignal],
  from: ANY,
};

/** Throws a BnTrainError that names what is wrong with an option, or one that there is not. */
export function assertOptions(options: TrainOptions): void {
  assertKnown('train', options, Object.keys(RULES));
  for (const [name, [expected, holds]] of Object.entries(RULES)) {
    const value = options[name as keyof TrainOptions];
    if (value !== undefined && !holds(value))
      throw cannot('train', { expected: `${name} to be ${expected}`, got: shown(value) });
  }
}

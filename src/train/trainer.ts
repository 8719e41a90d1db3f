/** A model, its data and a way to run its steps: what the training loop and the evaluation call. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import type { StepDefinition } from '../graph/compile.js';
import { isNormalized } from '../nn/population.js';
import { RowSteps } from './rowSteps.js';
import {
  assertBatch,
  assertFits,
  defaultStepsPerCall,
  DeviceDataset,
  evaluationStep,
  type Mode,
  momentsStep,
  trainingStep,
} from './step.js';

export interface StepResult {
  /** Mean softmax cross-entropy of the batch, in nats, before the update. */
  loss: number;
  /** How many examples of the batch were classified correctly, before the update. */
  correct: number;
}

export interface TrainerOptions {
  model: tf.Sequential;
  data: Pick<FashionMnist, 'train' | 'test'>;
  batchSize: number;
  /** Left out for a trainer that only evaluates. */
  learningRate?: number;
  mode: Mode;
  /** Default: as `defaultStepsPerCall` has it. */
  stepsPerCall?: number | undefined;
  /** Of graphs. Default false. */
  xla?: boolean | undefined;
  /** Whether population statistics will be asked for, where there is batch normalization. Default true. */
  population?: boolean | undefined;
  /** Ends the wait for fused kernels to be compiled: what it is aborted with is thrown. */
  signal?: AbortSignal | undefined;
}

type StepName = 'train' | 'evaluate' | 'moments';

export const EVALUATION_BATCH = 250;

export class Trainer {
  private constructor(
    readonly model: tf.Sequential,
    readonly batchSize: number,
    /** How many batches of one size the functions below take at most. */
    readonly stepsPerCall: number,
    readonly trainCount: number,
    readonly testCount: number,
    /** Whether there are population statistics to be had. */
    readonly takesMoments: boolean,
    private readonly steps: RowSteps<StepName>,
    private readonly learningRate: number,
    private readonly owned: Owned[],
  ) {}

  /**
   * Uploads the data and, unless the steps run op by op, compiles them; the model's variables must not be replaced after that. Throws
   * a BnTrainError for data that the model is not made for, and for batches that cannot be normalized.
   */
  static async open(options: TrainerOptions): Promise<Trainer> {
    const { model, data, batchSize, learningRate = NaN, mode, xla = false, population = true, signal } = options;
    const { stepsPerCall = defaultStepsPerCall(mode) } = options;
    for (const set of ['train', 'test'] as const) assertFits(model, set, data[set]);
    const normalized = isNormalized(model);
    assertBatch(normalized, batchSize, data.train.count);
    const owned: Owned[] = [];
    const own = <T extends Owned>(made: T): T => {
      owned.push(made);
      return made;
    };
    try {
      const datasets = { train: own(new DeviceDataset(data.train)), test: own(new DeviceDataset(data.test)) };
      const variables = [model, datasets.train.variables, datasets.test.variables];
      const takesMoments = normalized && population;
      const definitions = stepsOf(options, datasets, takesMoments) as Record<StepName, StepDefinition>;
      const steps = own(await RowSteps.open(definitions, { variables, xla, mode, signal }));
      const about = [data.train.count, data.test.count, takesMoments] as const;
      return new Trainer(model, batchSize, stepsPerCall, ...about, steps, learningRate, owned);
    } catch (error) {
      disposeOf(owned);
      throw error;
    }
  }

  /** See `RowSteps`. */
  get how(): RowSteps<StepName>['how'] {
    return this.steps.how;
  }

  /** Trains on batches of rows of the training set, one after the other. */
  step(batches: Int32Array[]): StepResult[] {
    const results = this.steps.run('train', batches, this.learningRate);
    return results.map(([[loss = NaN] = [], [correct = NaN] = []]) => ({ loss, correct }));
  }

  /** How many of the given rows of the test set the model classifies correctly in inference. */
  countCorrect(batches: Int32Array[]): number {
    return this.steps.run('evaluate', batches).reduce((sum, [[correct = NaN] = []]) => sum + correct, 0);
  }

  /** Of each batch of rows of the training set: mean and variance of each BN layer's input, see `batchMoments`. */
  moments(batches: Int32Array[]): Float32Array[][] {
    return this.steps.run('moments', batches);
  }

  dispose(): void {
    disposeOf(this.owned);
  }
}

/** What lies on the backend until it is given back. */
interface Owned {
  dispose: () => void;
}

/** The last first: compiled steps hold what was made before them. */
function disposeOf(owned: Owned[]): void {
  for (const made of owned.reverse()) made.dispose();
}

interface Datasets {
  train: DeviceDataset;
  test: DeviceDataset;
}

/** Only those that will be run, as each takes time to be compiled. */
function stepsOf(
  { model, batchSize, learningRate }: TrainerOptions,
  { train, test }: Datasets,
  takesMoments: boolean,
): Partial<Record<StepName, StepDefinition>> {
  const trainRows = rowsOf(train.count, batchSize);
  const rate = { shape: [], dtype: 'float32' } as const;
  const evaluated = rowsOf(test.count, EVALUATION_BATCH).map((rows) => [rows]);
  return {
    ...(learningRate !== undefined && {
      train: { step: trainingStep(model, train), inputs: trainRows.map((rows) => [rows, rate]) },
    }),
    evaluate: { step: evaluationStep(model, test), inputs: evaluated },
    ...(takesMoments && {
      moments: { step: momentsStep(model, train), inputs: trainRows.map((rows) => [rows]) },
    }),
  };
}

/** The shapes of the batches that `count` rows are cut into: the usual one, and that of a smaller last one. */
function rowsOf(count: number, batchSize: number) {
  const order = new Int32Array(count);
  const sizes = new Set([...batches(order, batchSize)].map(({ length }) => length));
  return [...sizes].map((size) => ({ shape: [size], dtype: 'int32' }) as const);
}

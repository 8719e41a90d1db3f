/** A model, its data and a way to run its steps: what the training loop and the evaluation call. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import { compileSteps, type StepDefinition } from '../graph/compile.js';
import type { CompiledSteps, Fusion } from '../graph/compiledSteps.js';
import { isNormalized, takeVectors } from '../nn/population.js';
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
type Steps = Readonly<Record<StepName, StepDefinition>>;

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
    private readonly steps: Steps,
    /** Unless they run op by op. */
    private readonly compiled: CompiledSteps<StepName> | undefined,
    private readonly learningRate: tf.Scalar,
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
      const rate = own(tf.scalar(learningRate));
      const datasets = { train: own(new DeviceDataset(data.train)), test: own(new DeviceDataset(data.test)) };
      const variables = [model, datasets.train.variables, datasets.test.variables];
      const takesMoments = normalized && population;
      const steps = stepsOf(options, datasets, takesMoments) as Steps;
      const how = { variables, xla, fuse: mode === 'fused', signal };
      const compiled = mode === 'eager' ? undefined : own(await compileSteps(steps, how));
      const about = [data.train.count, data.test.count, takesMoments] as const;
      return new Trainer(model, batchSize, stepsPerCall, ...about, steps, compiled, rate, owned);
    } catch (error) {
      disposeOf(owned);
      throw error;
    }
  }

  /** How the steps are run. Fused ones that were asked for and cannot be had are graphs, and `kernels` says why. */
  get how(): { mode: Mode; kernels?: Fusion } {
    const { compiled } = this;
    if (!compiled) return { mode: 'eager' };
    const { fused } = compiled;
    return fused ? { mode: 'hash' in fused ? 'fused' : 'graph', kernels: fused } : { mode: 'graph' };
  }

  /** Trains on batches of rows of the training set, one after the other. */
  step(batches: Int32Array[]): StepResult[] {
    const results = this.run('train', batches, this.learningRate);
    return results.map(([[loss = NaN] = [], [correct = NaN] = []]) => ({ loss, correct }));
  }

  /** How many of the given rows of the test set the model classifies correctly in inference. */
  countCorrect(batches: Int32Array[]): number {
    return this.run('evaluate', batches).reduce((sum, [[correct = NaN] = []]) => sum + correct, 0);
  }

  /** Of each batch of rows of the training set: mean and variance of each BN layer's input, see `batchMoments`. */
  moments(batches: Int32Array[]): Float32Array[][] {
    return this.run('moments', batches);
  }

  dispose(): void {
    disposeOf(this.owned);
  }

  /** For each batch, the values of each output. */
  private run(name: StepName, batches: Int32Array[], ...scalars: tf.Scalar[]): Float32Array[][] {
    const { compiled, steps } = this;
    if (!compiled || batches.length === 1)
      return batches.map((batch) => {
        const outputs = tf.tidy(() => {
          const inputs = [tf.tensor1d(batch, 'int32'), ...scalars];
          return compiled ? compiled.run(name, ...inputs) : steps[name].step(...inputs);
        });
        return takeVectors(outputs);
      });
    const outputs = tf.tidy(() => {
      const rows = Int32Array.from(batches.flatMap((batch) => [...batch]));
      const stack = tf.tensor1d(rows, 'int32').reshape([batches.length, -1]);
      return compiled.runMany(name, stack, ...scalars.map((scalar) => scalar.broadcastTo([batches.length])));
    });
    const all = takeVectors(outputs);
    return batches.map((_, i) =>
      all.map((values) =>
        values.subarray((i * values.length) / batches.length, ((i + 1) * values.length) / batches.length),
      ),
    );
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

/** A model, its data and a way to run its steps: what the training loop and the evaluation call. */
import * as tf from '@tensorflow/tfjs';
import { batches } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import { isBatchNorm, takeVectors } from '../nn/population.js';
import { type Mode, openRunner, type Runner } from './runner.js';
import { DeviceDataset, evaluationStep, momentsStep, trainingStep } from './step.js';

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
  learningRate: number;
  mode: Mode;
}

type StepName = 'train' | 'evaluate' | 'moments';

export const EVALUATION_BATCH = 250;

export class Trainer {
  readonly trainCount: number;
  readonly testCount: number;

  private constructor(
    readonly model: tf.Sequential,
    readonly batchSize: number,
    private readonly runner: Runner<StepName>,
    private readonly learningRate: tf.Scalar,
    private readonly datasets: { train: DeviceDataset; test: DeviceDataset },
  ) {
    this.trainCount = datasets.train.count;
    this.testCount = datasets.test.count;
  }

  /** Uploads the data and, in graph mode, compiles the steps; the model's variables must not be replaced after that. */
  static async open({ model, data, batchSize, learningRate, mode }: TrainerOptions): Promise<Trainer> {
    const [train, test] = [new DeviceDataset(data.train), new DeviceDataset(data.test)];
    const weights = model.weights.map((weight) => weight.read() as tf.Variable);
    const rate = { shape: [], dtype: 'float32' } as const;
    const steps = {
      train: { step: trainingStep(model, train), inputs: rowsOf(train.count, batchSize).map((rows) => [rows, rate]) },
      evaluate: {
        step: evaluationStep(model, test),
        inputs: rowsOf(test.count, EVALUATION_BATCH).map((rows) => [rows]),
      },
      moments: { step: momentsStep(model, train), inputs: rowsOf(train.count, batchSize).map((rows) => [rows]) },
    };
    const runner = await openRunner(mode, steps, [...weights, ...train.variables, ...test.variables]);
    return new Trainer(model, batchSize, runner, tf.scalar(learningRate), { train, test });
  }

  get normalized(): boolean {
    return this.model.layers.some(isBatchNorm);
  }

  /** Trains on the given rows of the training set. */
  step(rows: Int32Array): StepResult {
    const [loss = NaN, correct = NaN] = this.run('train', rows, this.learningRate).map(([value]) => value);
    return { loss, correct };
  }

  /** How many of the given rows of the test set the model classifies correctly in inference. */
  countCorrect(rows: Int32Array): number {
    return this.run('evaluate', rows)[0]?.[0] ?? NaN;
  }

  /** Of rows of the training set: mean and variance of each BN layer's input, see `batchMoments`. */
  moments(rows: Int32Array): Float32Array[] {
    return this.run('moments', rows);
  }

  /** Makes the model's weights those of the moment. */
  sync(): void {
    this.runner.read();
  }

  /** To be called after the model's weights were written to. */
  reload(): void {
    this.runner.write();
  }

  dispose(): void {
    this.runner.dispose();
    this.learningRate.dispose();
    this.datasets.train.dispose();
    this.datasets.test.dispose();
  }

  private run(name: StepName, rows: Int32Array, ...rest: tf.Tensor[]): Float32Array[] {
    const index = tf.tensor1d(rows, 'int32');
    const outputs = this.runner.run(name, index, ...rest);
    index.dispose();
    return takeVectors(outputs);
  }
}

/** The shapes of the batches that `count` rows are cut into: the usual one, and that of a smaller last one. */
function rowsOf(count: number, batchSize: number) {
  const order = new Int32Array(count);
  const sizes = new Set([...batches(order, batchSize)].map(({ length }) => length));
  return [...sizes].map((size) => ({ shape: [size], dtype: 'int32' }) as const);
}

/** The training loop: it yields typed events, prints nothing and writes nothing. */
import type * as tf from '@tensorflow/tfjs';
import { batches, shuffledOrder } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import { cannot } from '../errors.js';
import { accuracy, breathe, populationAccuracy } from './evaluate.js';
import { type EpochResult, type FinalResult, type Position, startOf, type TrainEvent } from './events.js';
import { DeviceDataset, eagerStep, type Step } from './step.js';

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
  /** Ends the run after the step under way, with an 'interrupted' event. */
  signal?: AbortSignal;
  /** Continue from here, with a model whose weights are those of that moment. */
  from?: { position: Position; history: EpochResult[] };
}

interface Run {
  model: tf.Sequential;
  step: Step;
  train: DeviceDataset;
  test: DeviceDataset;
  batchSize: number;
  seed: number;
  checkpointSteps: number | undefined;
  signal: AbortSignal | undefined;
}

/**
 * Trains and yields what happens. When a 'checkpoint', 'epoch', 'interrupted' or 'end' event arrives, the model's weights
 * are those of that moment. The same seed and weights give the same events on the same backend, time figures aside.
 *
 * Throws a BnTrainError when a loss is no longer finite.
 */
export async function* train({
  model,
  data,
  learningRate = 1,
  epochs = 10,
  batchSize = 256,
  seed = 0,
  checkpointSteps,
  signal,
  from = { position: startOf(1), history: [] },
}: TrainOptions): AsyncGenerator<TrainEvent> {
  const [trainSet, testSet] = [new DeviceDataset(data.train), new DeviceDataset(data.test)];
  const step = eagerStep(model, trainSet, learningRate);
  const run: Run = { model, step, train: trainSet, test: testSet, batchSize, seed, checkpointSteps, signal };
  const history = [...from.history];
  let position = { ...from.position };
  try {
    const { count } = trainSet;
    yield { type: 'start', epochs, batches: Math.ceil(count / batchSize), examples: count, position: { ...position } };
    while (position.epoch <= epochs) {
      yield* trainEpoch(run, position);
      await step.sync();
      if (signal?.aborted) {
        yield { type: 'interrupted', position };
        return;
      }
      yield { type: 'evaluate', of: 'test' };
      const testAccuracy = await interruptible(accuracy(model, testSet, signal), signal);
      if (testAccuracy === undefined) {
        yield { type: 'interrupted', position };
        return;
      }
      const result = summarize(position, testAccuracy);
      history.push(result);
      position = startOf(position.epoch + 1);
      yield { type: 'epoch', ...result };
    }
    yield { type: 'evaluate', of: 'population' };
    const population = await interruptible(populationAccuracy(model, run), signal);
    yield population === undefined
      ? { type: 'interrupted', position }
      : { type: 'end', ...finish(history, population) };
  } finally {
    step.dispose();
    trainSet.dispose();
    testSet.dispose();
  }
}

/** Trains the rest of the epoch that `position` stands in, and moves `position` along. */
async function* trainEpoch(
  { step, train, batchSize, seed, checkpointSteps = Infinity, signal }: Run,
  position: Position,
): AsyncGenerator<TrainEvent> {
  const order = shuffledOrder(train.count, seed, position.epoch).subarray(position.batch * batchSize);
  for (const rows of batches(order, batchSize)) {
    if (signal?.aborted) return;
    const started = performance.now();
    const { loss, correct } = step.run(rows);
    position.seconds += (performance.now() - started) / 1000;
    position.batch += 1;
    assertFinite(loss, position);
    position.loss += loss * rows.length;
    position.correct += correct;
    position.examples += rows.length;
    const { epoch, batch, examples, seconds } = position;
    yield { type: 'step', epoch, batch, loss: position.loss / examples, examplesPerSecond: examples / seconds };
    if (batch % checkpointSteps === 0) {
      await step.sync();
      yield { type: 'checkpoint', position: { ...position } };
    }
    await breathe();
  }
}

function assertFinite(loss: number, { epoch, batch }: Position): void {
  if (!Number.isFinite(loss))
    throw cannot('go on training', {
      expected: 'a finite loss',
      got: `${loss} in batch ${batch} of epoch ${epoch}`,
      hint: 'use a smaller --lr',
    });
}

function summarize({ epoch, loss, correct, examples, seconds }: Position, testAccuracy: number): EpochResult {
  const trainAccuracy = correct / examples;
  return { epoch, loss: loss / examples, trainAccuracy, testAccuracy, examplesPerSecond: examples / seconds, seconds };
}

function finish(history: EpochResult[], testAccuracyPopulation: number): FinalResult {
  const last = history.at(-1);
  if (!last) throw cannot('finish the run', { expected: 'at least 1 epoch', got: '0' });
  const seconds = history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const examples = history.reduce((sum, epoch) => sum + epoch.examplesPerSecond * epoch.seconds, 0);
  const { loss, trainAccuracy, testAccuracy } = last;
  return { loss, trainAccuracy, testAccuracy, testAccuracyPopulation, examplesPerSecond: examples / seconds };
}

async function interruptible<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

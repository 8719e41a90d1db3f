/** The training loop: it yields typed events, prints nothing and writes nothing. */
import * as tf from '@tensorflow/tfjs';
import { batches, calls, shuffledOrder } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import { cannot } from '../common/errors.js';
import { formatMetric } from '../common/format.js';
import { accuracy, breathe, imagesOfEpoch, populationAccuracy } from './evaluate.js';
import type { EpochResult, FinalResult, PopulationResult, Position, Progressed, TrainEvent } from './events.js';
import { defaultMode, type Mode } from './mode.js';
import { assertCount, type StepResult, Trainer } from './trainer.js';

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

/** The position before the first batch of an epoch. */
export function startOf(epoch: number): Position {
  return { epoch, batch: 0, loss: 0, correct: 0, examples: 0, seconds: 0 };
}

/**
 * Trains and yields what happens. When a 'checkpoint', 'epoch', 'interrupted' or 'end' event arrives, the model's weights
 * are those of that moment. The same seed and weights give the same events on the same backend, time figures aside.
 *
 * Throws a BnTrainError before the first step for data that the model is not made for and for numbers of epochs, steps or
 * examples that are not whole or below 1; when a loss is no longer finite; after an epoch whose loss cannot be right.
 */
export async function* train({
  model,
  data,
  learningRate = 1,
  epochs = 10,
  batchSize = 256,
  seed,
  checkpointSteps,
  stepsPerCall,
  xla,
  mode = defaultMode({ xla: xla === true }),
  population,
  signal,
  from = { position: startOf(1), history: [] },
}: TrainOptions): AsyncGenerator<TrainEvent> {
  assertCount('epochs', epochs);
  if (checkpointSteps !== undefined) assertCount('checkpointSteps', checkpointSteps);
  const trainer = await Trainer.open({ model, data, batchSize, learningRate, mode, stepsPerCall, xla, population });
  const history = [...from.history];
  let position = { ...from.position };
  try {
    const examples = trainer.trainCount;
    const size = { epochs, batches: Math.ceil(examples / batchSize), examples };
    yield { type: 'start', ...size, position: { ...position }, ...trainer.how };
    while (position.epoch <= epochs) {
      yield* trainEpoch(trainer, { seed, checkpointSteps, signal }, position);
      signal?.throwIfAborted();
      assertPossible(position);
      yield { type: 'evaluate', of: 'test' };
      const testAccuracy = await accuracy(trainer, signal);
      const result = summarize(
        position,
        testAccuracy,
        await populationAccuracy(trainer, imagesOfEpoch(trainer), signal),
      );
      history.push(result);
      position = startOf(position.epoch + 1);
      yield { type: 'epoch', ...result };
    }
    if (trainer.takesMoments) yield { type: 'evaluate', of: 'population' };
    yield { type: 'end', ...finish(history, await populationAccuracy(trainer, examples, signal)) };
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    yield { type: 'interrupted', position };
  } finally {
    trainer.dispose();
  }
}

/** Trains the rest of the epoch that `position` stands in, and moves `position` along. */
async function* trainEpoch(
  trainer: Trainer,
  { seed = 0, checkpointSteps = Infinity, signal }: Pick<TrainOptions, 'seed' | 'checkpointSteps' | 'signal'>,
  position: Position,
): AsyncGenerator<TrainEvent> {
  const { trainCount, batchSize } = trainer;
  const order = shuffledOrder(trainCount, seed, position.epoch).subarray(position.batch * batchSize);
  const bounds = { most: trainer.stepsPerCall, before: position.batch, bound: checkpointSteps };
  for (const call of calls(batches(order, batchSize), bounds)) {
    // A signal that came during the call before is seen here, and not one call later.
    await breathe();
    if (signal?.aborted) return;
    const started = performance.now();
    const results = trainer.step(call);
    const seconds = (performance.now() - started) / 1000 / call.length;
    for (const [i, result] of results.entries())
      yield advance(position, result, { size: call[i]?.length ?? 0, seconds });
    if (position.batch % checkpointSteps === 0) yield { type: 'checkpoint', position: { ...position } };
  }
}

/** Adds one step to `position`. */
function advance(
  position: Position,
  { loss, correct }: StepResult,
  done: { size: number; seconds: number },
): TrainEvent {
  position.seconds += done.seconds;
  position.batch += 1;
  assertFinite(loss, position);
  position.loss += loss * done.size;
  position.correct += correct;
  position.examples += done.size;
  const { epoch, batch, examples, seconds } = position;
  return { type: 'step', epoch, batch, loss: position.loss / examples, examplesPerSecond: examples / seconds };
}

function assertFinite(loss: number, { epoch, batch }: Position): void {
  if (!Number.isFinite(loss))
    throw cannot('go on training', {
      expected: 'a finite loss',
      got: `${loss} in batch ${batch} of epoch ${epoch}`,
      hint: 'use a smaller --lr',
    });
}

/**
 * The class of an example that is classified wrongly has a probability of 1/2 at most, so the example costs ln 2 at least;
 * rounding of float32 takes less than 1e-4 from the mean. Says so where the backend's own operations are wrong.
 */
function assertPossible({ epoch, loss, correct, examples }: Position): void {
  const [mean, accuracy] = [loss / examples, correct / examples];
  const least = (1 - accuracy) * Math.LN2;
  if (mean >= least - 1e-4) return;
  const backend = { tensorflow: 'native', cpu: 'js' }[tf.getBackend()] ?? tf.getBackend();
  throw cannot('go on training', {
    expected: `a loss of ${formatMetric(least)} or more at a train accuracy of ${formatMetric(accuracy)}, as each wrong example costs ln 2 or more`,
    got: `${formatMetric(mean)} in epoch ${epoch}: the ${backend} backend computes wrongly`,
    hint: `to see which of its operations are wrong: bn-train verify --backend ${backend}`,
  });
}

function summarize(
  { epoch, loss, correct, examples, seconds }: Position,
  testAccuracy: number,
  population: PopulationResult,
): EpochResult {
  const [trainAccuracy, examplesPerSecond] = [correct / examples, examples / seconds];
  return { epoch, loss: loss / examples, trainAccuracy, testAccuracy, ...population, examplesPerSecond, seconds };
}

function finish(history: EpochResult[], population: PopulationResult): FinalResult {
  const last = history.at(-1);
  if (!last) throw cannot('finish the run', { expected: 'the epochs before in from.history', got: 'none' });
  const seconds = history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const examples = history.reduce((sum, epoch) => sum + epoch.examplesPerSecond * epoch.seconds, 0);
  const { loss, trainAccuracy, testAccuracy } = last;
  return { loss, trainAccuracy, testAccuracy, ...population, examplesPerSecond: examples / seconds };
}

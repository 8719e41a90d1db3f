/** The training loop: it yields typed events, prints nothing and writes nothing. */
import * as tf from '@tensorflow/tfjs';
import { batches, calls, shuffledOrder } from '../data/batches.js';
import { cannot } from '../common/errors.js';
import { formatMetric } from '../common/format.js';
import { option, toType } from '../common/invocation.js';
import { accuracy, accuracyWith, breathe, imagesOfEpoch, populationAccuracy, takeStatistics } from './evaluate.js';
import type { LayerStatistics } from '../nn/population.js';
import type { EpochResult, FinalResult, PopulationResult, Position, Statistics, TrainEvent } from './events.js';
import { defaultMode } from './step.js';
import { assertOptions, type TrainOptions } from './trainOptions.js';
import { type StepResult, Trainer } from './trainer.js';

/** The position before the first batch of an epoch. */
export function startOf(epoch: number): Position {
  return { epoch, batch: 0, loss: 0, correct: 0, examples: 0, seconds: 0 };
}

/**
 * Trains and yields what happens. When a 'checkpoint', 'epoch', 'interrupted' or 'end' event arrives, the model's weights
 * are those of that moment. The same seed and weights give the same events on the same backend, time figures aside.
 *
 * Throws a BnTrainError before the first step for data that the model is not made for, for an option that it does not know and
 * for a value that its option cannot have; when a loss is no longer finite; after an epoch whose loss cannot be right.
 */
export async function* train(options: TrainOptions): AsyncGenerator<TrainEvent> {
  assertOptions(options);
  const {
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
  } = options;
  const history = [...from.history];
  let position = { ...from.position };
  let opened: Trainer | undefined;
  try {
    const how = { batchSize, learningRate, mode, stepsPerCall, xla, population };
    const trainer = (opened = await Trainer.open({ model, data, ...how, signal }));
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
    const statistics = await takeStatistics(trainer, examples, signal);
    const end = finish(history, await accuracyWith(statistics, trainer, examples, signal));
    if (statistics) yield { type: 'population', layers: statistics.map(toNumbers) };
    yield { type: 'end', ...end };
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    yield { type: 'interrupted', position };
  } finally {
    opened?.dispose();
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
  const batchResult = { batchLoss: loss, batchAccuracy: correct / done.size };
  const soFar = { loss: position.loss / examples, examplesPerSecond: examples / seconds };
  return { type: 'step', epoch, batch, ...soFar, ...batchResult };
}

/** The cause of the error of a run whose loss is no longer finite: an outcome of its options, where many are compared. */
export class Divergence extends Error {}

function assertFinite(loss: number, { epoch, batch }: Position): void {
  if (!Number.isFinite(loss))
    throw cannot('go on training', {
      expected: 'a finite loss',
      got: `${loss} in batch ${batch} of epoch ${epoch}`,
      hint: `use a smaller ${option('learningRate')}`,
      cause: new Divergence(`the loss is ${loss}`),
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
    hint: `to see which of its operations are wrong: ${toType(`verify --backend ${backend}`)}`,
  });
}

function toNumbers({ mean, variance }: LayerStatistics): Statistics {
  return { mean: [...mean], variance: [...variance] };
}

function summarize(
  { epoch, loss, correct, examples, seconds }: Position,
  testAccuracy: number,
  population: PopulationResult,
): EpochResult {
  const [trainAccuracy, examplesPerSecond] = [correct / examples, examples / seconds];
  return { epoch, loss: loss / examples, trainAccuracy, testAccuracy, ...population, examplesPerSecond, seconds };
}

/** The result of a run of these epochs. */
export function finish(history: EpochResult[], population: PopulationResult): FinalResult {
  const last = history.at(-1);
  if (!last) throw cannot('finish the run', { expected: 'the epochs before in from.history', got: 'none' });
  const seconds = history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const examples = history.reduce((sum, epoch) => sum + epoch.examplesPerSecond * epoch.seconds, 0);
  const { loss, trainAccuracy, testAccuracy } = last;
  return { loss, trainAccuracy, testAccuracy, ...population, examplesPerSecond: examples / seconds };
}

/** Runs one trial, from its initial weights to its record. */
import { shuffledOrder } from '../data/batches.js';
import type { Mode } from '../train/step.js';
import { Evaluations } from './evaluateTrial.js';
import { modeOf, watches } from './trialPlan.js';
import type { Trial, TrialEpoch, TrialRecord } from './trial.js';
import type { TrialData } from './trialData.js';
import { Training } from './training.js';

export interface RunOptions {
  data: TrialData;
  /** Ends the trial after the call under way: what it is aborted with is thrown. */
  signal?: AbortSignal | undefined;
  /** Default: as `modeOf` has it. */
  mode?: Mode | undefined;
}

/**
 * The same trial gives the same record, time aside, in every process with as many TensorFlow threads. Throws a BnTrainError
 * for batches that cannot be normalized.
 */
export async function runTrial(trial: Trial, { data, signal, mode = modeOf(trial) }: RunOptions): Promise<TrialRecord> {
  const started = performance.now();
  const network = await data.network(trial, { mode, signal });
  const training = new Training(trial, network);
  const evaluations = new Evaluations(trial, network, data.testCount, signal);
  const epochs: TrialEpoch[] = [];
  let finite = trial.epochs > 0 || training.watchGradients(firstBatch(trial));
  for (let epoch = 1; finite && epoch <= trial.epochs; epoch++) {
    finite = await training.epoch(epoch, signal);
    if (!finite || !isWatched(trial, epoch)) continue;
    const result = await evaluations.epoch(training.averages);
    finite = isFinite(result);
    if (finite) epochs.push(result);
  }
  return {
    trial,
    mode: network.steps.how.mode,
    outcome: finite ? 'finished' : 'diverged',
    ...training.seen,
    epochs,
    ...(finite && watches(trial, 'images') && { images: await evaluations.images() }),
    seconds: (performance.now() - started) / 1000,
    trainingSeconds: training.seconds,
  };
}

function isWatched(trial: Trial, epoch: number): boolean {
  const { epochs, watchEvery = 1 } = trial;
  return watches(trial, 'epochs', 'training-set', 'momenta') && (epoch % watchEvery === 0 || epoch === epochs);
}

/** That of the first epoch, for a trial that has none. */
function firstBatch({ examples, seed, batchSize }: Trial): Int32Array {
  return shuffledOrder(examples, seed, 1).subarray(0, batchSize);
}

/** Weights that are not finite any more show in no loss of a batch yet where they were the last update's. */
function isFinite({ momenta: _, ...evaluations }: TrialEpoch): boolean {
  return Object.values(evaluations).every(({ loss }) => Number.isFinite(loss));
}

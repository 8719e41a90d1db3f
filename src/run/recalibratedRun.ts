/** A run's copy with population statistics in its layers, in a folder of its own. */
import type * as tf from '@tensorflow/tfjs';
import { keepStatistics } from '../nn/population.js';
import { accuracy, takeStatistics } from '../train/evaluate.js';
import type { EpochResult, Progressed } from '../train/events.js';
import { finish } from '../train/loop.js';
import { review } from '../train/review.js';
import { defaultMode } from '../train/step.js';
import { Trainer, type TrainerOptions } from '../train/trainer.js';
import { Checkpoints } from './checkpoints.js';
import type { RunConfig } from './config.js';
import { writing } from './folder.js';
import { type Computer, placeOf } from './recordedRun.js';
import { Recorder } from './recorder.js';

interface Source extends Progressed {
  config: RunConfig;
  model: tf.Sequential;
  data: TrainerOptions['data'];
}

interface RecalibrateOptions {
  /** Held by this process, see `holdRunFolder`. */
  folder: string;
  /** The run that it is a copy of. */
  from: string;
  computer: Computer;
  signal: AbortSignal;
  /** Called before the first file is written. */
  saves: () => void;
  chart: (epochs: EpochResult[]) => string;
}

export interface Accuracies {
  /** With the statistics that the run had, in [0, 1]. */
  testAccuracy: number;
  /** With those of the whole training set, which are in `model` from then on. */
  testAccuracyPopulation: number;
  populationImages: number;
}

/** Rejects on `signal`, with nothing written; throws a BnTrainError where the folder takes no files. */
export async function recalibrateRun(source: Source, options: RecalibrateOptions): Promise<Accuracies> {
  const { config, model, data, position, history } = source;
  const { folder, from, computer, signal, saves, chart } = options;
  const images = data.train.count;
  const trainer = await Trainer.open({ model, data, batchSize: config.batchSize, mode: defaultMode(), signal });
  const testAccuracy = await accuracy(trainer, signal);
  for (const statistics of (await takeStatistics(trainer, images, signal)) ?? []) keepStatistics(statistics);
  const testAccuracyPopulation = await accuracy(trainer, signal);
  trainer.dispose();
  saves();
  // The checkpoint comes first: a folder with a config.json is a run that can be looked at.
  await writing(folder, async () => {
    const checkpoints = await Checkpoints.open(folder);
    await checkpoints.save(model, { position, history });
  });
  const at = new Date().toISOString();
  const recalibrated = { from, images, backend: computer.name, ...placeOf(computer), at };
  const recorder = await Recorder.open(folder, { ...config, recalibrated }, model, { position, history });
  const population = { testAccuracyPopulation, populationImages: images };
  await recorder.record({ type: 'end', ...finish(history, population), testAccuracy: testAccuracyPopulation });
  await recorder.add('chart.svg', chart(history));
  await recorder.keepReview(() => review(model, data, undefined, signal), signal);
  return { testAccuracy, testAccuracyPopulation, populationImages: images };
}

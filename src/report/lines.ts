/** The lines of text a run prints, made from its figures alone. */
import { formatCount, formatMetric, formatSeconds } from '../common/format.js';
import type { RunConfig } from '../run/config.js';
import type { Computer } from '../run/recordedRun.js';
import type { EpochResult, FinalResult, PopulationResult, Position } from '../train/events.js';

/**
 * "epoch  3/10   loss 0.412   train acc 0.851   7,812 examples/sec   7.7 s   test acc 0.565 moving avg, 0.844 population
 * (2,560 images)": in that order it has two lines at 80 columns, and three at 60.
 */
export function epochLine(result: EpochResult, epochs: number): string {
  return [
    `epoch ${String(result.epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${formatMetric(result.loss)}`,
    `train acc ${formatMetric(result.trainAccuracy)}`,
    `${formatCount(result.examplesPerSecond)} examples/sec`,
    formatSeconds(result.seconds),
    `test acc ${formatMetric(result.testAccuracy)}${besides(result)}`,
  ].join('   ');
}

function besides({ testAccuracyPopulation, populationImages }: PopulationResult): string {
  if (testAccuracyPopulation === null || populationImages === null) return '';
  return ` moving avg, ${formatMetric(testAccuracyPopulation)} population (${formatCount(populationImages)} images)`;
}

/** "interrupted in epoch 2 after 70 of 235 batches (1.9 s)", or after the last epoch. */
export function interruptedLine(
  { epoch, batch, seconds }: Position,
  { epochs, batches }: { epochs: number; batches: number },
): string {
  return epoch > epochs
    ? `interrupted after epoch ${epochs}, the last, before its result`
    : `interrupted in epoch ${epoch} after ${batch} of ${batches} batches (${formatSeconds(seconds)})`;
}

const rate = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** The two lines that readers of the recipe know, and one on the statistics where they were taken. */
export function finalLines(final: FinalResult, device: string): string[] {
  const { loss, trainAccuracy, testAccuracy, testAccuracyPopulation, populationImages, examplesPerSecond } = final;
  const moving = formatMetric(testAccuracy);
  return [
    `loss ${formatMetric(loss)}, train acc ${formatMetric(trainAccuracy)}, test acc ${moving}`,
    `${rate.format(examplesPerSecond)} examples/sec on ${device}`,
    ...(testAccuracyPopulation === null || populationImages === null
      ? []
      : [
          `test acc ${formatMetric(testAccuracyPopulation)} with population statistics, ${moving} with the moving average, ` +
            'which lags behind weights that move fast; population statistics were taken anew with the final weights, ' +
            `over the whole training set (${formatCount(populationImages)} images)`,
        ]),
  ];
}

/** "runs/20261124-013000-scratch: scratch, seed 1, after epoch 3 of 10", or in the middle of one. */
export function runLine(
  folder: string,
  { norm, seed, epochs, recalibrated }: Pick<RunConfig, 'norm' | 'seed' | 'epochs' | 'recalibrated'>,
  { epoch, batch }: Position,
): string {
  const finished = epoch === 1 ? `before the first of ${epochs} epochs` : `after epoch ${epoch - 1} of ${epochs}`;
  const stands = batch === 0 ? finished : `in epoch ${epoch} of ${epochs} after ${batch} batches`;
  return `${folder}: ${norm}, seed ${seed}, ${stands}${recalibrated ? ', recalibrated' : ''}`;
}

/** "native backend on cuda:0 (NVIDIA A100), TensorFlow 2.18.1". */
export function backendLine({ name, device, gpu, tensorflow }: Computer): string {
  const on = `${name} backend on ${device}${gpu === undefined ? '' : ` (${gpu})`}`;
  return tensorflow === undefined ? on : `${on}, TensorFlow ${tensorflow}`;
}

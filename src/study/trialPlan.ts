/** What follows from a trial before anything is computed: its batches, its steps and how they are run. */
import { batches, calls } from '../data/batches.js';
import type { Mode } from '../train/step.js';
import { EVALUATION_BATCH } from '../train/trainer.js';
import type { Trial, Watch } from './trial.js';

export type StepName = 'train' | 'test' | 'testByBatch' | 'trainingSet' | 'moments' | 'gradients';

/** Of each step that a trial runs, the sizes of its batches: the usual one, and that of a smaller last one. */
export type BatchSizes = Partial<Record<StepName, number[]>>;

/** Population statistics are taken over so many training images or a little less. */
const POPULATION = 10_000;
/** Smaller batches would bring their own noise into the statistics of the layers after them. */
const LEAST_POPULATION_BATCH = 256;

/** When gradients are watched: before the update of these steps. */
export const GRADIENT_STEPS = [0, 1, 10];

export const inOrder = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

export function isNormalized({ model }: Pick<Trial, 'model'>): boolean {
  return model.norm === 'batch' || model.norm === 'builtin' || model.norm === 'noisy';
}

export function watches({ watch }: Pick<Trial, 'watch'>, ...any: Watch[]): boolean {
  return any.some((each) => watch.includes(each));
}

export function takesPopulation(trial: Trial): boolean {
  return isNormalized(trial) && watches(trial, 'epochs', 'training-set', 'images');
}

/** The first training images, in whole batches where there are any: what population statistics are taken over. */
export function populationBatches({ examples, batchSize }: Pick<Trial, 'examples' | 'batchSize'>): Int32Array[] {
  const images = inOrder(Math.min(examples, POPULATION));
  const all = [...batches(images, Math.max(batchSize, LEAST_POPULATION_BATCH))];
  return all.filter(({ length }) => length === all[0]?.length);
}

export function batchSizes(trial: Trial, testCount: number): BatchSizes {
  const { examples, batchSize, epochs } = trial;
  const sizes = (all: Iterable<Int32Array>) => [...new Set(Array.from(all, ({ length }) => length))];
  const test = sizes(batches(inOrder(testCount), EVALUATION_BATCH));
  const training = sizes(batches(inOrder(examples), batchSize));
  return {
    ...(epochs > 0 && { train: training }),
    ...(watches(trial, 'epochs', 'training-set', 'momenta', 'images') && { test }),
    ...(isNormalized(trial) && watches(trial, 'epochs') && { testByBatch: test }),
    ...(watches(trial, 'training-set') && { trainingSet: sizes(batches(inOrder(examples), EVALUATION_BATCH)) }),
    ...(takesPopulation(trial) && { moments: sizes(populationBatches(trial)) }),
    ...(watches(trial, 'gradients') && { gradients: training }),
  };
}

/** Generated code is worth waiting for its compiler from so many images on, all epochs together, in batches as large as these. */
const FUSED_FROM = { images: 60_000, batchSize: 128 };

/**
 * How the steps are run unless somebody says otherwise: it decides last bits, and so follows from the trial alone. Deep
 * stacks have too many regions for a compiler's time to come back.
 */
export function modeOf({ model, examples, epochs, batchSize }: Trial): Mode {
  const long = examples * epochs >= FUSED_FROM.images && batchSize >= FUSED_FROM.batchSize;
  return long && model.kind === 'lenet' ? 'fused' : 'graph';
}

/** Steps of small batches take no longer than the call to run them: several are run by one. */
export function stepsPerCall({ batchSize }: Pick<Trial, 'batchSize'>): number {
  return Math.max(1, Math.min(64, Math.floor(256 / batchSize)));
}

export interface Call {
  batches: Int32Array[];
  learningRate: number;
}

/** An epoch's calls, of `steps` steps before it: no call goes on beyond a step where the learning rate falls or gradients are taken. */
export function epochCalls(trial: Trial, order: Int32Array, before: number): Call[] {
  const { batchSize, epochs, examples, learningRate, decayAt = 1 } = trial;
  const total = epochs * Math.ceil(examples / batchSize);
  const decay = Math.round(decayAt * total);
  const cuts = [decay, ...(watches(trial, 'gradients') ? GRADIENT_STEPS.flatMap((step) => [step, step + 1]) : [])];
  const all = [...batches(order, batchSize)];
  const bounds = [0, ...cuts.map((cut) => cut - before).filter((cut) => cut > 0 && cut < all.length), all.length].sort(
    (a, b) => a - b,
  );
  return bounds.slice(1).flatMap((end, i) => {
    const start = bounds[i] ?? 0;
    const rate = before + start >= decay ? learningRate / 10 : learningRate;
    const cut = [...calls(all.slice(start, end), { most: stepsPerCall(trial) })];
    return cut.map((batches) => ({ batches, learningRate: rate }));
  });
}

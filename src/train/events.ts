/** What a training run tells its listeners, in the order it happens; plain data, ready for JSON. */
import type { Fusion } from '../graph/compiledSteps.js';
import type { Mode } from './step.js';

/** What population statistics make of the test set; nulls without batch normalization, and where they were not asked for. */
export interface PopulationResult {
  /** Test accuracy, in [0, 1], with each layer's statistics taken anew over training images, the weights held still. */
  testAccuracyPopulation: number | null;
  /** How many training images they were taken over: the first ones of the training set. */
  populationImages: number | null;
}

/** Figures of one epoch. Loss is softmax cross-entropy in nats, averaged over the epoch's examples; accuracies in [0, 1]. */
export interface EpochResult extends PopulationResult {
  epoch: number;
  loss: number;
  trainAccuracy: number;
  /** Under the moving statistics. */
  testAccuracy: number;
  examplesPerSecond: number;
  /** Time spent in training batches; evaluation is left out. */
  seconds: number;
}

/** Population statistics are of the whole training set here. */
export interface FinalResult extends PopulationResult {
  loss: number;
  trainAccuracy: number;
  testAccuracy: number;
  /** All training examples of the run over all time spent in training batches. */
  examplesPerSecond: number;
}

/** Where a run stands: the epoch under way (from 1), its batches done, and their sums. Enough to go on from there. */
export interface Position {
  epoch: number;
  batch: number;
  /** Sum of the per-example losses, in nats. */
  loss: number;
  correct: number;
  examples: number;
  seconds: number;
}

/** All that a run goes on from, besides its weights: the examples' order follows from seed and epoch, and plain SGD has no state. */
export interface Progressed {
  position: Position;
  history: EpochResult[];
}

/** One value per channel each; the variance is biased. */
export interface Statistics {
  mean: number[];
  variance: number[];
}

export type TrainEvent =
  /** `kernels`: the generated code that fused steps run, or why there is none, though it was asked for. */
  | {
      type: 'start';
      epochs: number;
      batches: number;
      examples: number;
      position: Position;
      mode: Mode;
      kernels?: Fusion;
    }
  /** `loss` and `examplesPerSecond` are of the epoch so far, the others of this batch alone, before its update. */
  | {
      type: 'step';
      epoch: number;
      batch: number;
      loss: number;
      examplesPerSecond: number;
      batchLoss: number;
      batchAccuracy: number;
    }
  /** Each `checkpointSteps` batches: a moment from which the run can go on. */
  | { type: 'checkpoint'; position: Position }
  | { type: 'evaluate'; of: 'test' | 'population' }
  | ({ type: 'epoch' } & EpochResult)
  | { type: 'interrupted'; position: Position }
  /** Just before the end, where there are some: what each BN layer's statistics are over the whole training set. */
  | { type: 'population'; layers: Statistics[] }
  | ({ type: 'end' } & FinalResult);

/** The training runs of the checks, each with how far float32 may miss its end. */
import { freshVectors, random } from './cases.js';
import type { Bounded } from './bounds/bounded.js';
import { drift } from './bounds/drift.js';
import { KERAS_FIT } from './published/tensorflowJs.js';
import type { Batch, TrainingRun } from './trainingRun.js';

export interface PlannedRun {
  run: TrainingRun;
  /** The flat last state, with how far this project's layer may miss each number. */
  own: Bounded[];
  /** The same for a layer that works on its data unshifted. */
  unshifted: Bounded[];
}

let planned: PlannedRun | undefined;

/**
 * Twenty batches of images, a dense layer of three inputs at each position, and batch normalization of two channels.
 * Made when first asked for: the numbers come through the backend in use, but are the same on all.
 */
export function twentySteps(): PlannedRun {
  const [shape, inputs, channels] = [[4, 2, 2, 2], 3, 2];
  const size = shape.reduce((product, length) => product * length, 1);
  return (planned ??= plan({
    shape,
    inputs,
    batches: Array.from({ length: 20 }, (_, i) => ({
      x: random((size / channels) * inputs, 0.5, 1, 100 + i),
      target: random(size, 1, 1, 200 + i),
    })),
    start: { ...fresh(channels), kernel: random(inputs * channels, 0, 1, 10) },
    learningRate: 0.1,
    epsilon: 1e-5,
    momentum: 0.9,
  }));
}

/** The run that `KERAS_FIT` states the end of. */
export function kerasFit(): PlannedRun {
  const { shape, x, steps, learningRate, epsilon, momentum } = KERAS_FIT;
  const batches = Array<Batch>(steps).fill({ x, target: x.map(() => 0) });
  return plan({ shape, inputs: 0, batches, start: fresh(shape.at(-1) ?? 0), learningRate, epsilon, momentum });
}

function plan(run: TrainingRun): PlannedRun {
  return { run, own: drift(run), unshifted: drift(run, 'none') };
}

function fresh(channels: number): TrainingRun['start'] {
  return { ...freshVectors(channels), kernel: [], loss: [0] };
}

/** A run's model, put back from a checkpoint. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { lenet, type LenetConfig } from '../nn/lenet.js';
import type { SavedWeight } from './checkpoint.js';
import { readLearned } from './checkpoints.js';
import type { Position } from '../train/events.js';

/**
 * The model of a run folder's last finished epoch, or with `midEpoch` of its newest checkpoint, built from the run's
 * options, and where the run stood. Throws a BnTrainError where there is none, or it is damaged or another model's.
 */
export async function loadModel(
  runFolder: string,
  options: LenetConfig,
  midEpoch = false,
): Promise<{ model: tf.Sequential; position: Position }> {
  const { weights, position } = await readLearned(runFolder, midEpoch);
  const model = modelOf(options);
  restoreWeights(model, weights, runFolder);
  return { model, position };
}

/** The model that a run's options describe, among others. */
export function modelOf({ norm, seed, momentum, epsilon, classes, height, width }: LenetConfig): tf.Sequential {
  return lenet({ norm, seed, momentum, epsilon, classes, height, width });
}

/** Puts saved weights into a model. Throws a BnTrainError that names `origin` where they are another model's. */
export function restoreWeights(model: tf.LayersModel, weights: SavedWeight[], origin: string): void {
  assertShapes(weights, model, origin);
  tf.tidy(() => {
    for (const [i, { values, shape }] of weights.entries()) model.weights[i]?.write(tf.tensor(values, shape));
  });
}

function assertShapes(weights: SavedWeight[], model: tf.LayersModel, origin: string): void {
  const textOf = ({ shape }: { shape: (number | null)[] }) => `[${shape.join(', ')}]`;
  const [found, wanted] = [weights.map(textOf), model.weights.map(textOf)];
  const wrong = wanted.findIndex((shape, i) => shape !== found[i]);
  if (wrong < 0 && found.length === wanted.length) return;
  throw cannot(`use the weights of ${origin}`, {
    expected: wrong < 0 ? `${wanted.length} of them` : `the shape ${wanted[wrong] ?? ''} for weight ${wrong + 1}`,
    got: wrong < 0 ? `${found.length}` : (found[wrong] ?? 'none'),
    hint: 'config.json belongs to another run, or the file is damaged; train again',
  });
}

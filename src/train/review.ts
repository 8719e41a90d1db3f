/** What a trained model is like, to be looked at later: predictions, activations, and images worth showing. */
import type * as tf from '@tensorflow/tfjs';
import type { Dataset } from '../data/idx.js';
import { isBatchNorm, isNormalized, withStatistics } from '../nn/population.js';
import { type Activations, activationsOf } from './activations.js';
import { amongOthers, type BatchesOf } from './companions.js';
import type { Statistics } from './events.js';
import { type Predictions, predictionsOf } from './predictions.js';
import type { TrainOptions } from './trainOptions.js';

/** A test image. */
export interface Picture {
  /** Its row in the test set. */
  row: number;
  height: number;
  width: number;
  pixels: Uint8Array;
}

export interface Review {
  /** Of each test image. */
  labels: Uint8Array;
  /** In inference: where there is batch normalization, by the moving average. */
  inference: Predictions;
  /** By the statistics of the whole training set, where they were taken. */
  population?: Predictions;
  /** Rows of the test set: the first ones, and the mistakes that were made with the highest probability, the worst first. */
  first: number[];
  worst: number[];
  /** Of all rows that are named here. */
  pictures: Picture[];
  activations: Activations;
  /** Single images among others, where batch normalization makes them depend on each other. */
  companions: { row: number; batches: BatchesOf[] }[];
}

const FIRST = 20;
const WORST = 24;

/** Of the BN layers' statistics over the training set, if they were taken. The model is left as it was. Rejects on `signal`. */
export async function review(
  model: tf.Sequential,
  { train, test }: TrainOptions['data'],
  statistics: Statistics[] | undefined,
  signal?: AbortSignal,
): Promise<Review> {
  const inference = await predictionsOf(model, test, signal);
  const population = statistics && (await withPopulation(model, statistics, () => predictionsOf(model, test, signal)));
  const best = population ?? inference;
  const first = Array.from({ length: Math.min(FIRST, test.count) }, (_, row) => row);
  const worst = worstOf(best, test.labels);
  const companions = [];
  for (const row of isNormalized(model) ? telling(best, inference) : [])
    companions.push({ row, batches: await amongOthers(model, test, row, signal) });
  const shown = new Set([...first, ...worst, ...companions.map(({ row }) => row)]);
  const pictures = [...shown].map((row) => pictureOf(test, row));
  const activations = activationsOf(model, train);
  return {
    ...{ labels: test.labels, inference, ...(population && { population }) },
    ...{ first, worst, pictures, activations, companions },
  };
}

function withPopulation<T>(model: tf.Sequential, statistics: Statistics[], action: () => Promise<T>): Promise<T> {
  const layers = model.layers.filter(isBatchNorm);
  const own = statistics.flatMap(({ mean, variance }, i) => {
    const layer = layers[i];
    return layer ? [{ layer, mean: Float32Array.from(mean), variance: Float32Array.from(variance) }] : [];
  });
  return withStatistics(own, action);
}

/** The probability of the class that was named. */
function confidence({ classes, probabilities }: Predictions, row: number): number {
  const width = probabilities.length / classes.length;
  return probabilities[row * width + (classes[row] ?? 0)] ?? NaN;
}

function worstOf(predictions: Predictions, labels: Uint8Array): number[] {
  const wrong = [...labels.keys()].filter((row) => predictions.classes[row] !== labels[row]);
  return wrong.sort((a, b) => confidence(predictions, b) - confidence(predictions, a) || a - b).slice(0, WORST);
}

/** The first image, the first one that is in doubt, and the first one on which the two kinds of statistics disagree. */
function telling(best: Predictions, inference: Predictions): number[] {
  const rows = [...best.classes.keys()];
  const doubtful = rows.find((row) => confidence(best, row) < 0.6);
  const disputed = rows.find((row) => best.classes[row] !== inference.classes[row]);
  return [...new Set([0, doubtful, disputed])].filter((row) => row !== undefined);
}

/** The longest side of a picture, in pixels; of larger images every second pixel is kept, or every third. */
const LARGEST = 64;

function pictureOf({ images, height, width }: Dataset, row: number): Picture {
  const step = Math.ceil(Math.max(height, width) / LARGEST);
  const [rows, columns] = [Math.ceil(height / step), Math.ceil(width / step)];
  const start = row * height * width;
  const pixels = Uint8Array.from(
    { length: rows * columns },
    (_, i) => images[start + Math.floor(i / columns) * step * width + (i % columns) * step] ?? 0,
  );
  return { row, height: rows, width: columns, pixels };
}

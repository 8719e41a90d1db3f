/** Activations of a batch of training images before and after each batch normalization, as histograms and as samples. */
import * as tf from '@tensorflow/tfjs';
import { binsOver, countsIn } from '../common/bins.js';
import type { Dataset } from '../data/idx.js';
import { isBatchNorm } from '../nn/population.js';
import { applyByBatch, type Normalization, normalizationOf, normalized } from './byBatch.js';
import { inOrder } from './evaluate.js';
import { imagesOf } from './predictions.js';

/** How many values lie in each bin of width `step` from `low` on; those outside are counted in the first and the last. */
export interface Histogram {
  low: number;
  step: number;
  counts: number[];
}

/** One channel on its way through batch normalization. */
export interface Channel {
  mean: number;
  /** Biased. */
  variance: number;
  gamma: number;
  beta: number;
  /** Some of the values that the mean is of, in order, as many between each two. */
  x: Float32Array;
}

/** What goes into one of the model's activation functions. */
export interface LayerActivations {
  /** Of all channels together; `before` is there where batch normalization is. */
  before?: Histogram;
  after: Histogram;
  /** The first few channels, where batch normalization is. */
  channels?: Channel[];
  epsilon?: number;
}

export interface Activations {
  /** The first so many training images, as one batch. */
  images: number;
  layers: LayerActivations[];
}

const IMAGES = 256;
const BINS = 60;
const CHANNELS = 6;
const SAMPLE = 400;
/** As many values as a histogram needs to be smooth. */
const ENOUGH = 2 ** 16;

/** BN layers normalize by the batch, as in training. */
export function activationsOf(model: tf.Sequential, data: Dataset): Activations {
  const images = Math.min(IMAGES, data.count);
  const layers: LayerActivations[] = [];
  tf.tidy(() => {
    let normalization: Normalization | undefined;
    applyByBatch(model, imagesOf(data, inOrder(images)), {
      normalize: (layer, x) => normalized((normalization = normalizationOf(layer, x))),
      after: (layer, y, x) => {
        if (layer.getClassName() === 'Activation') layers.push(layerActivations(x, normalization));
        if (!isBatchNorm(layer)) normalization = undefined;
        return y;
      },
    });
  });
  return { images, layers };
}

function layerActivations(x: tf.Tensor, normalization: Normalization | undefined): LayerActivations {
  const after = histogramOf(thinned(x.dataSync<'float32'>(), ENOUGH));
  if (!normalization) return { after };
  const before = normalization.x.dataSync<'float32'>();
  const count = normalization.x.shape.at(-1) ?? 0;
  const [mean, variance, gamma, beta] = (['mean', 'variance', 'gamma', 'beta'] as const).map((name) =>
    normalization[name].dataSync<'float32'>(),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const channels = Array.from({ length: Math.min(CHANNELS, count) }, (_, c) => ({
    mean: mean[c] ?? NaN,
    variance: variance[c] ?? NaN,
    gamma: gamma[c] ?? NaN,
    beta: beta[c] ?? NaN,
    x: quantiles(
      Float32Array.from({ length: before.length / count }, (_, i) => before[i * count + c] ?? 0),
      SAMPLE,
    ),
  }));
  const sound = channels.filter(({ mean, variance, gamma, beta }) =>
    [mean, variance, gamma, beta].every(Number.isFinite),
  );
  return { before: histogramOf(thinned(before, ENOUGH)), after, channels: sound, epsilon: normalization.epsilon };
}

/** At most so many of the values, from all over them. */
function thinned(values: Float32Array, most: number): Float32Array {
  if (values.length <= most) return values;
  // A whole step would meet the same channels, and the same places of the images, again and again.
  return Float32Array.from({ length: most }, (_, i) => values[Math.floor((i * values.length) / most)] ?? 0);
}

/** The same spread in fewer values, so that their mean and variance are nearly those of all. */
function quantiles(values: Float32Array, most: number): Float32Array {
  const [sorted, count] = [values.toSorted(), Math.min(most, values.length)];
  return Float32Array.from({ length: count }, (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / count)] ?? 0);
}

/** From the 1st to the 999th thousandth of the values, so that a few far ones do not make it a needle. */
function histogramOf(all: Float32Array): Histogram {
  // The last update may have been one too large.
  const values = all.filter(Number.isFinite);
  const sorted = values.toSorted();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const bins = binsOver(at(0.001), at(0.999), BINS);
  return { low: bins.low, step: bins.step, counts: countsIn(bins, values) };
}

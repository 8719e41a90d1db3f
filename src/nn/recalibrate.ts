/** Population statistics of any model, for weights that stand still, to be looked at or to be kept in it. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import {
  ACTION,
  type Batch,
  batchMoments,
  combineMoments,
  keepStatistics,
  type LayerStatistics,
  normalizersOf,
  takeVectors,
} from './population.js';

/**
 * PreciseBN (Wu & Johnson 2021, arXiv 2105.07576, section 3): in one pass over `batches`, each BN layer normalizes by the
 * batch; its mean is the batches' mean, and its variance that of all values seen. Batches count by their values; sums are
 * kept in float64. The model's weights, moving statistics included, are left alone. Takes tensors over from `batches`.
 *
 * Any sequential or functional model, nested ones included. Throws a BnTrainError for a model without batch normalization,
 * for another axis than the last, for a batch with one value per channel, and where there is no batch.
 */
export async function populationStatistics(
  model: tf.LayersModel,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
): Promise<LayerStatistics[]> {
  const layers = normalizersOf(model);
  if (layers.length === 0)
    throw cannot(ACTION, { expected: 'a model with batch normalization', got: `${model.name}, which has none` });
  for (const layer of layers) assertLastAxis(ACTION, layer);
  async function* moments() {
    for await (const batch of batches) {
      const { vectors, counts } = batchMoments(model, batch);
      tf.dispose(batch);
      yield { size: counts, vectors: takeVectors(vectors) };
    }
  }
  return combineMoments(model, moments());
}

/** Replaces the moving statistics of a model by its `populationStatistics` over `batches`, which it returns. */
export async function recalibrate(
  model: tf.LayersModel,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
): Promise<LayerStatistics[]> {
  const statistics = await populationStatistics(model, batches);
  for (const own of statistics) keepStatistics(own);
  return statistics;
}

/** Throws a BnTrainError unless the layer normalizes the last axis. */
export function assertLastAxis(action: string, layer: tf.layers.Layer): void {
  const [axis] = [(layer.getConfig() as { axis: number | number[] }).axis].flat();
  const { ndim = 0 } = layer.inputSpec[0] ?? {};
  if (axis !== -1 && axis !== ndim - 1)
    throw cannot(action, {
      expected: `${layer.name} to normalize the last axis`,
      got: `axis ${axis} of ${ndim}`,
      hint: 'put the channels last, as dataFormat: "channelsLast" and tf.layers.permute do',
    });
}

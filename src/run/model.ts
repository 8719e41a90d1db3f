/** The model of a run, in tfjs's own layers format: written so that a reader always finds a whole one. */
import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { codeOf, readBounded, writeFileAtomic } from '../common/files.js';
import { lenet, type LenetConfig } from '../nn/lenet.js';
import { restoreWeights } from './checkpoint.js';
import { checkSpecs, checksum, readWeights, WEIGHTS_LIMIT } from './weights.js';

/**
 * Writes model/model.json and model/weights.bin. A model's description does not change while it trains, and it names the
 * checksums of the weights that come and of those that they replace: at no moment is there a pair that does not fit.
 */
export async function saveModel(model: tf.LayersModel, runFolder: string): Promise<void> {
  const [json, bin] = ['model.json', 'weights.bin'].map((name) => path.join(runFolder, 'model', name)) as [
    string,
    string,
  ];
  await mkdir(path.dirname(json), { recursive: true });
  const old = await readBounded(bin, WEIGHTS_LIMIT).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy }) => {
      const bytes = new Uint8Array(weightData as ArrayBuffer);
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const specs = checkSpecs(weightSpecs, json);
      const weightsSha256 = [bytes, ...(old ? [old] : [])].map((content) => checksum(specs, content));
      const description = { format, generatedBy, convertedBy: null, modelTopology, weightsManifest };
      await writeFileAtomic(json, JSON.stringify({ ...description, userDefinedMetadata: { weightsSha256 } }));
      await writeFileAtomic(bin, bytes);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
}

/**
 * The model of a run folder, built from the run's options: the topology in model.json is for other readers, as it could
 * ask for layers of any kind and size. Throws a BnTrainError where there is none, or it is damaged or another model's.
 */
export async function loadModel(runFolder: string, options: LenetConfig): Promise<tf.Sequential> {
  const weights = await readWeights(runFolder);
  const model = lenet(options);
  restoreWeights(model, weights, runFolder);
  return model;
}

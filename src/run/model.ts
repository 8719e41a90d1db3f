/** The model of a run, in tfjs's own layers format: written so that a reader always finds a whole one. */
import { mkdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { writeFileAtomic } from '../files.js';
import '../nn/layer.js';
import { readWeights } from './weights.js';

/**
 * Writes model/model.json and model/weights.bin. A model's description does not change while it trains, so replacing the
 * two files one by one never leaves a pair that does not fit.
 */
export async function saveModel(model: tf.LayersModel, runFolder: string): Promise<void> {
  const folder = path.join(runFolder, 'model');
  await mkdir(folder, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy }) => {
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const json = JSON.stringify({ format, generatedBy, convertedBy: null, modelTopology, weightsManifest });
      await writeFileAtomic(path.join(folder, 'model.json'), json);
      await writeFileAtomic(path.join(folder, 'weights.bin'), new Uint8Array(weightData as ArrayBuffer));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
}

/** Loads the model of a run folder. Throws a BnTrainError where there is none or it is damaged. */
export async function loadModel(runFolder: string): Promise<tf.Sequential> {
  const weights = await readWeights(runFolder);
  const json = JSON.parse(await readFile(path.join(runFolder, 'model', 'model.json'), 'utf8')) as tf.io.ModelJSON;
  const weightSpecs = weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' as const }));
  const weightData = weights[0]?.values.buffer as ArrayBuffer;
  const model = await tf.loadLayersModel(
    tf.io.fromMemory({ modelTopology: json.modelTopology, weightSpecs, weightData }),
  );
  return model as tf.Sequential;
}

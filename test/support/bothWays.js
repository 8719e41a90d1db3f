/** Trains a model op by op and accelerated, and prints what both give, with the version of TensorFlow.js: run in the root. */
import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../dist/index.js';
import { accelerate } from '../../dist/graph/index.js';

await openBackend('native');
const x = tf.randomNormal([40, 6], 0, 1, 'float32', 3);
const y = tf.tidy(() => x.slice([0, 0], [40, 3]).argMax(1).expandDims(1).toFloat());
const slices = (tensor) => tf.data.array(tensor.unstack());
const dataset = tf.data.zip({ xs: slices(x), ys: slices(y) }).batch(7);

async function trained(isFast) {
  const init = (seed) => ({ kernelInitializer: tf.initializers.glorotUniform({ seed }) });
  const layers = [
    tf.layers.dense({ inputShape: [6], units: 8, activation: 'relu', ...init(1) }),
    tf.layers.batchNormalization(),
    tf.layers.dense({ units: 3, activation: 'softmax', ...init(2) }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  const acceleration = isFast ? await accelerate(model, { strict: true, fuse: false }) : undefined;
  const args = { batchSize: 16, epochs: 3, verbose: 0, shuffle: false, validationSplit: 0.2 };
  const { history } = await model.fit(x, y, args);
  const more = await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
  const given = [model.evaluate(x, y), model.predict(x), model.getWeights()]
    .flat()
    .flatMap((one) => [...one.dataSync()]);
  return {
    compiled: acceleration?.compiled.length ?? 0,
    numbers: [...Object.values(history), ...Object.values(more.history), await model.trainOnBatch(x, y), given].flat(),
  };
}

console.log(JSON.stringify({ version: tf.version.tfjs, stock: await trained(false), fast: await trained(true) }));

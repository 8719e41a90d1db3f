/** A model with the layer survives being saved, loaded and trained on, bit for bit: the same operations round the same. */
import * as tf from '@tensorflow/tfjs';
import { random } from '../cases.js';
import type { Check, Comparison, Subject } from '../check.js';

const SHAPE = [6, 3, 3, 2] as const;
const STEPS = 3;

export function savedChecks(): Check[] {
  return [
    { name: 'saved and loaded', run: savedAndLoaded },
    { name: 'stopped and resumed', run: stoppedAndResumed },
  ];
}

/** The layer with hyperparameters that are not its defaults, then a dense layer; weights that the seed decides. */
function modelOf({ BatchNorm }: Subject): tf.Sequential {
  const [, ...inputShape] = SHAPE;
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
  return tf.sequential({
    layers: [
      new BatchNorm({ inputShape, epsilon: 1e-3, momentum: 0.7 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, kernelInitializer }),
    ],
  });
}

const size = SHAPE.reduce((product, length) => product * length, 1);
const batch = (seed: number) => tf.tensor(random(size, 1, 2, seed), [...SHAPE]);

/** `STEPS` steps of plain gradient descent; `seed` decides their batches. */
function train(model: tf.Sequential, seed: number): void {
  const optimizer = tf.train.sgd(0.1);
  const trained = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  for (let step = 0; step < STEPS; step++)
    tf.tidy(() => {
      const x = batch(seed + step);
      const loss = () => (model.apply(x, { training: true }) as tf.Tensor).sub(1).square().mean<tf.Scalar>();
      optimizer.minimize(loss, false, trained);
    });
  optimizer.dispose();
}

const weightsOf = (model: tf.LayersModel) => model.weights.flatMap((weight) => [...weight.read().dataSync()]);
const outputsOf = (model: tf.LayersModel) => tf.tidy(() => [...(model.predict(batch(99)) as tf.Tensor).dataSync()]);

async function savedAndLoaded(subject: Subject): Promise<Comparison[]> {
  const model = modelOf(subject);
  train(model, 1);
  let artifacts: tf.io.ModelArtifacts = {};
  const save = (whole: tf.io.ModelArtifacts) => {
    artifacts = whole;
    return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' as const } });
  };
  await model.save(tf.io.withSaveHandler(save));
  const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  const pair = (of: string, read: (model: tf.LayersModel) => number[]): Comparison => ({
    of,
    expected: read(model),
    got: read(loaded),
    tolerance: 0,
  });
  const comparisons = [
    { of: 'entries that differ', expected: [0], got: [differences(model, loaded)], tolerance: 0 },
    pair('weights', weightsOf),
    pair('outputs', outputsOf),
  ];
  for (const used of [model, loaded]) used.dispose();
  return comparisons;
}

/** How many entries of the layers' configurations are not the same. */
function differences(model: tf.LayersModel, loaded: tf.LayersModel): number {
  const entries = (of: tf.LayersModel) =>
    of.layers
      .map((layer) => layer.getConfig())
      .flatMap((config, i) => Object.entries(config).map(([key, value]) => `${i} ${key} ${JSON.stringify(value)}`));
  const [before, after] = [entries(model), entries(loaded)];
  return [...before, ...after].filter((entry) => !(before.includes(entry) && after.includes(entry))).length;
}

function stoppedAndResumed(subject: Subject): Comparison[] {
  const [whole, resumed] = [modelOf(subject), modelOf(subject)];
  train(whole, 1);
  resumed.setWeights(whole.getWeights());
  train(whole, 1 + STEPS);
  train(resumed, 1 + STEPS);
  const comparison = { of: 'weights', expected: weightsOf(whole), got: weightsOf(resumed), tolerance: 0 };
  for (const used of [whole, resumed]) used.dispose();
  return [comparison];
}

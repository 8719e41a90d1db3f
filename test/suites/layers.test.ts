/** Every layer of tfjs, trained ten steps op by op and compiled. A layer that tfjs adds fails here until it is listed. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { sampleOf } from '../support/amount.js';
import { compileStep } from '../support/compiled.js';
import { expectSameTraining, minimizing, normal, type Training, trainableOf, weightsOf } from './training.js';

const { layers } = tf;
type Layer = tf.layers.Layer;

interface Case {
  /** Of one example. */
  input: number[];
  layer: () => Layer;
  /** Of the inputs. Default: a normal distribution. */
  values?: (shape: number[], seed: number) => tf.Tensor;
  /** Nothing that is trained comes before it: it has no gradient. */
  first?: true;
  /** In no model: it says that its output has another shape than it has. */
  outside?: true;
}

const BATCH = 4;

const glorot = (seed: number) => tf.initializers.glorotNormal({ seed });

/** The layer, before it a dense one, so that gradients pass through it, where its input is of real numbers, and after it a head. */
function trainingOf({ input, layer, values = normal, first, outside }: Case): Training {
  const made = layer();
  const batch = (step: number) => {
    const x = values([BATCH, ...input], step);
    return outside ? (made.apply(x) as tf.Tensor) : x;
  };
  const model = tf.sequential();
  model.add(layers.inputLayer({ inputShape: tf.tidy(() => batch(0).shape.slice(1)) }));
  if (!first && values === normal)
    model.add(layers.dense({ units: input.at(-1) as number, kernelInitializer: glorot(1) }));
  if (!outside) model.add(made);
  if (model.outputs[0]?.rank !== 2) model.add(layers.flatten());
  model.add(layers.dense({ units: 2, kernelInitializer: glorot(2) }));
  return trainingOfModel(model, (step) => [batch(step)]);
}

function trainingOfModel(model: tf.LayersModel, inputs: Training['inputs'], units = 2): Training {
  const loss = (...given: tf.Tensor[]) => {
    const y = given.pop() as tf.Tensor;
    const output = model.apply(given.length === 1 ? (given[0] as tf.Tensor) : given, { training: true });
    return tf.losses.meanSquaredError(y, output as tf.Tensor);
  };
  return minimizing(loss as (...inputs: tf.Tensor[]) => tf.Scalar, {
    variables: weightsOf(model),
    trainable: trainableOf(model),
    inputs: (step) => [...inputs(step), normal([BATCH, units], 100 + step)],
  });
}

const seeded = { kernelInitializer: glorot(3) };
const separable = { depthwiseInitializer: seeded.kernelInitializer, pointwiseInitializer: seeded.kernelInitializer };
const recurrent = { ...seeded, units: 3, recurrentInitializer: glorot(4) };
const [vector, series, image, volume] = [[5], [6, 3], [6, 6, 2], [4, 4, 4, 2]];
const convLstm = { ...recurrent, filters: 2, kernelSize: 2 };

const single: Record<string, Case> = {
  activation: { input: vector, layer: () => layers.activation({ activation: 'tanh' }) },
  alphaDropout: { input: vector, layer: () => layers.alphaDropout({ rate: 0 }) },
  averagePooling1d: { input: series, layer: () => layers.averagePooling1d({}) },
  averagePooling2d: {
    input: image,
    layer: () => layers.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
  },
  averagePooling3d: { input: volume, layer: () => layers.averagePooling3d({ poolSize: 2 }) },
  batchNormalization: { input: image, layer: () => layers.batchNormalization() },
  bidirectional: {
    input: series,
    layer: () => layers.bidirectional({ layer: layers.lstm(recurrent), mergeMode: 'concat' }),
  },
  centerCrop: { first: true, input: image, layer: () => layers.centerCrop({ height: 3, width: 4 }) },
  conv1d: { input: series, layer: () => layers.conv1d({ ...seeded, filters: 4, kernelSize: 3 }) },
  conv2d: { input: image, layer: () => layers.conv2d({ ...seeded, filters: 4, kernelSize: 3, activation: 'relu' }) },
  conv2dTranspose: {
    input: image,
    layer: () => layers.conv2dTranspose({ ...seeded, filters: 3, kernelSize: 3, strides: 2, padding: 'same' }),
  },
  conv3d: { input: volume, layer: () => layers.conv3d({ ...seeded, filters: 3, kernelSize: 2 }) },
  conv3dTranspose: {
    first: true,
    input: volume,
    layer: () => layers.conv3dTranspose({ ...seeded, trainable: false, filters: 2, kernelSize: 2, strides: 2 }),
  },
  convLstm2d: { input: [3, 5, 5, 2], layer: () => layers.convLstm2d(convLstm) },
  cropping2D: { input: image, layer: () => layers.cropping2D({ cropping: 1 }) },
  dense: { input: vector, layer: () => layers.dense({ ...seeded, units: 4, activation: 'sigmoid' }) },
  depthwiseConv2d: {
    input: image,
    layer: () => layers.depthwiseConv2d({ kernelSize: 3, depthwiseInitializer: seeded.kernelInitializer }),
  },
  dropout: { input: vector, layer: () => layers.dropout({ rate: 0 }) },
  elu: { input: vector, layer: () => layers.elu() },
  embedding: {
    first: true,
    input: [3],
    values: (shape, seed) => tf.randomUniform(shape, 0, 7, 'int32', seed),
    layer: () => layers.embedding({ inputDim: 7, outputDim: 4, embeddingsInitializer: glorot(3) }),
  },
  flatten: { input: image, layer: () => layers.flatten() },
  gaussianNoise: { input: vector, layer: () => layers.gaussianNoise({ stddev: 0 }) },
  gaussianDropout: { input: vector, layer: () => layers.gaussianDropout({ rate: 0 }) },
  globalAveragePooling1d: { input: series, layer: () => layers.globalAveragePooling1d({}) },
  globalAveragePooling2d: { input: image, layer: () => layers.globalAveragePooling2d({}) },
  globalMaxPooling1d: { input: series, layer: () => layers.globalMaxPooling1d({}) },
  globalMaxPooling2d: { input: image, layer: () => layers.globalMaxPooling2d({}) },
  gru: { input: series, layer: () => layers.gru(recurrent) },
  gruCell: { input: series, layer: () => layers.rnn({ cell: layers.gruCell(recurrent), returnSequences: true }) },
  layerNormalization: { input: vector, layer: () => layers.layerNormalization() },
  leakyReLU: { input: vector, layer: () => layers.leakyReLU() },
  lstm: { input: series, layer: () => layers.lstm({ ...recurrent, returnSequences: true }) },
  lstmCell: { input: series, layer: () => layers.rnn({ cell: layers.lstmCell(recurrent) }) },
  masking: { first: true, input: series, layer: () => layers.masking({ maskValue: 0 }) },
  maxPooling1d: { input: series, layer: () => layers.maxPooling1d({}) },
  maxPooling2d: { input: image, layer: () => layers.maxPooling2d({ poolSize: 2 }) },
  maxPooling3d: { input: volume, layer: () => layers.maxPooling3d({ poolSize: 2 }) },
  permute: { input: series, layer: () => layers.permute({ dims: [2, 1] }) },
  prelu: { input: vector, layer: () => layers.prelu() },
  reLU: { input: vector, layer: () => layers.reLU() },
  repeatVector: { input: vector, layer: () => layers.repeatVector({ n: 3 }) },
  rescaling: { input: image, layer: () => layers.rescaling({ scale: 0.5, offset: 1 }) },
  reshape: { input: image, layer: () => layers.reshape({ targetShape: [12, 6] }) },
  resizing: { outside: true, input: image, layer: () => layers.resizing({ height: 4, width: 9 }) },
  rnn: { input: series, layer: () => layers.rnn({ cell: layers.simpleRNNCell(recurrent), unroll: true }) },
  separableConv2d: { input: image, layer: () => layers.separableConv2d({ ...separable, filters: 3, kernelSize: 3 }) },
  simpleRNN: { input: series, layer: () => layers.simpleRNN({ ...recurrent, goBackwards: true }) },
  simpleRNNCell: { input: series, layer: () => layers.rnn({ cell: layers.simpleRNNCell(recurrent) }) },
  softmax: { input: vector, layer: () => layers.softmax() },
  spatialDropout1d: { input: series, layer: () => layers.spatialDropout1d({ rate: 0 }) },
  stackedRNNCells: {
    input: series,
    layer: () =>
      layers.rnn({
        cell: layers.stackedRNNCells({ cells: [layers.gruCell(recurrent), layers.lstmCell(recurrent)] }),
      }),
  },
  thresholdedReLU: { first: true, input: vector, layer: () => layers.thresholdedReLU({ theta: 0.1 }) },
  timeDistributed: {
    input: series,
    layer: () => layers.timeDistributed({ layer: layers.dense({ ...seeded, units: 4 }) }),
  },
  upSampling2d: { input: image, layer: () => layers.upSampling2d({ size: [2, 2] }) },
  zeroPadding2d: { input: image, layer: () => layers.zeroPadding2d({ padding: 2 }) },
};

/** Layers of two inputs. */
const merging: Record<string, () => Layer> = {
  add: () => layers.add(),
  average: () => layers.average(),
  concatenate: () => layers.concatenate(),
  dot: () => layers.dot({ axes: 1 }),
  maximum: () => layers.maximum(),
  minimum: () => layers.minimum(),
  multiply: () => layers.multiply(),
};

const READ = "got a read of a tensor's values";

const refused: Record<string, [layer: () => Layer, input: number[], message: string]> = {
  categoryEncoding: [() => layers.categoryEncoding({ numTokens: 5, outputMode: 'multiHot' }), [3], READ],
  randomWidth: [() => layers.randomWidth({ factor: 0.3 }), [6, 6, 2], READ],
};

/** No layers of their own: base classes, what every model above has, and other names. */
const OTHERS = new Set([
  ...['Layer', 'RNN', 'RNNCell', 'input', 'inputLayer', 'convLstm2dCell'],
  ...['avgPool1d', 'avgPool2d', 'avgPool3d', 'avgPooling1d', 'avgPooling2d', 'avgPooling3d'],
  ...['globalMaxPool1d', 'globalMaxPool2d', 'maxPool1d', 'maxPool2d'],
]);

it('lists every layer that tfjs has', () => {
  const listed = [...Object.keys(single), ...Object.keys(merging), ...Object.keys(refused), ...OTHERS];
  expect(Object.keys(layers).sort()).toEqual(listed.sort());
});

it.each(sampleOf(Object.entries(single), 4))('%s', async (_, given) => {
  await expectSameTraining(trainingOf(given));
});

it.each(sampleOf(Object.entries(merging), 4))('%s of two inputs', async (_, layer) => {
  const inputs = [tf.input({ shape: [5] }), tf.input({ shape: [5] })];
  const hidden = inputs.map((each, i) => layers.dense({ units: 4, kernelInitializer: glorot(i) }).apply(each));
  const merged = layer().apply(hidden as tf.SymbolicTensor[]);
  const outputs = layers.dense({ units: 2, ...seeded }).apply(merged) as tf.SymbolicTensor;
  const model = tf.model({ inputs, outputs });
  await expectSameTraining(trainingOfModel(model, (step) => [normal([BATCH, 5], step), normal([BATCH, 5], 50 + step)]));
});

it.each(Object.entries(refused))('%s is refused by name', async (_, [layer, input, message]) => {
  const made = layer();
  made.build([BATCH, ...input]);
  const given = { inputs: [tf.ones([BATCH, ...input])], variables: weightsOf(made) };
  const step = (x: tf.Tensor) => [made.apply(x, { training: true }) as tf.Tensor];
  await expect(compileStep(step, given)).rejects.toThrow(message);
});

it('a recurrent layer that keeps its state between calls is refused, as that is no variable', async () => {
  const made = layers.lstm({ ...recurrent, stateful: true, batchInputShape: [BATCH, ...series] });
  const inputs = [tf.ones([BATCH, ...series])];
  made.apply(inputs);
  const given = { inputs, variables: weightsOf(made) };
  await expect(compileStep((x) => [made.apply(x) as tf.Tensor], given)).rejects.toThrow(
    'reading a tensor that was made outside',
  );
});

/** Models that people train in Node: the public TensorFlow.js examples, written afresh, with made-up data of their shapes. */
import * as tf from '@tensorflow/tfjs';

/** A step's data, as `trainOnBatch` takes them. */
export interface Batch {
  xs: tf.Tensor[];
  ys: tf.Tensor[];
}

export interface Example {
  /** Its folder in tensorflow/tfjs-examples, or where else it is from. */
  source: string;
  batchSize: number;
  /** Whether it has dropout. */
  drops?: boolean;
  /** A compiled model; without `dropout` all rates are 0. */
  build: (options?: { dropout?: boolean }) => tf.LayersModel;
  data: (rows: number, seed: number) => Batch;
}

const { layers } = tf;

const uniform = (shape: number[], seed: number, low = -1, high = 1): tf.Tensor =>
  tf.randomUniform(shape, low, high, 'float32', seed);
/** Whole numbers below `end`, as floats. */
const whole = (shape: number[], end: number, seed: number): tf.Tensor =>
  tf.tidy(() => uniform(shape, seed, 0, end).floor());
const oneHot = (shape: number[], classes: number, seed: number): tf.Tensor =>
  tf.tidy(() => tf.oneHot(whole(shape, classes, seed).toInt(), classes).toFloat());

function compiled(model: tf.LayersModel, args: tf.ModelCompileArgs): tf.LayersModel {
  model.compile(args);
  return model;
}

function convolutional(inputShape: number[], padding: 'same' | 'valid', rates: number[]): tf.Sequential {
  const [afterFirst = 0, afterSecond = 0, afterDense = 0] = rates;
  const conv = (filters: number, own: Partial<Parameters<typeof layers.conv2d>[0]> = {}) =>
    layers.conv2d({ filters, kernelSize: 3, activation: 'relu', ...own });
  return tf.sequential({
    layers: [
      conv(32, { inputShape, padding }),
      conv(32),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.dropout({ rate: afterFirst }),
      conv(64, { padding }),
      conv(64),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.dropout({ rate: afterSecond }),
      layers.flatten(),
      layers.dense({ units: 512, activation: 'relu' }),
      layers.dropout({ rate: afterDense }),
      layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

const images = (size: number, channels: number) => (rows: number, seed: number) => ({
  xs: [uniform([rows, size, size, channels], seed, 0)],
  ys: [oneHot([rows], 10, seed + 1)],
});

const rates = (dropout: boolean, ...given: number[]): number[] => given.map((rate) => (dropout ? rate : 0));

const WORDS = 10_000;
const REVIEW = 100;

function sentiment(...body: tf.layers.Layer[]): tf.LayersModel {
  const model = tf.sequential({
    layers: [
      layers.embedding({ inputDim: WORDS, outputDim: 128, inputLength: REVIEW }),
      ...body,
      layers.dense({ units: 1, activation: 'sigmoid' }),
    ],
  });
  return compiled(model, { optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['acc'] });
}

const reviews = (rows: number, seed: number): Batch => ({
  xs: [whole([rows, REVIEW], WORDS, seed)],
  ys: [whole([rows, 1], 2, seed + 1)],
});

type Recurrent = (args: { units: number; inputShape?: number[]; returnSequences?: boolean }) => tf.layers.Layer;

/** Of two digits: '12+34' in twelve characters becomes three of them. */
function addition(recurrent: Recurrent): Omit<Example, 'source'> {
  const [question, answer, characters] = [5, 3, 12];
  return {
    batchSize: 128,
    build: () =>
      compiled(
        tf.sequential({
          layers: [
            recurrent({ units: 128, inputShape: [question, characters] }),
            layers.repeatVector({ n: answer }),
            recurrent({ units: 128, returnSequences: true }),
            layers.timeDistributed({ layer: layers.dense({ units: characters }) }),
            layers.activation({ activation: 'softmax' }),
          ],
        }),
        { optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] },
      ),
    data: (rows, seed) => ({
      xs: [oneHot([rows, question], characters, seed)],
      ys: [oneHot([rows, answer], characters, seed + 1)],
    }),
  };
}

/** The state of the last time step. */
class LastStep extends layers.Layer {
  static readonly className = 'LastStep';

  override computeOutputShape([batch = null, , features = null]: tf.Shape): tf.Shape {
    return [batch, features];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x] = Array.isArray(inputs) ? inputs : [inputs];
    const steps = x?.shape[1] ?? 0;
    return (x as tf.Tensor3D).gather([steps - 1], 1).squeeze([1]);
  }
}
tf.serialization.registerClass(LastStep);

const DATES = { input: 12, output: 10, inputCharacters: 35, outputCharacters: 13, units: 64 };

/** Reads a date written in any way by an LSTM, and writes it as YYYY-MM-DD by another one, which attends to the first. */
function dateConversion(): tf.LayersModel {
  const { units } = DATES;
  const embedding = (inputDim: number, inputLength: number) =>
    layers.embedding({ inputDim, outputDim: units, inputLength, maskZero: true });
  const symbolic = (value: unknown) => value as tf.SymbolicTensor;
  const inputs = [tf.input({ shape: [DATES.input] }), tf.input({ shape: [DATES.output] })] as const;
  const read = symbolic(
    layers
      .lstm({ units, returnSequences: true })
      .apply(symbolic(embedding(DATES.inputCharacters, DATES.input).apply(inputs[0]))),
  );
  const last = symbolic(new LastStep({}).apply(read));
  const written = symbolic(
    layers
      .lstm({ units, returnSequences: true })
      .apply(symbolic(embedding(DATES.outputCharacters, DATES.output).apply(inputs[1])), {
        initialState: [last, last],
      }),
  );
  const scores = symbolic(layers.dot({ axes: [2, 2] }).apply([written, read]));
  const attention = symbolic(layers.activation({ activation: 'softmax' }).apply(scores));
  const context = symbolic(layers.dot({ axes: [2, 1] }).apply([attention, read]));
  let x = symbolic(layers.concatenate().apply([context, written]));
  for (const dense of [
    layers.dense({ units, activation: 'tanh' }),
    layers.dense({ units: DATES.outputCharacters, activation: 'softmax' }),
  ])
    x = symbolic(layers.timeDistributed({ layer: dense }).apply(x));
  return compiled(tf.model({ inputs: [...inputs], outputs: x }), {
    optimizer: 'adam',
    loss: 'categoricalCrossentropy',
  });
}

const LATENT = 100;

function discriminator(dropout: boolean): tf.LayersModel {
  const [rate = 0] = rates(dropout, 0.3);
  const blocks = [32, 64, 128, 256].flatMap((filters, i) => [
    layers.conv2d({
      filters,
      kernelSize: 3,
      padding: 'same',
      strides: i % 2 === 0 ? 2 : 1,
      ...(i === 0 ? { inputShape: [28, 28, 1] } : {}),
    }),
    layers.leakyReLU({ alpha: 0.2 }),
    layers.dropout({ rate }),
  ]);
  const image = tf.input({ shape: [28, 28, 1] });
  const features = tf.sequential({ layers: [...blocks, layers.flatten()] }).apply(image) as tf.SymbolicTensor;
  const outputs = [
    layers.dense({ units: 1, activation: 'sigmoid' }).apply(features) as tf.SymbolicTensor,
    layers.dense({ units: 10, activation: 'softmax' }).apply(features) as tf.SymbolicTensor,
  ];
  return compiled(tf.model({ inputs: image, outputs }), adversarial());
}

const adversarial = (): tf.ModelCompileArgs => ({
  optimizer: tf.train.adam(0.0002, 0.5),
  loss: ['binaryCrossentropy', 'sparseCategoricalCrossentropy'],
});

function generator(): tf.LayersModel {
  const transposed = (filters: number, more: Partial<Parameters<typeof layers.conv2dTranspose>[0]>) =>
    layers.conv2dTranspose({ filters, kernelSize: 5, kernelInitializer: 'glorotNormal', ...more });
  const cnn = tf.sequential({
    layers: [
      layers.dense({ units: 3 * 3 * 384, inputShape: [LATENT], activation: 'relu' }),
      layers.reshape({ targetShape: [3, 3, 384] }),
      transposed(192, { strides: 1, padding: 'valid', activation: 'relu' }),
      layers.batchNormalization(),
      transposed(96, { strides: 2, padding: 'same', activation: 'relu' }),
      layers.batchNormalization(),
      transposed(1, { strides: 2, padding: 'same', activation: 'tanh' }),
    ],
  });
  const inputs = [tf.input({ shape: [LATENT] }), tf.input({ shape: [1] })] as const;
  const embedding = layers.embedding({ inputDim: 10, outputDim: LATENT, embeddingsInitializer: 'glorotNormal' });
  const product = layers.multiply().apply([inputs[0], embedding.apply(inputs[1]) as tf.SymbolicTensor]);
  return tf.model({ inputs: [...inputs], outputs: cnn.apply(product) as tf.SymbolicTensor });
}

/** The generator, judged by a discriminator that stays as it is. */
function combined(dropout: boolean): tf.LayersModel {
  const judge = discriminator(dropout);
  judge.trainable = false;
  const inputs = [tf.input({ shape: [LATENT] }), tf.input({ shape: [1] })] as const;
  const fake = generator().apply([...inputs]) as tf.SymbolicTensor;
  return compiled(tf.model({ inputs: [...inputs], outputs: judge.apply(fake) as tf.SymbolicTensor[] }), adversarial());
}

const CHARACTERS = 71;
const SAMPLE = 60;

export const EXAMPLES: Readonly<Record<string, Example>> = {
  'mnist CNN': {
    source: 'mnist-node',
    batchSize: 128,
    drops: true,
    build: ({ dropout = true } = {}) =>
      compiled(convolutional([28, 28, 1], 'valid', rates(dropout, 0, 0.25, 0.5)), {
        optimizer: 'rmsprop',
        loss: 'categoricalCrossentropy',
        metrics: ['accuracy'],
      }),
    data: images(28, 1),
  },
  iris: {
    source: 'iris',
    batchSize: 32,
    build: () =>
      compiled(
        tf.sequential({
          layers: [
            layers.dense({ units: 10, activation: 'sigmoid', inputShape: [4] }),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        }),
        { optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] },
      ),
    data: (rows, seed) => ({ xs: [uniform([rows, 4], seed)], ys: [oneHot([rows], 3, seed + 1)] }),
  },
  'Boston housing': {
    source: 'boston-housing',
    batchSize: 40,
    build: () => {
      const hidden = { units: 50, activation: 'sigmoid', kernelInitializer: 'leCunNormal' } as const;
      return compiled(
        tf.sequential({
          layers: [layers.dense({ inputShape: [12], ...hidden }), layers.dense(hidden), layers.dense({ units: 1 })],
        }),
        { optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' },
      );
    },
    data: (rows, seed) => ({ xs: [uniform([rows, 12], seed)], ys: [uniform([rows, 1], seed + 1)] }),
  },
  'sentiment LSTM': {
    source: 'sentiment',
    batchSize: 128,
    build: () => sentiment(layers.lstm({ units: 32 })),
    data: reviews,
  },
  'sentiment CNN': {
    source: 'sentiment',
    batchSize: 128,
    drops: true,
    build: ({ dropout = true } = {}) =>
      sentiment(
        layers.dropout({ rate: rates(dropout, 0.5)[0] ?? 0 }),
        layers.conv1d({ filters: 250, kernelSize: 5, strides: 1, padding: 'valid', activation: 'relu' }),
        layers.globalMaxPooling1d(),
        layers.dense({ units: 250, activation: 'relu' }),
      ),
    data: reviews,
  },
  'addition RNN': {
    source: 'addition-rnn',
    ...addition((args) => layers.simpleRNN({ recurrentInitializer: 'glorotNormal', ...args })),
  },
  'addition LSTM': {
    source: 'addition-rnn',
    ...addition((args) => layers.lstm({ recurrentInitializer: 'glorotNormal', ...args })),
  },
  'date conversion': {
    source: 'date-conversion-attention',
    batchSize: 128,
    build: dateConversion,
    data: (rows, seed) => ({
      xs: [
        whole([rows, DATES.input], DATES.inputCharacters, seed),
        whole([rows, DATES.output], DATES.outputCharacters, seed + 1),
      ],
      ys: [oneHot([rows, DATES.output], DATES.outputCharacters, seed + 2)],
    }),
  },
  'jena GRU': {
    source: 'jena-weather',
    batchSize: 128,
    build: () =>
      compiled(
        tf.sequential({
          layers: [layers.gru({ units: 32, inputShape: [240, 14] }), layers.dense({ units: 1 })],
        }),
        { optimizer: 'rmsprop', loss: 'meanAbsoluteError' },
      ),
    data: (rows, seed) => ({ xs: [uniform([rows, 240, 14], seed)], ys: [uniform([rows, 1], seed + 1)] }),
  },
  'cifar CNN': {
    source: "Keras's cifar10_cnn, of which tfjs-examples has no copy",
    batchSize: 32,
    drops: true,
    build: ({ dropout = true } = {}) =>
      compiled(convolutional([32, 32, 3], 'same', rates(dropout, 0.25, 0.25, 0.5)), {
        optimizer: tf.train.rmsprop(1e-4),
        loss: 'categoricalCrossentropy',
        metrics: ['accuracy'],
      }),
    data: images(32, 3),
  },
  'ACGAN discriminator': {
    source: 'mnist-acgan',
    // As many images as are drawn are generated.
    batchSize: 200,
    drops: true,
    build: ({ dropout = true } = {}) => discriminator(dropout),
    data: (rows, seed) => ({
      xs: [uniform([rows, 28, 28, 1], seed)],
      ys: [tf.tidy(() => whole([rows, 1], 2, seed + 1).mul(0.95)), whole([rows, 1], 10, seed + 2)],
    }),
  },
  'ACGAN generator': {
    source: 'mnist-acgan',
    batchSize: 100,
    drops: true,
    build: ({ dropout = true } = {}) => combined(dropout),
    data: (rows, seed) =>
      tf.tidy(() => {
        const labels = whole([rows, 1], 10, seed + 1);
        return { xs: [uniform([rows, LATENT], seed), labels], ys: [tf.fill([rows, 1], 0.95), labels.clone()] };
      }),
  },
  'text generation': {
    source: 'lstm-text-generation',
    batchSize: 128,
    build: () =>
      compiled(
        tf.sequential({
          layers: [
            layers.lstm({ units: 128, returnSequences: true, inputShape: [SAMPLE, CHARACTERS] }),
            layers.lstm({ units: 128 }),
            layers.dense({ units: CHARACTERS, activation: 'softmax' }),
          ],
        }),
        { optimizer: tf.train.rmsprop(0.01), loss: 'categoricalCrossentropy' },
      ),
    data: (rows, seed) => ({
      xs: [oneHot([rows, SAMPLE], CHARACTERS, seed)],
      ys: [oneHot([rows], CHARACTERS, seed + 1)],
    }),
  },
};

/** Accelerated models do what they did before, only by compiled steps: every way to train, evaluate, predict, change and look at one. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { accelerate } from '../../src/graph/accelerate/accelerate.js';
import { MOST_CHANGES, MOST_SHAPES } from '../../src/graph/accelerate/compiledModel.js';
import { ALL, firstOf } from '../support/amount.js';
import { examples, expectAsStock, normal, seeded, seenIn, SILENT, type Use } from '../support/twins.js';

const { dense, batchNormalization } = tf.layers;
const QUIET = { ...SILENT, shuffle: false };

afterEach(() => {
  tf.disposeVariables();
});

const { x, classes, oneHot } = examples(40);

const compiled = (model: tf.LayersModel, optimizer: () => tf.Optimizer = () => tf.train.adam(0.01)) => {
  model.compile({ optimizer: optimizer(), loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] });
  return model;
};

/** With batch normalization, whose moving statistics are updated besides the optimizer's. */
function sequential(optimizer?: () => tf.Optimizer): tf.Sequential {
  const init = seeded();
  const layers = [
    dense({ inputShape: [6], units: 8, activation: 'relu', kernelRegularizer: 'l1l2', ...init() }),
    batchNormalization(),
    dense({ units: 3, activation: 'softmax', ...init() }),
  ];
  return compiled(tf.sequential({ layers }), optimizer) as tf.Sequential;
}

/** Two inputs, two outputs, each with losses and metrics of its own. */
function functional(): tf.LayersModel {
  const init = seeded();
  const [a, b] = [tf.input({ shape: [6], name: 'a' }), tf.input({ shape: [2], name: 'b' })];
  const both = tf.layers.concatenate().apply([a, b]) as tf.SymbolicTensor;
  const hidden = dense({ units: 5, activation: 'tanh', ...init() }).apply(both) as tf.SymbolicTensor;
  const named = dense({ units: 3, activation: 'softmax', name: 'named', ...init() }).apply(hidden) as tf.SymbolicTensor;
  const size = dense({ units: 1, name: 'size', ...init() }).apply(hidden) as tf.SymbolicTensor;
  const model = tf.model({ inputs: [a, b], outputs: [named, size] });
  model.compile({
    optimizer: tf.train.rmsprop(0.01),
    loss: { named: 'categoricalCrossentropy', size: 'meanSquaredError' },
    metrics: { named: 'acc', size: 'mae' },
  });
  return model;
}

const b = normal<tf.Rank.R2>([40, 2], 2);
const size = normal<tf.Rank.R2>([40, 1], 3);

const valuesOf = (given: tf.Tensor | tf.Tensor[]) => [given].flat().map((tensor) => tensor.dataSync<'float32'>());
const data = (rows: number) => tf.data.zip({ xs: slices(x), ys: slices(oneHot) }).batch(rows);
const slices = (tensor: tf.Tensor) => tf.data.array(tensor.unstack());

describe('as op by op, and all of it compiled:', () => {
  const cases: [what: string, build: () => tf.LayersModel, use: Use][] = [
    [
      'fit, with a smaller last batch and a part for validation',
      sequential,
      async (model) =>
        seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 12, epochs: 3, validationSplit: 0.3 })),
    ],
    [
      'fit with inputs and outputs by their names',
      functional,
      async (model) =>
        seenIn(
          await model.fit(
            { a: x, b },
            { named: oneHot, size },
            {
              ...QUIET,
              batchSize: 16,
              epochs: 2,
              validationData: [
                [x, b],
                [oneHot, size],
              ],
            },
          ),
        ),
    ],
    [
      'fit with class weights',
      sequential,
      async (model) =>
        seenIn(
          await model.fit(x, classes, { ...QUIET, batchSize: 16, epochs: 2, classWeight: { 0: 0.2, 1: 1, 2: 3 } }),
        ),
    ],
    [
      'fit with class weights for one output of two',
      functional,
      async (model) =>
        seenIn(
          await model.fit([x, b], [oneHot, size], {
            ...QUIET,
            batchSize: 16,
            classWeight: { named: { 0: 0.2, 1: 1, 2: 3 } } as never,
          }),
        ),
    ],
    [
      'fitDataset, with class weights and a data set for validation',
      () => {
        const model = sequential();
        model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
        return model;
      },
      async (model) =>
        seenIn(
          await model.fitDataset(data(16), {
            epochs: 2,
            ...SILENT,
            classWeight: { 0: 0.2, 1: 1, 2: 3 },
            validationData: data(12),
          }),
        ),
    ],
    [
      'fitDataset with tensors for validation',
      () => {
        const model = sequential();
        model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
        return model;
      },
      async (model) =>
        seenIn(
          await model.fitDataset(data(16), {
            epochs: 2,
            ...SILENT,
            batchesPerEpoch: 2,
            validationData: [x, oneHot],
          } as never),
        ),
    ],
    [
      'trainOnBatch, with batches of two sizes in turn',
      sequential,
      async (model) => {
        const seen = [];
        for (const rows of [16, 8, 16, 8, 16])
          seen.push(await model.trainOnBatch(x.slice([0], [rows]), classes.slice([0], [rows])));
        return seen;
      },
    ],
    [
      'evaluate, evaluateDataset, predict and predictOnBatch',
      functional,
      async (model) => {
        await model.trainOnBatch([x, b], [oneHot, size]);
        const dataset = tf.data.zip({
          xs: { a: slices(x), b: slices(b) },
          ys: { named: slices(oneHot), size: slices(size) },
        });
        return [
          ...valuesOf(model.evaluate([x, b], [oneHot, size], { batchSize: 15 })),
          ...valuesOf(await model.evaluateDataset(dataset.batch(7) as never, { batches: 4 })),
          ...valuesOf(model.predict([x, b], { batchSize: 16 })),
          ...valuesOf(model.predictOnBatch([x, b])),
        ];
      },
    ],
    [
      'evaluate, predict, losses and weights in callbacks',
      sequential,
      async (model) => {
        const seen: number[][] = [];
        const look = () => {
          const weights = model.layers.flatMap((layer) => layer.getWeights());
          const read = model.weights.map((weight) => weight.read());
          const all = [model.evaluate(x, classes), model.predict(x), weights, read].flat();
          seen.push(...all.map((tensor) => [...tensor.dataSync()]));
        };
        const onBatchEnd = (batch: number, logs?: tf.Logs) => {
          seen.push([batch, logs?.['batch'] ?? -1, logs?.['size'] ?? -1, logs?.['loss'] ?? -1, logs?.['acc'] ?? -1]);
          if (batch === 1) look();
        };
        const callbacks = { onTrainBegin: look, onBatchEnd, onEpochEnd: look };
        return [...seen, ...seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 16, epochs: 2, callbacks }))];
      },
    ],
    [
      'early stopping, and a stop in the midst of an epoch',
      sequential,
      async (model) => {
        const args = { ...QUIET, batchSize: 8, epochs: 9, validationData: [x, classes] as [tf.Tensor, tf.Tensor] };
        const early = await model.fit(x, classes, {
          ...args,
          callbacks: tf.callbacks.earlyStopping({ minDelta: 0.03 }),
        });
        const onBatchEnd = (batch: number) => {
          model.stopTraining = batch === 2;
        };
        return [...seenIn(early), ...seenIn(await model.fit(x, classes, { ...args, callbacks: { onBatchEnd } }))];
      },
    ],
    [
      'weights that are set and saved between epochs',
      sequential,
      async (model) => {
        const seen: Float32Array[] = [];
        const onEpochEnd = async () => {
          await model.save(
            tf.io.withSaveHandler((artifacts) => {
              seen.push(new Float32Array(artifacts.weightData as ArrayBuffer));
              return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } });
            }),
          );
          tf.tidy(() => model.setWeights(model.getWeights().map((weight) => weight.mul(0.5))));
          model.layers[0]?.setWeights(model.layers[0].getWeights());
        };
        const history = await model.fit(x, classes, { ...QUIET, batchSize: 16, epochs: 3, callbacks: { onEpochEnd } });
        return [...seen, ...seenIn(history)];
      },
    ],
    [
      'layers frozen, another loss, and another optimizer, each after compile',
      sequential,
      async (model) => {
        const fit = async (y = classes) => seenIn(await model.fit(x, y, { ...QUIET, batchSize: 16 }));
        const first = await fit();
        (model.layers[0] as tf.layers.Layer).trainable = false;
        compiled(model, () => tf.train.sgd(0.1));
        const second = await fit();
        model.compile({ optimizer: 'adam', loss: 'meanSquaredError', metrics: ['mse', 'acc'] });
        return [...first, ...second, ...(await fit(oneHot)), ...valuesOf(model.evaluate(x, oneHot))];
      },
    ],
    [
      'the same for a functional model, whose optimizer is exchanged, too',
      functional,
      async (model) => {
        const fit = async () => seenIn(await model.fit([x, b], [oneHot, size], { ...QUIET, batchSize: 16 }));
        const first = await fit();
        (model.layers[3] as tf.layers.Layer).trainable = false;
        model.compile({ optimizer: 'sgd', loss: ['categoricalCrossentropy', 'meanAbsoluteError'] });
        const second = await fit();
        Object.assign(model, { optimizer: tf.train.momentum(0.01, 0.5) });
        return [...first, ...second, ...(await fit())];
      },
    ],
    [
      'settings of layers and optimizers that change in callbacks',
      sequential,
      async (model) => {
        const onEpochEnd = (epoch: number) => {
          Object.assign((model.layers[0] as unknown as { kernelRegularizer: object }).kernelRegularizer, { l2: epoch });
          if (epoch === 1) Object.assign(model.optimizer, { beta1: 0.5 });
        };
        return seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 20, epochs: 4, callbacks: { onEpochEnd } }));
      },
    ],
    [
      'layers that are frozen and thawed without another compile',
      sequential,
      async (model) => {
        const onBatchBegin = (batch: number) => {
          (model.layers[0] as tf.layers.Layer).trainable = batch % 2 === 0;
        };
        return seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 8, epochs: 2, callbacks: { onBatchBegin } }));
      },
    ],
    [
      'a layer that is added',
      sequential,
      async (model) => {
        await model.fit(x, classes, { ...QUIET, batchSize: 16 });
        (model as tf.Sequential).add(
          dense({ units: 3, kernelInitializer: tf.initializers.glorotUniform({ seed: 9 }) }),
        );
        model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
        return [...seenIn(await model.fit(x, oneHot, { ...QUIET, batchSize: 16 })), ...valuesOf(model.predict(x))];
      },
    ],
  ];
  it.each(firstOf(cases, 2))('%s', async (_, build, use) => {
    const { compiled: names, refused } = await expectAsStock(build, use);
    expect(refused).toEqual([]);
    expect(names.length).toBeGreaterThan(0);
  });

  it.runIf(ALL)('fused, as is the default', async () => {
    const fit: Use = async (model) =>
      seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 12, epochs: 3, validationSplit: 0.3 }));
    await expectAsStock(sequential, fit, { fuse: true });
  });
});

describe('each optimizer, its rate changed by callbacks:', () => {
  const optimizers: [string, () => tf.Optimizer][] = [
    ['SGD', () => tf.train.sgd(0.1)],
    ['momentum', () => tf.train.momentum(0.1, 0.9)],
    ['Nesterov', () => tf.train.momentum(0.1, 0.9, true)],
    ['Adam', () => tf.train.adam(0.01)],
    ['RMSProp', () => tf.train.rmsprop(0.01, 0.9, 0.5)],
    ['centered RMSProp', () => tf.train.rmsprop(0.01, 0.9, 0.5, undefined, true)],
    ['Adagrad', () => tf.train.adagrad(0.1)],
    ['Adadelta', () => tf.train.adadelta(1)],
    ['Adamax', () => tf.train.adamax(0.01, undefined, undefined, undefined, 0.1)],
  ];
  const softmax = (optimizer: () => tf.Optimizer) => () =>
    compiled(
      tf.sequential({ layers: [dense({ inputShape: [6], units: 3, activation: 'softmax', ...seeded()() })] }),
      optimizer,
    );

  it.each(optimizers.filter(([name]) => ALL || name === 'Adam'))('%s', async (_, optimizer) => {
    const { compiled: names } = await expectAsStock(softmax(optimizer), async (model) => {
      const seen: number[] = [];
      const onBatchBegin = (batch: number) => {
        const rate = 0.1 / (batch + 1);
        // tfjs's own SGD and momentum go by what they are told, not by the field.
        if (/SGD|Momentum/.test(model.optimizer.getClassName()))
          (model.optimizer as tf.SGDOptimizer).setLearningRate(rate);
        else Object.assign(model.optimizer, { learningRate: rate });
        seen.push(model.optimizer.iterations);
      };
      const args = { ...QUIET, batchSize: 16, epochs: 3, callbacks: { onBatchBegin } };
      const history = await model.fit(x, classes, args);
      const canBeRead = model.optimizer.getClassName() !== 'Adamax';
      const kept = canBeRead ? await model.optimizer.getWeights() : [];
      return [...seenIn(history), seen, ...kept.flatMap(({ tensor }) => valuesOf(tensor))];
    });
    // Another rate is no reason to compile anew.
    expect(names).toHaveLength(2);
  });

  class Halved extends tf.SGDOptimizer {
    override applyGradients(...[gradients]: Parameters<tf.Optimizer['applyGradients']>): void {
      const rate = this.learningRate / 2;
      for (const { name, tensor } of gradients as { name: string; tensor: tf.Tensor | null }[]) {
        const variable = tf.engine().state.registeredVariables[name] as tf.Variable;
        if (tensor) tf.tidy(() => variable.assign(variable.sub(tensor.mul(rate))));
      }
      this.incrementIterations();
    }
  }

  it('and one of the user, whose rate is a constant of the graph', async () => {
    await expectAsStock(
      softmax(() => new Halved(0.1)),
      async (model) => {
        const onEpochEnd = () => void Object.assign(model.optimizer, { learningRate: 0.5 });
        return seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 20, epochs: 3, callbacks: { onEpochEnd } }));
      },
    );
  });
});

/** What is written to stderr during an action. */
async function told(action: () => Promise<unknown>): Promise<string> {
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await action();
    return spy.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    spy.mockRestore();
  }
}

class Distinct extends tf.layers.Layer {
  static className = 'Distinct';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = [inputs].flat()[0] as tf.Tensor;
    return tf.tidy(() => input.add(tf.unique(tf.tensor1d([1, 1, 2])).values.sum()));
  }
}
tf.serialization.registerClass(Distinct);

describe('what cannot be compiled', () => {
  const REASON =
    "expected what one graph can hold, got UniqueV2, whose result's shape follows from values, in the layer distinct_D";
  const build = () => {
    const init = seeded();
    return compiled(
      tf.sequential({
        name: 'M',
        layers: [
          dense({ inputShape: [6], units: 4, ...init() }),
          new Distinct({ name: 'distinct_D' }),
          dense({ units: 3, activation: 'softmax', ...init() }),
        ],
      }),
    );
  };
  const use: Use = async (model) => [
    ...seenIn(await model.fit(x, classes, { ...QUIET, batchSize: 16, epochs: 2 })),
    ...valuesOf(model.predict(x, { batchSize: 40 })),
  ];

  it('runs op by op, and one line names it', async () => {
    const lines = await told(async () => {
      const { compiled: names, refused } = await expectAsStock(build, use, { strict: false });
      expect(names).toEqual([]);
      expect(refused).toHaveLength(2);
    });
    expect(lines).toBe(
      ['training', 'prediction']
        .map((what) => `Cannot accelerate the ${what} of M_model: ${REASON} (Distinct): it runs op by op\n`)
        .join(''),
    );
  });

  it('throws where strict is asked for', async () => {
    const model = build();
    await accelerate(model, { strict: true });
    const message = `Cannot accelerate the training of M_model: ${REASON} (Distinct)`;
    const hint = 'leave strict out, and it runs op by op';
    for (let again = 0; again < 2; again++)
      await expect(model.fit(x, classes, QUIET)).rejects.toMatchObject({ message, hint });
  });

  it.each([true, false])('and does not run op by op either fails as before, strict: %s', async (strict) => {
    const model = sequential();
    const loss = () => {
      throw new RangeError('no loss');
    };
    model.compile({ optimizer: 'sgd', loss });
    await accelerate(model, { strict });
    const lines = await told(() => expect(model.fit(x, oneHot, QUIET)).rejects.toThrow(new RangeError('no loss')));
    expect(lines).toBe('');
  });

  it.runIf(ALL)('is told for more shapes than are kept, and for settings that change all the time', async () => {
    const model = compiled(tf.sequential({ layers: [dense({ inputShape: [6], units: 3, activation: 'softmax' })] }));
    const acceleration = await accelerate(model);
    const lines = await told(() => {
      for (let rows = 1; rows <= MOST_SHAPES + 2; rows++) tf.dispose(model.predict(x.slice([0], [rows])));
      expect(acceleration.compiled).toHaveLength(MOST_SHAPES);
      for (let change = 0; change < MOST_CHANGES + 2; change++) {
        Object.assign(model.layers[0] as object, { useBias: change % 2 === 0 });
        tf.dispose(model.predict(x.slice([0], [1])));
      }
      expect(acceleration.compiled).toHaveLength(0);
      tf.dispose([model.evaluate(x, classes)].flat());
      return Promise.resolve();
    });
    const why = 'expected what one graph can hold, got';
    expect(lines.split('\n')).toEqual([
      `Cannot accelerate the prediction of ${model.name}_model: ${why} batches of more than 16 shapes: it runs op by op`,
      ...['prediction', 'evaluation'].map(
        (what) =>
          `Cannot accelerate the ${what} of ${model.name}_model: ${why} useBias of a layer or the optimizer, which changes all the time: it runs op by op`,
      ),
      '',
    ]);
  });
});

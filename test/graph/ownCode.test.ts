/** Accelerated models with losses, metrics and layers of the user's own, which compute something else from one batch to the next. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { accelerate } from '../../src/graph/accelerate/accelerate.js';
import { MOST_CHANGES } from '../../src/graph/accelerate/compiledModel.js';
import type { PrivateModel } from '../../src/graph/accelerate/privates.js';
import { ownPartsOf } from '../../src/graph/accelerate/ownCode.js';
import type { Binding, NativeBackend } from '../../src/graph/binding.js';
import { optimizerVariables } from '../../src/graph/optimizer.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { GroupNorm } from '../../src/nn/groupLayer.js';
import { ALL, firstOf } from '../support/amount.js';
import { examples, expectAsStock, seeded, seenIn, SILENT, type Use } from '../support/twins.js';

const { dense, dropout, timeDistributed } = tf.layers;
const { x, oneHot } = examples(32);
const native = tf.backend() as NativeBackend;
const binding = native.binding as Binding & { getNumOfSavedModels: () => number; getNumOfTensors: () => number };
const counts = () => [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()];

afterEach(() => {
  tf.disposeVariables();
});

/** What the own code below goes by, as a closure of a program would. */
const program = { epoch: 0, list: [1, 2, 3] };

type Loss = (target: tf.Tensor, prediction: tf.Tensor) => tf.Tensor;
const { meanSquaredError: squared, absoluteDifference: absolute } = tf.losses as unknown as Record<string, Loss> & {
  meanSquaredError: Loss;
  absoluteDifference: Loss;
};

class Scaled extends tf.layers.Layer {
  static className = 'Scaled';
  scale = 1;
  private readonly inner = dropout({ rate: 0 });

  override call(inputs: tf.Tensor | tf.Tensor[], given: object): tf.Tensor {
    const input = [inputs].flat()[0] as tf.Tensor;
    return tf.tidy(() => (this.inner.apply(input, given) as tf.Tensor).mul(tf.tensor1d(program.list)).mul(this.scale));
  }
}

/** Leaves a tensor for the loss. */
class Remembering extends tf.layers.Layer {
  static className = 'Remembering';
  seen: tf.Tensor | undefined;

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = [inputs].flat()[0] as tf.Tensor;
    this.seen = tf.keep(tf.tidy(() => input.square().mean()));
    return input.clone();
  }
}

/** The class of TensorFlow.js's regularizers, which it does not export. */
const Regularizer = Object.getPrototypeOf(tf.regularizers.l2().constructor) as new () => { getConfig: () => object };

class Anneal extends Regularizer {
  static className = 'Anneal';
  apply = (weight: tf.Tensor) =>
    tf.tidy(() =>
      weight
        .square()
        .sum()
        .mul(program.epoch / 10),
    );
  override getConfig = () => ({});
}

interface Parts {
  loss?: Loss | Loss[] | string;
  metrics?: Loss[];
  middle?: tf.layers.Layer[];
}

/** Numbers of these are other ones in each epoch. */
function built({ loss = squared, metrics = [], middle = [] }: Parts): () => tf.LayersModel {
  return () => {
    const init = seeded();
    const layers = [dense({ inputShape: [6], units: 3, ...init() }), ...middle, dense({ units: 3, ...init() })];
    const model = tf.sequential({ name: 'M', layers });
    model.compile({ optimizer: tf.train.sgd(0.05), loss: loss, metrics: metrics });
    return model;
  };
}

const fit =
  (epochs: number, onEpoch: (model: tf.LayersModel) => void = () => undefined): Use =>
  async (model) => {
    const onEpochBegin = (epoch: number) => {
      program.epoch = epoch;
      program.list = [1, 1 + epoch / 10, 1];
      onEpoch(model);
    };
    const callbacks = { onEpochBegin };
    const given = { ...SILENT, epochs, batchSize: 16, shuffle: false, validationSplit: 0.25, callbacks };
    const seen = seenIn(await model.fit(x, oneHot, given));
    program.epoch = 2;
    return [...seen, [model.evaluate(x, oneHot)].flat().map((value) => value.dataSync()[0] as number)];
  };

const annealed: Loss = (target, prediction) =>
  squared(target, prediction).add(prediction.square().mean().mul(program.epoch));

const scaledIn = (layer: tf.layers.Layer) => (model: tf.LayersModel) => {
  for (const one of model.layers) if (one.name === layer.name) Object.assign(one, { scale: 1 + program.epoch / 10 });
};

/** By what changes; more often than a model is compiled anew for, and still all of it is compiled. */
const numbers: [string, () => tf.LayersModel, Use][] = [
  ['a factor in a loss', built({ loss: annealed }), fit(MOST_CHANGES + 3)],
  ['a factor in a metric', built({ metrics: [annealed] }), fit(MOST_CHANGES + 3)],
  [
    'a list that a layer reads, and a number that it has, with a layer of TensorFlow.js within',
    () => built({ middle: [new Scaled({ name: 'scaled' })] })(),
    fit(MOST_CHANGES + 3, scaledIn(new Scaled({ name: 'scaled' }))),
  ],
  [
    'bounds and slopes, which gradients go by, too',
    built({ loss: (y, p) => tf.leakyRelu(p.sub(y).mul(program.epoch).sub(1), 0.1).square().mean() }),
    fit(4),
  ],
  [
    'a regularizer',
    () => built({ middle: [dense({ units: 3, kernelRegularizer: new Anneal() as never, ...seeded()() })] })(),
    fit(MOST_CHANGES + 3),
  ],
  [
    'a factor of what a layer left for the loss, which cannot be called by itself',
    () => {
      const layer = new Remembering({});
      const loss: Loss = (y, p) => squared(y, p).add((layer.seen as tf.Tensor).mul(program.epoch));
      return built({ middle: [layer], loss })();
    },
    fit(4),
  ],
  [
    'an optimizer, which counts its steps',
    () => {
      class Fading extends tf.SGDOptimizer {
        override applyGradients(...[gradients]: Parameters<tf.Optimizer['applyGradients']>): void {
          for (const { name, tensor } of gradients as { name: string; tensor: tf.Tensor | null }[]) {
            const variable = tf.engine().state.registeredVariables[name] as tf.Variable;
            if (tensor) tf.tidy(() => variable.assign(variable.sub(tensor.div(10 + program.epoch))));
          }
          this.incrementIterations();
        }
      }
      const model = built({})();
      model.compile({ optimizer: new Fading(1), loss: 'meanSquaredError' });
      return model;
    },
    async (model) => [...(await fit(MOST_CHANGES + 3)(model)), model.optimizer.iterations],
  ],
  [
    'a loss, and a penalty on a weight that it reads',
    () => {
      const model = built({})();
      const kernel = model.weights[0]?.read() as tf.Tensor;
      const loss: Loss = (y, p) =>
        squared(y, p).add(
          kernel
            .square()
            .sum()
            .mul(program.epoch / 10),
        );
      model.compile({ optimizer: 'sgd', loss: loss });
      return model;
    },
    fit(MOST_CHANGES + 3),
  ],
];

/** What no number says: it is compiled anew. */
const branches: [string, () => tf.LayersModel, Use][] = [
  ['one loss or another', built({ loss: (y, p) => (program.epoch < 2 ? squared(y, p) : absolute(y, p)) }), fit(4)],
  [
    'a slice as wide as it says',
    built({
      loss: (y, p) =>
        p
          .slice([0, 0], [-1, 1 + (program.epoch % 3)])
          .square()
          .mean()
          .add(squared(y, p)),
    }),
    fit(3),
  ],
  [
    'a range as long as it says',
    built({
      loss: (y, p) => {
        const range = tf.range(0, program.epoch + 1);
        return squared(y, p).add(range.sum().div(range.size));
      },
    }),
    fit(4),
  ],
  [
    'a layer within one for all times',
    () => {
      const model = tf.sequential({
        layers: [
          tf.layers.reshape({ inputShape: [6], targetShape: [2, 3] }),
          timeDistributed({ layer: new Scaled({}) }),
          tf.layers.flatten(),
          dense({ units: 3, ...seeded()() }),
        ],
      });
      model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
      return model;
    },
    fit(4),
  ],
];

describe('as op by op, and all of it compiled, where another number comes from', () => {
  it.each(firstOf(numbers, 1))('%s', async (_, build, use) => {
    const { compiled, refused } = await expectAsStock(build, use);
    expect(refused).toEqual([]);
    expect(compiled.length).toBeGreaterThanOrEqual(3);
  });
});

describe('as op by op, and all of it compiled, where otherwise is gone by', () => {
  it.each(firstOf(branches, 1))('%s', async (_, build, use) => {
    const { compiled, refused } = await expectAsStock(build, use);
    expect(refused).toEqual([]);
    expect(compiled.length).toBeGreaterThanOrEqual(3);
  });
});

it('predictions go by what a layer reads at the time', async () => {
  await expectAsStock(
    () => built({ middle: [new Scaled({})] })(),
    (model) =>
      [
        [1, 2, 3],
        [3, 2, 1],
        [0, 0, 0],
      ].flatMap((list) => {
        program.list = list;
        return [(model.predict(x) as tf.Tensor).dataSync<'float32'>()];
      }),
  );
});

it.runIf(ALL)(
  'runs op by op where it does otherwise all the time, and one line says so; strict is an error',
  async () => {
    const build = built({ loss: (y, p) => (program.epoch % 2 === 0 ? squared(y, p) : absolute(y, p)) });
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    const line =
      'Cannot accelerate the training of M_model: expected what one graph can hold, ' +
      'got a loss, metric or layer of your own, which does otherwise all the time';
    try {
      await expectAsStock(build, fit(MOST_CHANGES + 3), { strict: false });
      expect(spy.mock.calls.map(([text]) => String(text)).join('')).toContain(`${line}: it runs op by op\n`);
    } finally {
      spy.mockRestore();
    }
    const model = build();
    await accelerate(model, { strict: true, fuse: false });
    await expect(fit(MOST_CHANGES + 3)(model)).rejects.toThrow(line);
  },
);

it('what fails from some epoch on fails as before, and the next fit goes on', async () => {
  const loss: Loss = (y, p) => {
    if (program.epoch === 1) throw new RangeError('no loss');
    return squared(y, p);
  };
  await expectAsStock(
    built({ loss }),
    async (model) => {
      const failure = await Promise.resolve(fit(3)(model)).catch((error: unknown) => (error as Error).message);
      Object.assign(model, { isTraining: false });
      Object.assign(Reflect.get(model, 'model') as object, { isTraining: false });
      return [String(failure), ...(await fit(1)(model))];
    },
    { strict: false },
  );
});

it('leaves nothing behind from batch to batch, nor after release', async () => {
  const before = counts();
  const model = built({ loss: annealed, middle: [new Scaled({})] })();
  const acceleration = await accelerate(model, { strict: true, fuse: false });
  const train = async () => {
    for (const epoch of [1, 2, 3, 4]) {
      program.epoch = epoch;
      program.list = [1, epoch, 1];
      await model.trainOnBatch(x, oneHot);
    }
  };
  await train();
  const trained = counts();
  await train();
  expect(counts()).toEqual(trained);
  acceleration.release();
  model.dispose();
  model.optimizer.dispose();
  tf.disposeVariables();
  expect(counts()[2]).toBe(before[2]);
});

describe('what is whose', () => {
  const partsOf = (layers: tf.layers.Layer[]) =>
    ownPartsOf({ layers } as unknown as PrivateModel).map((part) => part.constructor.name);

  it("TensorFlow.js's classes are its own, and ours say that they are settled", () => {
    const { layers } = tf;
    const stock = [
      layers.dense({ units: 1, kernelRegularizer: 'l1l2', kernelConstraint: 'maxNorm', activation: 'swish' }),
      layers.bidirectional({ layer: layers.lstm({ units: 1 }), mergeMode: 'sum' } as never),
      layers.rnn({ cell: [layers.gruCell({ units: 1 }), layers.simpleRNNCell({ units: 1 })] }),
      layers.convLstm2d({ filters: 1, kernelSize: 1 }),
      layers.timeDistributed({ layer: layers.dense({ units: 1 }) }),
      layers.alphaDropout({ rate: 0.5 }),
      layers.separableConv2d({ filters: 1, kernelSize: 1 }),
      layers.layerNormalization(),
      layers.rescaling({ scale: 1 }),
    ];
    expect(partsOf([...stock, new BatchNorm(), new GroupNorm({ groups: 1 })])).toEqual([]);
  });

  it('and others are not, wherever they are', () => {
    class Settled extends Scaled {
      static readonly settled = true;
    }
    const inner = tf.sequential({ layers: [dense({ inputShape: [3], units: 3 }), new Scaled({})] });
    expect(partsOf([inner, timeDistributed({ layer: new Remembering({}) }), new Settled({})])).toEqual([
      'Scaled',
      'Remembering',
    ]);
  });

  it('settled code is taken at its word', async () => {
    program.epoch = 1;
    const loss = Object.assign(((y, p) => annealed(y, p)) as Loss, { settled: true });
    const model = built({ loss })();
    await accelerate(model, { strict: true, fuse: false });
    const value = () => [model.evaluate(x, oneHot)].flat()[0]?.dataSync()[0];
    const first = value();
    program.epoch = 100;
    expect(value()).toBe(first);
  });
});

it('an optimizer of the user that needs every gradient is refused with what to do', () => {
  class Plain extends tf.SGDOptimizer {
    override applyGradients(...[gradients]: Parameters<tf.Optimizer['applyGradients']>): void {
      for (const { tensor } of gradients as { tensor: tf.Tensor }[]) tensor.mul(2).dispose();
    }
  }
  expect(() => optimizerVariables(new Plain(0.1), [tf.variable(tf.ones([2]))])).toThrow(
    expect.objectContaining({
      message:
        "Cannot list an optimizer's variables: expected applyGradients to pass over a variable whose gradient is null, " +
        "as TensorFlow.js's own do, got Cannot read properties of null (reading 'mul')",
      hint: 'if (gradient == null) continue;',
    }) as Error,
  );
});

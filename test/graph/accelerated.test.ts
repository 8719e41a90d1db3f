/** Accelerated models beside others: released, disposed of, with dropouts, shared weights and other backends; and that nothing leaks. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { accelerate } from '../../src/graph/accelerate/accelerate.js';
import { assertVersion } from '../../src/graph/accelerate/privates.js';
import { compileStep } from '../../src/graph/compile.js';
import type { Binding, NativeBackend } from '../../src/graph/binding.js';
import { openBackend } from '../../src/runtime/open.js';
import { amount } from '../support/amount.js';
import { examples, expectAsStock, expectClose, seeded, SILENT, weightsOf } from '../support/twins.js';

const { dense } = tf.layers;
const native = tf.backend() as NativeBackend;
const binding = native.binding as Binding & { getNumOfSavedModels: () => number; getNumOfTensors: () => number };
const counts = () => [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()];

afterEach(() => {
  tf.disposeVariables();
});

const { x, classes } = examples(32);
const PLAIN = { strict: true, fuse: false };

function small({ units = 3, ...more }: { units?: number; dropout?: tf.layers.Layer } = {}): tf.Sequential {
  const init = seeded();
  const first = dense({ inputShape: [6], units: 8, activation: 'relu', ...init() });
  const last = dense({ units, activation: 'softmax', ...init() });
  const model = tf.sequential({ layers: [first, ...(more.dropout ? [more.dropout] : []), last] });
  model.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  return model;
}

const train = (model: tf.LayersModel) => model.trainOnBatch(x, classes) as Promise<number>;
const predicted = (model: tf.LayersModel) => tf.tidy(() => [...(model.predict(x) as tf.Tensor).dataSync()]);

describe('release', () => {
  it('has the model run as before, from where it is, and leaves nothing behind', async () => {
    const own = (model: object) => Object.getOwnPropertyNames(model).sort();
    const [model, twin] = [small(), small()];
    // What the stock functions leave in a model and its optimizer when they are first called.
    for (const each of [model, twin]) {
      await train(each);
      tf.dispose(each.evaluate(x, classes));
    }
    const inner = Reflect.get(model, 'model') as tf.LayersModel;
    const before = { counts: counts(), own: [own(model), own(inner)] };
    const acceleration = await accelerate(model, PLAIN);
    for (const each of [model, twin]) for (let i = 0; i < 3; i++) await train(each);
    tf.dispose([model.evaluate(x, classes), model.predict(x)].flat());
    expect(acceleration.compiled).toHaveLength(3);
    acceleration.release();
    acceleration.release();
    expect(acceleration.compiled).toEqual([]);
    expect({ counts: counts(), own: [own(model), own(inner)] }).toEqual(before);
    for (const each of [model, twin]) await train(each);
    expectClose(weightsOf(model), weightsOf(twin));
  });

  it('in a callback ends with fit going on op by op', async () => {
    const [model, twin] = [small(), small()];
    const acceleration = await accelerate(model, PLAIN);
    const args = { ...SILENT, batchSize: 8, shuffle: false };
    const [fast, stock] = [
      await model.fit(x, classes, {
        ...args,
        callbacks: {
          onBatchEnd: (batch) => {
            if (batch === 1) acceleration.release();
          },
        },
      }),
      await twin.fit(x, classes, args),
    ];
    expect(fast.history['loss']?.[0]).toBeCloseTo(stock.history['loss']?.[0] as number, 5);
    expectClose(weightsOf(model), weightsOf(twin));
    expect(binding.getNumOfSavedModels()).toBe(0);
  });

  it('comes by itself where the model is disposed of, and where it is accelerated again', async () => {
    const before = counts();
    const model = small();
    const first = await accelerate(model, PLAIN);
    await train(model);
    const second = await accelerate(model, { fuse: false });
    expect(first.compiled).toEqual([]);
    await train(model);
    expect(second.compiled).toEqual(['train(float32 [32, 6], float32 [32, 1])']);
    model.dispose();
    expect(counts()).toEqual(before);
    await expect(train(model)).rejects.toThrow('already disposed');
  });
});

it('nothing leaks over many steps of two shapes, evaluations and predictions, nor after release', async () => {
  const model = small();
  const acceleration = await accelerate(model, PLAIN);
  const [half, halfClasses] = [x.slice([0], [16]), classes.slice([0], [16])];
  const round = async () => {
    await train(model);
    await model.trainOnBatch(half, halfClasses);
    tf.dispose([model.evaluate(x, classes), model.predict(half)].flat());
    await model.fit(x, classes, { ...SILENT, batchSize: 20, callbacks: { onBatchEnd: () => undefined } });
  };
  for (let i = 0; i < amount(20, 3); i++) await round();
  const [before, resident] = [counts(), process.memoryUsage.rss()];
  for (let i = 0; i < amount(1000, 20); i++) await round();
  expect(counts()).toEqual(before);
  // A session leaks megabytes, a step's tensors kilobytes; what Node itself takes and gives back is within this.
  expect(process.memoryUsage.rss() - resident).toBeLessThan(40e6);
  acceleration.release();
  model.dispose();
  expect(binding.getNumOfSavedModels()).toBe(0);
  half.dispose();
  halfClasses.dispose();
});

it('sessions of models that are accelerated and released in turn leave no memory behind', async () => {
  const once = async () => {
    const model = small();
    const acceleration = await accelerate(model, PLAIN);
    await train(model);
    acceleration.release();
    model.dispose();
  };
  for (let i = 0; i < amount(5, 2); i++) await once();
  const [before, resident] = [counts(), process.memoryUsage.rss()];
  const rounds = amount(60, 2);
  for (let i = 0; i < rounds; i++) await once();
  expect(counts()).toEqual(before);
  expect(process.memoryUsage.rss() - resident).toBeLessThan(2e6 * rounds + 40e6);
});

describe('dropout and noise', () => {
  it.each<[string, () => tf.layers.Layer]>([
    ['dropout', () => tf.layers.dropout({ rate: 0.25 })],
    ['with a seed', () => tf.layers.dropout({ rate: 0.25, seed: 5 })],
  ])('%s draws afresh at each step, at its rate, and not when the model predicts', async (_, layer) => {
    // The loss is the sum of what is left of ones: kept for each of them, times 4/3.
    const width = 400;
    const input = tf.input({ shape: [width] });
    const weighed = dense({ units: width, kernelInitializer: 'identity', useBias: false }).apply(
      input,
    ) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: layer().apply(weighed) as tf.SymbolicTensor });
    model.compile({ optimizer: tf.train.sgd(0), loss: (_labels, given) => given.mean(1) });
    await accelerate(model, { ...PLAIN, seed: 1 });
    const ones = tf.ones([50, width]);
    const losses: number[] = [];
    for (let i = 0; i < 40; i++) losses.push((await model.trainOnBatch(ones, ones)) as number);
    expect(new Set(losses).size).toBeGreaterThan(35);
    const n = 50 * width;
    const deviation = Math.sqrt(1 / 3 / n);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    // Of 40 standard normal draws one is beyond 5 once in 40,000 times; their mean's deviation is 1/√40.
    expect(Math.max(...losses.map((loss) => Math.abs(loss - 1) / deviation))).toBeLessThan(5);
    expect(Math.abs(mean - 1) / deviation).toBeLessThan(5 / Math.sqrt(40));
    const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (losses.length - 1) / deviation ** 2;
    expect(variance).toBeGreaterThan(0.3);
    expect(variance).toBeLessThan(2.2);
    expect((model.evaluate(ones, ones) as tf.Scalar).dataSync()[0]).toBeCloseTo(1, 6);
    expect(Math.min(...((model.predict(ones) as tf.Tensor).dataSync() as Float32Array))).toBe(1);
  });

  it.each<[string, () => tf.layers.Layer, number]>([
    // The mean of what is left, and its deviation, as the layer's documentation has them.
    ['gaussianNoise', () => tf.layers.gaussianNoise({ stddev: 0.5 }), 0.5],
    ['gaussianDropout', () => tf.layers.gaussianDropout({ rate: 0.2 }), 0.5],
    ['alphaDropout', () => tf.layers.alphaDropout({ rate: 0.2 }), 0],
  ])(
    'of %s draws afresh at each step, as widely as stock, and not when the model predicts',
    async (_, layer, spread) => {
      const width = 400;
      const build = () => {
        const weighed = dense({ inputShape: [width], units: width, kernelInitializer: 'identity', useBias: false });
        const model = tf.sequential({ layers: [weighed, layer()] });
        model.compile({ optimizer: tf.train.sgd(0), loss: (_labels, given) => given.sub(1).square().mean(1) });
        return model;
      };
      const [stock, fast] = [build(), build()];
      await accelerate(fast, { ...PLAIN, strict: true, seed: 1 });
      const ones = tf.ones([50, width]);
      const losses = async (model: tf.LayersModel) => {
        const found: number[] = [];
        for (let i = 0; i < 10; i++) found.push((await model.trainOnBatch(ones, ones)) as number);
        return found;
      };
      const [wanted, got] = [await losses(stock), await losses(fast)];
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(new Set(got).size).toBe(10);
      expect(mean(got) / mean(wanted)).toBeCloseTo(1, 1);
      if (spread > 0) expect(Math.sqrt(mean(got))).toBeCloseTo(spread, 1);
      expect((fast.evaluate(ones, ones) as tf.Scalar).dataSync()[0]).toBe(0);
    },
  );

  it('is the same for the same seed, in batches of all shapes, and goes on where another shape comes', async () => {
    const losses = async (seed: number) => {
      const model = small({ dropout: tf.layers.dropout({ rate: 0.5 }) });
      const { release } = await accelerate(model, { ...PLAIN, seed });
      const found: number[] = [];
      for (const rows of [32, 32, 20, 32]) {
        const batch = tf.tidy(() => [x.slice([0], [rows]), classes.slice([0], [rows])] as const);
        found.push((await model.trainOnBatch(...batch)) as number);
      }
      release();
      return found;
    };
    const [first, again, other] = [await losses(1), await losses(1), await losses(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });
});

it('two accelerated models that share weights follow one another, as a generator and what judges it', async () => {
  const build = () => {
    const init = seeded();
    const judge = tf.sequential({ layers: [dense({ inputShape: [6], units: 1, activation: 'sigmoid', ...init() })] });
    judge.compile({ optimizer: tf.train.adam(0.01), loss: 'binaryCrossentropy' });
    const generator = tf.sequential({ layers: [dense({ inputShape: [6], units: 6, ...init() })] });
    const noise = tf.input({ shape: [6] });
    const both = tf.model({
      inputs: noise,
      outputs: judge.apply(generator.apply(noise)) as tf.SymbolicTensor,
    });
    judge.trainable = false;
    both.compile({ optimizer: tf.train.adam(0.01), loss: 'binaryCrossentropy' });
    return { judge, both, generator };
  };
  const [stock, fast] = [build(), build()];
  const accelerated = { judge: await accelerate(fast.judge, PLAIN) };
  for (const model of [fast.both, fast.generator]) await accelerate(model, PLAIN);
  const ones = tf.ones([32, 1]);
  for (const { judge, both, generator } of [stock, fast])
    for (let i = 0; i < 4; i++) {
      const made = generator.predict(x) as tf.Tensor;
      judge.trainable = true;
      await judge.trainOnBatch(made, ones.mul(0));
      await judge.trainOnBatch(x, ones);
      judge.trainable = false;
      tf.dispose(judge.predict(made));
      await both.trainOnBatch(x, ones);
    }
  expect(accelerated.judge.compiled).toHaveLength(2);
  for (const name of ['judge', 'both'] as const) expectClose(weightsOf(fast[name]), weightsOf(stock[name]));
});

it('gradients go through predict, and other compiled steps hold it', async () => {
  const model = small();
  const slope = () =>
    tf.tidy(() => [
      ...tf
        .grad((given) => (model.predict(given) as tf.Tensor).square().sum())(x)
        .dataSync(),
    ]);
  const [expected, values] = [slope(), predicted(model)];
  await accelerate(model, PLAIN);
  expectClose([predicted(model)], [values]);
  expectClose([slope()], [expected]);
  const step = await compileStep((given) => [model.predict(given) as tf.Tensor], { inputs: [x], variables: [model] });
  expectClose([[...(step.run(x)[0] as tf.Tensor).dataSync()]], [values]);
  step.dispose();
});

it.each([
  ['js', 'cpu'],
  ['wasm', 'wasm'],
] as const)('on the %s backend a model is left alone, and one line says why', async (name, tfjs) => {
  const model = small();
  await openBackend(name, { quiet: true });
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    const { refused, release } = await accelerate(model);
    const message = `Cannot accelerate the model: expected the native backend, got the ${tfjs} backend`;
    expect(refused).toEqual([`${message}: it runs op by op`]);
    expect(spy.mock.calls).toEqual([[`${message}: it runs op by op\n`]]);
    expect(Object.hasOwn(model, 'dispose')).toBe(false);
    release();
    await expect(accelerate(model, { strict: true })).rejects.toMatchObject({ message });
  } finally {
    spy.mockRestore();
    await tf.setBackend('tensorflow');
  }
});

it('while another backend is in use, an accelerated model runs op by op on that', async () => {
  await expectAsStock(small, async (model) => {
    const first = await train(model);
    await openBackend('js', { quiet: true });
    const seen = [first, await train(model), predicted(model)];
    await tf.setBackend('tensorflow');
    return [...seen, await train(model)].map((one) => [one].flat());
  });
});

describe('is refused:', () => {
  it.each<[string, unknown, unknown, { message: string; hint: string }]>([
    [
      'an option that is misspelt',
      undefined,
      { fused: true },
      {
        message: 'Cannot accelerate the model: expected an option that it has, got "fused"',
        hint: 'did you mean fuse?',
      },
    ],
    [
      'an option of another type',
      undefined,
      { strict: 1 },
      {
        message: 'Cannot accelerate the model: expected strict to be true or false, got a number',
        hint: 'leave it out',
      },
    ],
    [
      'what is no model',
      {},
      {},
      {
        message:
          'Cannot accelerate the model: expected a sequential or functional model of the same copy of TensorFlow.js, got an object of the class Object',
        hint: 'npm ls @tensorflow/tfjs shows the copies, npm dedupe leaves one',
      },
    ],
    [
      'nothing',
      null,
      {},
      {
        message:
          'Cannot accelerate the model: expected a sequential or functional model of the same copy of TensorFlow.js, got null',
        hint: 'npm ls @tensorflow/tfjs shows the copies, npm dedupe leaves one',
      },
    ],
    [
      'a seed that is none',
      undefined,
      { seed: 0.5 },
      { message: 'Cannot make a random generator: expected a whole number as its seed, got 0.5', hint: '' },
    ],
  ])('%s', async (_, model, options, { message, hint }) => {
    const given = model === undefined ? small() : model;
    await expect(accelerate(given as tf.LayersModel, options as object)).rejects.toMatchObject({
      message,
      ...(hint === '' ? {} : { hint }),
    });
  });

  it('a version of tfjs that nobody has looked into', () => {
    for (const version of ['4.10.0', '4.22.0', tf.version['tfjs-layers']]) assertVersion(version);
    for (const version of ['3.21.0', '4.9.0', '4.23.0', '4.22.0-rc.1', '5.0.0'])
      expect(() => assertVersion(version)).toThrow(
        expect.objectContaining({
          message: `Cannot accelerate the model: expected tfjs-layers from 4.10.0 to 4.22.0, whose models are known from within, got ${version}`,
          hint: 'npm install @tensorflow/tfjs@4.22.0',
        }),
      );
  });
});

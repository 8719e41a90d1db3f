import { backend } from '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { batches, shuffledOrder } from '../../src/data/batches.js';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import type { Dataset } from '../../src/data/idx.js';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { lenet, type Norm } from '../../src/nn/lenet.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { withStatistics } from '../../src/nn/population.js';
import { populationStatistics } from '../../src/nn/recalibrate.js';
import { accuracy, imagesOfEpoch, populationAccuracy } from '../../src/train/evaluate.js';
import type { EpochResult, Position, TrainEvent } from '../../src/train/events.js';
import { startOf, train } from '../../src/train/loop.js';
import type { TrainOptions } from '../../src/train/trainOptions.js';
import { DeviceDataset, type Mode } from '../../src/train/step.js';
import { Trainer } from '../../src/train/trainer.js';
import { ALL, firstOf } from '../support/amount.js';
import { timeless } from '../support/timeless.js';

const real = await loadFashionMnist();

/** The first examples of the real data. */
function subset(trainCount: number, testCount: number) {
  const cut = ({ height, width, images, labels }: typeof real.train, count: number) => ({
    count,
    height,
    width,
    images: images.subarray(0, count * height * width),
    labels: labels.subarray(0, count),
  });
  return { train: cut(real.train, trainCount), test: cut(real.test, testCount) };
}

const small = subset(1000, 300);
const modes: Mode[] = ['graph', 'eager'];

function open(model: tf.Sequential, mode: Mode, learningRate = 1): Promise<Trainer> {
  return Trainer.open({ model, data: small, batchSize: 256, learningRate, mode });
}

async function collect(norm: Norm, options: Partial<TrainOptions> = {}): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  const model = options.model ?? lenet({ norm, seed: 1 });
  for await (const event of train({ model, data: small, epochs: 2, seed: 1, ...options })) events.push(event);
  return events;
}

const known = new Map<string, Promise<TrainEvent[]>>();

/** The same, of which one run serves several tests. */
function collectOnce(norm: Norm, options: Partial<TrainOptions> = {}): Promise<TrainEvent[]> {
  const key = JSON.stringify([norm, options]);
  const run = known.get(key) ?? collect(norm, options);
  known.set(key, run);
  return run;
}

const epochsOf = (events: TrainEvent[]) =>
  events.filter((event) => event.type === 'epoch').map(({ type: _, ...epoch }): EpochResult => epoch);

describe('train', () => {
  it('yields start, steps, evaluation and epoch for each epoch, then the end', async () => {
    const events = await collectOnce('scratch');
    const epoch = ['step', 'step', 'step', 'step', 'evaluate', 'epoch'];
    expect(events.map(({ type }) => type)).toEqual(['start', ...epoch, ...epoch, 'evaluate', 'population', 'end']);
    expect(events[0]).toMatchObject({ type: 'start', epochs: 2, batches: 4, examples: 1000 });
    expect(backend.name).toBe('native');
  });

  it.each<[Partial<TrainOptions>, string]>([
    [{ batchSize: 0 }, 'Cannot train: expected batchSize to be a whole number from 1, got 0'],
    [{ epochs: 0 }, 'Cannot train: expected epochs to be a whole number from 1, got 0'],
    [{ epochs: 1.5 }, 'Cannot train: expected epochs to be a whole number from 1, got 1.5'],
    [{ checkpointSteps: 0 }, 'Cannot train: expected checkpointSteps to be a whole number from 1, got 0'],
    [{ learningRate: NaN }, 'Cannot train: expected learningRate to be a number above 0, got NaN'],
    [{ seed: NaN }, 'Cannot train: expected seed to be a whole number from 0, got NaN'],
    [{ mode: 'grap' as 'graph' }, 'Cannot train: expected mode to be fused, graph or eager, got "grap"'],
    [{ xla: 1 as unknown as true }, 'Cannot train: expected xla to be true or false, got 1'],
    [{ signal: {} as AbortSignal }, 'Cannot train: expected signal to be an AbortSignal, got {}'],
    [{ learningrate: 1 } as object, 'Cannot train: expected an option that it has, got "learningrate"'],
    [{ stepsPerCall: -1 }, 'Cannot train: expected stepsPerCall to be a whole number from 1, got -1'],
    [
      { from: { position: startOf(3), history: [] }, mode: 'eager' },
      'Cannot finish the run: expected the epochs before in from.history, got none',
    ],
  ])('%j is an error', async (options, message) => {
    const model = lenet({ norm: 'none', seed: 1 });
    const before = tf.memory().numTensors;
    await expect(collect('none', { model, ...options })).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  const part = (change: Partial<Dataset>) => ({ ...small.train, ...change });
  const labelled = (label: number) => Uint8Array.from(small.train.labels, (own, i) => (i === 500 ? label : own));
  it.each<{ what: string; sets: Partial<typeof small>; message: string; hint: string }>([
    {
      what: 'no examples',
      sets: { test: part({ count: 0, images: new Uint8Array(), labels: new Uint8Array() }) },
      message: 'Cannot use the test set: expected at least one example, got 0',
      hint: 'give it some',
    },
    {
      what: 'pixels in [0, 1]',
      sets: { train: part({ images: new Float32Array(784_000) as unknown as Uint8Array }) },
      message:
        'Cannot use the train set: expected images and labels as Uint8Array: pixels from 0 to 255, labels from 0, got Float32Array and Uint8Array',
      hint: 'Uint8Array.from(values) makes one; pixels in [0, 1] are to be multiplied by 255',
    },
    {
      what: 'no labels',
      sets: { test: part({ labels: undefined }) },
      message:
        'Cannot use the test set: expected images and labels as Uint8Array: pixels from 0 to 255, labels from 0, got Uint8Array and Undefined',
      hint: 'Uint8Array.from(values) makes one; pixels in [0, 1] are to be multiplied by 255',
    },
    {
      what: 'images of another size',
      sets: { train: part({ count: 784, height: 10, width: 100, labels: small.train.labels.subarray(0, 784) }) },
      message: 'Cannot use the train set: expected images [28, 28, 1], as the model takes them, got [10, 100, 1]',
      hint: 'lenet({ norm, height: 10, width: 100 }) takes these',
    },
    {
      what: 'fewer labels than images',
      sets: { train: part({ labels: small.train.labels.subarray(1) }) },
      message: 'Cannot use the train set: expected 1000 labels and 784000 bytes of images, got 999 and 784000',
      hint: 'count, height and width tell how many there are',
    },
    {
      what: 'a label without a class',
      sets: { train: part({ labels: labelled(46) }) },
      message: 'Cannot use the train set: expected labels from 0 to 9, as the model has 10 outputs, got a label 46',
      hint: 'lenet({ norm, classes: 47 }) has an output for each',
    },
    {
      what: 'one in the test set',
      sets: { test: part({ labels: labelled(10) }) },
      message: 'Cannot use the test set: expected labels from 0 to 9, as the model has 10 outputs, got a label 10',
      hint: 'lenet({ norm, classes: 11 }) has an output for each',
    },
  ])('is refused before the first step with $what', async ({ sets, message, hint }) => {
    const model = lenet({ norm: 'none', seed: 1 });
    const before = tf.memory().numTensors;
    const events: TrainEvent[] = [];
    const run = async () => {
      for await (const event of train({ model, data: { ...small, ...sets }, epochs: 1 })) events.push(event);
    };
    await expect(run()).rejects.toMatchObject({ message, hint });
    expect(events).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(modes)('refuses a last batch of one with batch normalization, before the first step: %s', async (mode) => {
    const model = lenet({ norm: 'scratch', seed: 1 });
    const before = tf.memory().numTensors;
    await expect(collect('scratch', { model, mode, batchSize: 999 })).rejects.toThrow(
      'Cannot train with batch normalization: expected at least 2 examples in every batch, as one has no variance, got a last batch of 1 (1000 examples in batches of 999)',
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it.runIf(ALL)('trains a functional model as it does the sequential one, population statistics included', async () => {
    const { inputs, outputs } = lenet({ norm: 'builtin', seed: 1 });
    const model = tf.model({ inputs, outputs }) as unknown as tf.Sequential;
    const options = { epochs: 1, mode: 'graph', seed: 1 } as const;
    const [functional, sequential] = [
      await collect('builtin', { ...options, model }),
      await collect('builtin', options),
    ];
    expect(epochsOf(functional).map(timeless)).toEqual(epochsOf(sequential).map(timeless));
  });

  it.each([1, 2, 3, 4])('keeps no data on the backend when upload %i fails', async (failing) => {
    const native = nativeBackend() as NativeBackend;
    const { binding } = native;
    const model = lenet({ norm: 'none', seed: 1 });
    const before = tf.memory().numTensors;
    let uploads = 0;
    const createTensor: typeof binding.createTensor = (...args) => {
      uploads++;
      if (uploads === failing) throw new Error('on purpose');
      return binding.createTensor(...args);
    };
    Object.assign(native, { binding: Object.create(binding, { createTensor: { value: createTensor } }) as unknown });
    await expect(open(model, 'graph').finally(() => Object.assign(native, { binding }))).rejects.toThrow('on purpose');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps no data on the backend when a step cannot be compiled', async () => {
    class Looking extends tf.layers.Layer {
      static className = 'Looking';

      override call(inputs: tf.Tensor[]): tf.Tensor {
        const [x] = inputs as [tf.Tensor];
        return x.mul(x.dataSync().length);
      }
    }
    const model = tf.sequential({
      layers: [tf.layers.flatten({ inputShape: [28, 28, 1] }), new Looking({}), tf.layers.dense({ units: 10 })],
    });
    const before = tf.memory().numTensors;
    await expect(open(model, 'graph')).rejects.toThrow("got a read of a tensor's values");
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each(modes)('counts the smaller last batch, and averages by examples: %s', async (mode) => {
    const model = lenet({ norm: 'none', seed: 1 });
    const events = await collect('none', { model, epochs: 1, mode });
    const steps = events.filter((event) => event.type === 'step');
    expect(steps.at(-1)).toMatchObject({ epoch: 1, batch: 4 });
    // The same steps, of which each gives its own batch's mean.
    const twin = await open(lenet({ norm: 'none', seed: 1 }), mode);
    const sizes = [256, 256, 256, 232];
    const results = [...batches(shuffledOrder(1000, 1, 1), 256)].flatMap((rows) => twin.step([rows]));
    twin.dispose();
    const weighted = results.reduce((sum, { loss }, i) => sum + loss * (sizes[i] ?? NaN), 0) / 1000;
    const unweighted = results.reduce((sum, { loss }) => sum + loss, 0) / 4;
    expect(steps.at(-1)?.loss).toBeCloseTo(weighted, 12);
    expect(epochsOf(events)[0]?.loss).toBeCloseTo(weighted, 12);
    expect(Math.abs(weighted - unweighted)).toBeGreaterThan(1e-6);
    expect(epochsOf(events)[0]?.trainAccuracy).toBe(results.reduce((sum, { correct }) => sum + correct, 0) / 1000);
  });

  it.each(
    firstOf(
      (['scratch', 'builtin', 'none'] as const).flatMap((norm) => modes.map((mode) => [norm, mode] as const)),
      2,
    ),
  )('gives the same run bit for bit from the same seed: %s, %s', async (norm, mode) => {
    expect(timeless(await collect(norm, { mode }))).toEqual(timeless(await collectOnce(norm, { mode })));
  });

  it('gives another run from another seed', async () => {
    const lossOf = (events: TrainEvent[]) => events.findLast((event) => event.type === 'epoch')?.loss;
    const mode = 'eager';
    expect(lossOf(await collect('none', { mode, seed: 2 }))).not.toBe(lossOf(await collectOnce('none', { mode })));
  });

  it('follows the same losses with the layer from scratch and the built-in one', async () => {
    const losses = async (norm: Norm) =>
      (await collect(norm, { learningRate: 0.1 })).filter((event) => event.type === 'step').map(({ loss }) => loss);
    const [scratch, builtin] = [await losses('scratch'), await losses('builtin')];
    // Both compute the same function in float32; at learning rate 0.1 eight steps magnify rounding little.
    for (const [i, loss] of scratch.entries()) expect(Math.abs(loss / (builtin[i] ?? NaN) - 1)).toBeLessThan(1e-4);
  });

  it.each(
    firstOf<[norm: Norm, mode: Mode, xla: boolean]>(
      [
        ['scratch', 'graph', false],
        ['none', 'eager', false],
        ['builtin', 'graph', false],
        ['none', 'graph', true],
      ],
      2,
    ),
  )('gives the same events bit for bit, however many steps a call takes: %s, %s, XLA %s', async (norm, mode, xla) => {
    // Three whole batches and a smaller one in each epoch.
    const one = timeless(await collectOnce(norm, { mode, ...(xla && { xla }) }));
    expect(timeless(await collect(norm, { mode, xla, stepsPerCall: 2 }))).toEqual(one);
  });

  it.each(
    firstOf<[mode: Mode, stepsPerCall: number]>(
      [
        ['graph', 2],
        ['eager', 1],
        ['graph', 1],
      ],
      2,
    ),
  )(
    'ends after the call under way when interrupted, and goes on to the same result: %s, %i',
    async (mode, stepsPerCall) => {
      const whole = await collectOnce('scratch', { mode });
      const controller = new AbortController();
      const model = lenet({ norm: 'scratch', seed: 1 });
      const before: TrainEvent[] = [];
      const { signal } = controller;
      for await (const event of train({ model, data: small, epochs: 2, seed: 1, mode, stepsPerCall, signal })) {
        before.push(event);
        if (event.type === 'step' && event.epoch === 2 && event.batch === 3 - stepsPerCall) controller.abort();
      }
      const stopped = before.at(-1);
      if (stopped?.type !== 'interrupted') throw new Error('expected an interruption');
      expect(stopped.position).toMatchObject({ epoch: 2, batch: 2, examples: 512 });
      expect(before.filter((event) => event.type === 'step')).toHaveLength(4 + 2);
      const from = { position: stopped.position, history: epochsOf(before) };
      const after = await collect('scratch', { model, mode, from });
      expect(timeless(after.at(-1))).toEqual(timeless(whole.at(-1)));
    },
  );

  it.each(firstOf([64, 1], 1))(
    'yields a checkpoint after each so many batches, from which it goes on: %i steps a call',
    async (n) => {
      const model = lenet({ norm: 'scratch', seed: 1 });
      const whole: TrainEvent[] = [];
      const moments: { position: Position; weights: tf.Tensor[]; history: EpochResult[] }[] = [];
      for await (const event of train({
        model,
        data: small,
        epochs: 2,
        seed: 1,
        checkpointSteps: 2,
        stepsPerCall: n,
      })) {
        whole.push(event);
        const weights = model.getWeights().map((weight) => weight.clone());
        if (event.type === 'checkpoint') moments.push({ position: event.position, weights, history: epochsOf(whole) });
      }
      expect(moments.map(({ position: { epoch, batch } }) => [epoch, batch])).toEqual([
        [1, 2],
        [1, 4],
        [2, 2],
        [2, 4],
      ]);
      for (const { position, weights, history } of moments.slice(n === 1 ? 1 : 2, 3)) {
        model.setWeights(weights);
        const after = await collect('scratch', { model, from: { position, history } });
        expect(timeless(after.at(-1))).toEqual(timeless(whole.at(-1)));
      }
    },
  );

  it('brings the model’s weights up to date before anybody may read them', async () => {
    const model = lenet({ norm: 'none', seed: 1 });
    const seen: string[] = [];
    const first = () => String(model.getWeights()[0]?.dataSync()[0]);
    for await (const event of train({ model, data: small, epochs: 1, seed: 1, checkpointSteps: 2 }))
      if (['checkpoint', 'epoch', 'end'].includes(event.type)) seen.push(first());
    expect(new Set(seen).size).toBe(2);
    expect(seen.slice(1)).toEqual([seen[1], seen[1], seen[1]]);
  });

  it.each(modes)('stops at a loss that is not finite: %s', async (mode) => {
    await expect(collect('none', { learningRate: 1e38, epochs: 1, mode })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Cannot go on training: expected a finite loss, got (NaN|-?Infinity) in batch \d of epoch 1$/,
      ) as string,
      hint: 'use a smaller learningRate',
    });
  });

  it.each(modes)('ends after an epoch whose loss a backend cannot have computed rightly: %s', async (mode) => {
    // As with one-hot labels that are nothing but zeros: no class costs anything.
    const right = tf.getKernel('OneHot', 'tensorflow');
    const wrong: tf.KernelFunc = (parameters) => {
      const labels = right.kernelFunc(parameters) as tf.TensorInfo;
      return tf.tidy(() => tf.engine().makeTensorFromTensorInfo(labels).mul(0));
    };
    tf.unregisterKernel('OneHot', 'tensorflow');
    tf.registerKernel({ ...right, kernelFunc: wrong });
    const events: TrainEvent[] = [];
    const run = async () => {
      const model = lenet({ norm: 'none', seed: 1 });
      for await (const event of train({ model, data: small, epochs: 1, seed: 1, mode })) events.push(event);
    };
    await expect(
      run().finally(() => {
        tf.unregisterKernel('OneHot', 'tensorflow');
        tf.registerKernel(right);
      }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Cannot go on training: expected a loss of 0\.6\d\d or more at a train accuracy of 0\.\d{3}, as each wrong example costs ln 2 or more, got -?0\.000 in epoch 1: the native backend computes wrongly$/,
      ) as string,
      hint: 'to see which of its operations are wrong: bn-train verify --backend native',
      exitCode: 1,
    });
    expect(events.at(-1)?.type).toBe('step');
  });

  it.each(modes)('leaves no tensors behind but the model’s: %s', async (mode) => {
    const model = lenet({ norm: 'scratch', seed: 1 });
    const before = tf.memory().numTensors;
    await collect('scratch', { model, mode });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('Trainer', () => {
  it.each(modes)('leaves frozen layers as they are: %s', async (mode) => {
    const model = lenet({ norm: 'scratch', seed: 1 });
    const frozen = model.layers.find((layer) => layer instanceof BatchNorm) as BatchNorm;
    frozen.trainable = false;
    const before = frozen.getWeights().map((weight) => weight.dataSync());
    const trainer = await open(model, mode);
    trainer.step([Int32Array.from({ length: 256 }, (_, i) => i)]);
    expect(frozen.getWeights().map((weight) => weight.dataSync())).toEqual(before);
    trainer.dispose();
  });
});

describe('regularization', () => {
  const [STRENGTH, RATE] = [0.05, 0.5];
  const [kernelRegularizer, biasRegularizer] = [
    tf.regularizers.l2({ l2: STRENGTH }),
    tf.regularizers.l1({ l1: STRENGTH }),
  ];
  const regularized = (with_: boolean) =>
    tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [28, 28, 1] }),
        tf.layers.dense({
          units: 16,
          activation: 'sigmoid',
          kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
          ...(with_ && { kernelRegularizer }),
        }),
        new BatchNorm({}),
        tf.layers.dense({
          units: 10,
          kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
          biasInitializer: tf.initializers.constant({ value: 0.1 }),
          ...(with_ && { kernelRegularizer, biasRegularizer }),
        }),
      ],
    });
  const rows = Int32Array.from({ length: 256 }, (_, i) => i);
  const valuesOf = (model: tf.Sequential) => model.weights.map((weight) => [...weight.read().dataSync<'float32'>()]);

  async function stepOf(with_: boolean, mode: Mode) {
    const model = regularized(with_);
    const before = valuesOf(model);
    const trainer = await open(model, mode, RATE);
    const [result] = trainer.step([rows]);
    trainer.dispose();
    return { result, before, after: valuesOf(model) };
  }

  it.each(modes)('moves the weights by its own gradient, and leaves the loss that is told alone: %s', async (mode) => {
    const [plain, moved] = [await stepOf(false, mode), await stepOf(true, mode)];
    expect(moved.result).toEqual(plain.result);
    // SGD by hand: the gradient of l2·Σw² is 2·l2·w, that of l1·Σ|w| is l1·sign(w).
    const extra = new Map([
      ['dense_kernel_1', (w: number) => 2 * STRENGTH * w],
      ['dense_kernel_2', (w: number) => 2 * STRENGTH * w],
      ['dense_bias_2', (w: number) => STRENGTH * Math.sign(w)],
    ]);
    const names = regularized(true).weights.map(({ shape }) => shape.join('×'));
    const gradients = names.map((shape) =>
      extra.get({ '784×16': 'dense_kernel_1', '16×10': 'dense_kernel_2', '10': 'dense_bias_2' }[shape] ?? ''),
    );
    expect(gradients.filter((gradient) => gradient !== undefined)).toHaveLength(3);
    for (const [i, before] of moved.before.entries())
      for (const [j, w] of before.entries()) {
        const expected = (plain.after[i]?.[j] ?? NaN) - RATE * (gradients[i]?.(w) ?? 0);
        expect(Math.abs((moved.after[i]?.[j] ?? NaN) - expected)).toBeLessThan(1e-6);
      }
  });

  it('is the same compiled and op by op', async () => {
    const [graph, eager] = [await stepOf(true, 'graph'), await stepOf(true, 'eager')];
    expect(graph.result?.correct).toBe(eager.result?.correct);
    for (const [i, values] of graph.after.entries())
      for (const [j, value] of values.entries())
        expect(Math.abs(value - (eager.after[i]?.[j] ?? NaN))).toBeLessThan(1e-6);
  });
});

describe('DeviceDataset', () => {
  it('gives the rows asked for, scaled to [0, 1]', () => {
    const { x, labels } = new DeviceDataset(small.train).take(tf.tensor1d([3, 999], 'int32'));
    const pixels = [3, 999].flatMap((row) => [...small.train.images.subarray(row * 784, (row + 1) * 784)]);
    expect(x.shape).toEqual([2, 28, 28, 1]);
    expect([...x.dataSync()]).toEqual(pixels.map((pixel) => Math.fround(pixel / 255)));
    expect([...labels.dataSync()]).toEqual([small.train.labels[3], small.train.labels[999]]);
  });
});

describe('population statistics', () => {
  it('are the mean and variance of all values a layer sees, whatever the batches’ sizes', async () => {
    const model = tf.sequential({ layers: [new BatchNorm({ inputShape: [3] })] });
    const x = tf.randomNormal<tf.Rank.R2>([10, 3], 5, 2, 'float32', 1);
    async function* parts() {
      await Promise.resolve();
      yield x.slice([0, 0], [6, 3]);
      yield x.slice([6, 0], [4, 3]);
    }
    const [statistics] = await populationStatistics(model, parts());
    const { mean, variance } = tf.moments(x, 0);
    for (const [i, value] of mean.dataSync().entries()) expect(statistics?.mean[i]).toBeCloseTo(value, 5);
    for (const [i, value] of variance.dataSync().entries()) expect(statistics?.variance[i]).toBeCloseTo(value, 4);
  });

  it.each(
    firstOf(
      (['scratch', 'builtin'] as const).flatMap((norm) => modes.map((mode) => [norm, mode] as const)),
      2,
    ),
  )('leave the model as it was: %s, %s', async (norm, mode) => {
    const model = lenet({ norm, seed: 1 });
    const weights = () => model.getWeights().map((weight) => weight.dataSync());
    const [trainer, before] = [await open(model, mode), weights()];
    const moving = await accuracy(trainer);
    expect((await populationAccuracy(trainer, 1000)).testAccuracyPopulation).toBeGreaterThan(0);
    expect(weights()).toEqual(before);
    expect(await accuracy(trainer)).toBe(moving);
    trainer.dispose();
  });

  it('are the same compiled and op by op', async () => {
    const accuracies = modes.map(async (mode) =>
      populationAccuracy(await open(lenet({ norm: 'scratch', seed: 1 }), mode), 1000),
    );
    const [graph, eager] = await Promise.all(accuracies);
    expect(graph).toEqual(eager);
  });

  it('are put back even when the work with them fails', async () => {
    const model = tf.sequential({ layers: [new BatchNorm({ inputShape: [1] })] });
    const layer = model.layers[0] as tf.layers.Layer;
    const failing = withStatistics([{ layer, mean: Float32Array.of(7), variance: Float32Array.of(9) }], () => {
      expect(layer.getWeights().map((weight) => weight.dataSync()[0])).toEqual([1, 0, 7, 9]);
      return Promise.reject(new Error('on purpose'));
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(layer.getWeights().map((weight) => weight.dataSync()[0])).toEqual([1, 0, 0, 1]);
  });

  const NONE = { testAccuracyPopulation: null, populationImages: null };
  const populationOf = (events: TrainEvent[]) =>
    events
      .filter((event) => event.type === 'epoch' || event.type === 'end')
      .map(({ testAccuracyPopulation, populationImages }) => ({ testAccuracyPopulation, populationImages }));

  it.each(modes)('are not there, and no time is spent on them, without batch normalization: %s', async (mode) => {
    const trainer = await open(lenet({ norm: 'none', seed: 1 }), mode);
    expect(await populationAccuracy(trainer, 1000)).toEqual(NONE);
    trainer.dispose();
    const events = await collect('none', { epochs: 1, mode });
    expect(populationOf(events)).toEqual([NONE, NONE]);
    expect(events.filter(({ type }) => type === 'evaluate')).toEqual([{ type: 'evaluate', of: 'test' }]);
  });

  it('are left out where they are not asked for, and change nothing that is trained', async () => {
    const without = await collect('scratch', { mode: 'graph', population: false });
    expect(populationOf(without)).toEqual([NONE, NONE, NONE]);
    expect(without.filter(({ type }) => type === 'evaluate')).toHaveLength(2);
    const all = await collectOnce('scratch', { mode: 'graph' });
    const trained = (events: TrainEvent[]) => epochsOf(events).map((epoch) => timeless({ ...epoch, ...NONE }));
    expect(trained(without)).toEqual(trained(all));
  });

  it.each([
    { training: 1000, batchSize: 50, images: 500 },
    { training: 1000, batchSize: 256, images: 768 },
    { training: 1000, batchSize: 1000, images: 1000 },
    { training: 1000, batchSize: 2000, images: 1000 },
  ])(
    'of an epoch are over $images images of $training in batches of $batchSize, the run’s over all',
    async ({ training, batchSize, images }) => {
      expect(imagesOfEpoch({ trainCount: training, batchSize })).toBe(images);
      const [epoch, end] = populationOf(await collect('scratch', { epochs: 1, batchSize, mode: 'eager' }));
      expect([epoch?.populationImages, end?.populationImages]).toEqual([images, training]);
    },
  );

  it.each(firstOf(modes, 1))('of an epoch are those of its own weights and first images: %s', async (mode) => {
    const model = lenet({ norm: 'scratch', seed: 1 });
    for await (const event of train({ model, data: small, epochs: 2, batchSize: 64, seed: 1, mode })) {
      if (event.type !== 'epoch') continue;
      const images = new DeviceDataset(small.train);
      async function* batchesInOrder() {
        for (let first = 0; first < 640; first += 64) {
          const rows = tf.range(first, first + 64, 1, 'int32');
          yield await Promise.resolve(images.take(rows).x);
        }
      }
      const statistics = await populationStatistics(model, batchesInOrder());
      const { x, labels } = new DeviceDataset(small.test).take(tf.range(0, 300, 1, 'int32'));
      const right = await withStatistics(statistics, async () => {
        const predicted = (model.predict(x) as tf.Tensor).argMax(-1);
        return predicted.equal(labels).sum().data();
      });
      // An image whose two best classes are within rounding may go to either.
      expect(Math.abs((event.testAccuracyPopulation ?? NaN) - (right[0] ?? NaN) / 300)).toBeLessThan(1 / 299);
      expect(event.populationImages).toBe(640);
    }
  });

  it.runIf(ALL)(
    'of an epoch take a quarter of its time at most, with the evaluation by the moving average',
    async () => {
      const shares: number[] = [];
      let started = 0;
      for await (const event of train({ model: lenet({ norm: 'scratch', seed: 1 }), data: real, epochs: 5, seed: 1 })) {
        if (event.type === 'evaluate') started = performance.now();
        if (event.type !== 'epoch') continue;
        const seconds = (performance.now() - started) / 1000;
        shares.push(seconds / (seconds + event.seconds));
      }
      expect(shares.sort((a, b) => a - b)[2]).toBeLessThan(0.25);
    },
  );

  it('are given up at a signal during an epoch’s, with the model’s own statistics back in it', async () => {
    const model = lenet({ norm: 'scratch', seed: 1 });
    const [run, events] = [new AbortController(), [] as TrainEvent[]];
    const moving = () =>
      model.weights.filter(({ name }) => name.includes('moving')).map((w) => [...w.read().dataSync()]);
    let before: number[][] = [];
    for await (const event of train({ model, data: small, epochs: 2, seed: 1, signal: run.signal })) {
      events.push(event);
      if (event.type !== 'evaluate') continue;
      before = moving();
      const own = JSON.stringify(before);
      const watch = () => {
        if (JSON.stringify(moving()) !== own) run.abort();
        else if (events.at(-1)?.type === 'evaluate') setImmediate(watch);
      };
      watch();
    }
    expect(events.at(-1)).toMatchObject({ type: 'interrupted', position: { epoch: 1, batch: 4 } });
    expect(moving()).toEqual(before);
  });
});

import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { batches, shuffledOrder } from '../../src/data/batches.js';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { lenet } from '../../src/nn/lenet.js';
import { withStatistics } from '../../src/nn/population.js';
import { populationStatistics } from '../../src/nn/recalibrate.js';
import { runTrial } from '../../src/study/runTrial.js';
import { TrialData } from '../../src/study/trialData.js';
import { isActivation, kernelLayers, kernelOf, trialModel } from '../../src/study/trialModel.js';
import type { Trial, TrialModel, TrialRecord } from '../../src/study/trial.js';
import { train } from '../../src/train/loop.js';
import { ALL, firstOf } from '../support/amount.js';
import { timeless } from '../support/timeless.js';

const real = await loadFashionMnist();
const first = (set: typeof real.train, count: number) => ({
  ...set,
  count,
  images: set.images.subarray(0, count * set.height * set.width),
  labels: set.labels.subarray(0, count),
});
const sets = { train: first(real.train, 2000), test: first(real.test, 600), classes: 10 };
const data = new TrialData(sets);
afterAll(() => data.dispose());

const BATCH: TrialModel = { kind: 'lenet', norm: 'batch' };
const BUILTIN: TrialModel = { kind: 'lenet', norm: 'builtin' };
const NONE: TrialModel = { kind: 'lenet', norm: 'none' };
const base: Trial = { model: BATCH, learningRate: 0.1, batchSize: 64, examples: 200, epochs: 1, seed: 5, watch: [] };
const run = (more: Partial<Trial> = {}, with_: Partial<Parameters<typeof runTrial>[1]> = {}) =>
  runTrial({ ...base, ...more }, { data, ...with_ });

const unused = { uniform: () => tf.zeros([]), normal: () => tf.zeros([]) };
const build = (model: TrialModel, seed = base.seed) =>
  trialModel(model, seed, { height: 28, width: 28, classes: 10 }, unused);
function batchOf(set: typeof sets.train, rows: Iterable<number>) {
  const size = set.height * set.width;
  const list = [...rows];
  const pixels = list.flatMap((row) => [...set.images.subarray(row * size, (row + 1) * size)]);
  const x = tf.tensor(pixels, [list.length, set.height, set.width, 1]).div<tf.Tensor4D>(255);
  return {
    x,
    labels: tf.tensor1d(
      list.map((row) => set.labels[row] ?? 0),
      'int32',
    ),
  };
}
const frobenius = (tensor: tf.Tensor) =>
  Math.sqrt([...tensor.dataSync()].reduce((sum, value) => sum + value * value, 0));
const crossEntropy = (logits: tf.Tensor, labels: tf.Tensor1D) =>
  tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(tf.oneHot(labels, 10, 1, 0, 'float32'), logits);
const ratio = (a = NaN, b = NaN) => Math.abs(a / b - 1);
/** Rounded sums of some hundred terms in float32. */
const CLOSE = 1e-4;

describe('a trial', () => {
  it('trains as a run of that recipe does', async () => {
    const record = await run({ examples: 600, batchSize: 256, watch: ['epochs'], learningRate: 1 });
    const model = lenet({ norm: 'scratch', seed: 5 });
    const own = { train: first(real.train, 600), test: sets.test };
    const recipe = { model, data: own, epochs: 1, batchSize: 256, seed: 5, mode: 'graph', population: false } as const;
    for await (const event of train(recipe))
      if (event.type === 'epoch') {
        const sizes = [256, 256, 88];
        const mean = (values: number[]) => values.reduce((sum, value, i) => sum + (value * (sizes[i] ?? 0)) / 600, 0);
        expect(mean(record.losses)).toBeCloseTo(event.loss, 5);
        expect(mean(record.accuracies)).toBeCloseTo(event.trainAccuracy, 5);
        expect(record.epochs[0]?.test.accuracy).toBe(event.testAccuracy);
      }
    expect(record).toMatchObject({ outcome: 'finished', losses: { length: 3 }, epochs: { length: 1 } });
    model.dispose();
  });

  it('is the same every time: after others of its shape, compiled anew, whatever is watched', async () => {
    const watched = { watch: ['epochs', 'images'] as Trial['watch'] };
    const once = await run(watched);
    expect(timeless(await run({ ...watched, seed: 6 }))).not.toEqual(timeless(once));
    expect(timeless(await run(watched))).toEqual(timeless(once));
    const others = new TrialData(sets);
    expect(timeless(await run(watched, { data: others }))).toEqual(timeless(once));
    others.dispose();
  });

  it.runIf(ALL)('is the same whatever is watched', async () => {
    const once = await run();
    const all = await run({
      watch: ['epochs', 'images', 'momenta', 'instability', 'gradients', 'norms', 'training-set'],
    });
    // Other graphs may add up in another order.
    for (const [i, loss] of once.losses.entries()) expect(ratio(all.losses[i], loss)).toBeLessThan(CLOSE);
  });

  it.runIf(ALL)('gives the same fused', async () => {
    for (const model of [BATCH, NONE, { kind: 'lenet', norm: 'noisy' }] as const) {
      const [graph, fused] = [await run({ model }), await run({ model }, { mode: 'fused' })];
      expect([graph.mode, fused.mode]).toEqual(['graph', 'fused']);
      for (const [i, loss] of graph.losses.entries()) expect(ratio(fused.losses[i], loss)).toBeLessThan(CLOSE);
    }
  });

  it.runIf(ALL)('gives the same op by op', async () => {
    for (const model of [BATCH, { kind: 'lenet', norm: 'noisy' }, { kind: 'lenet', norm: 'group' }] as const) {
      const [graph, eager] = [
        await run({ model, examples: 130 }),
        await run({ model, examples: 130 }, { mode: 'eager' }),
      ];
      for (const [i, loss] of eager.losses.entries()) expect(ratio(graph.losses[i], loss)).toBeLessThan(CLOSE);
    }
  });

  it('starts from the same weights whatever the norm', () => {
    const kernels = (['none', 'batch', 'builtin', 'noisy', 'group'] as const).map((norm) => {
      const model = build({ kind: 'lenet', norm });
      const values = kernelLayers(model).map((layer) => [...kernelOf(layer).dataSync()]);
      model.dispose();
      return values;
    });
    for (const others of kernels.slice(1)) expect(others).toEqual(kernels[0]);
  });

  it('that diverges is a result, of the steps before', async () => {
    const record = await run({
      model: { kind: 'mlp', depth: 3, width: 32, activation: 'relu', norm: 'none' },
      learningRate: 1e6,
      epochs: 3,
      watch: ['epochs', 'norms', 'images'],
    });
    expect(record.outcome).toBe('diverged');
    expect(record.losses.length).toBeGreaterThan(0);
    expect(record.losses.length).toBeLessThan(12);
    expect(record.norms).toHaveLength(record.losses.length);
    expect(record.images).toBeUndefined();
    expect(JSON.stringify(record)).not.toContain('null');
  });

  it('ends when its signal is aborted, and the next one is none the worse', async () => {
    const before = await run();
    const controller = new AbortController();
    const ending = run({}, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(ending).rejects.toThrow('enough');
    expect(timeless(await run())).toEqual(timeless(before));
  });

  it('of batches that cannot be normalized is refused', async () => {
    await expect(run({ examples: 129 })).rejects.toThrow('expected at least 2 examples in every batch');
  });

  it.runIf(ALL)('leaves no tensors behind', async () => {
    const own = new TrialData(sets);
    const count = () => tf.memory().numTensors;
    const watch: Trial['watch'] = ['epochs', 'images', 'momenta', 'gradients'];
    await run({ watch }, { data: own });
    const before = count();
    for (const seed of [1, 2]) await run({ watch, seed }, { data: own });
    expect(count()).toBe(before);
    own.dispose();
    const empty = count();
    const another = new TrialData(sets);
    for (let width = 4; width < 12; width++)
      await run({ model: { kind: 'mlp', depth: 1, width, activation: 'relu', norm: 'batch' } }, { data: another });
    another.dispose();
    expect(count()).toBe(empty);
  });
});

/** The first steps as plain tfjs has them, with what is to be watched at each. */
function byHand(model: tf.Sequential, { seed, examples, batchSize, learningRate }: Trial) {
  const inputs = model.layers.filter(isActivation).map((layer) => layer.input as tf.SymbolicTensor);
  const seen = tf.model({ inputs: model.inputs, outputs: [...inputs, ...model.outputs] });
  const kernels = kernelLayers(model).slice(0, -1).map(kernelOf);
  const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  return [...batches(shuffledOrder(examples, seed, 1), batchSize)].map((rows) => {
    const { x, labels } = batchOf(sets.train, rows);
    let moments: { mean: tf.Tensor; variance: tf.Tensor }[] = [];
    const { value, grads } = tf.variableGrads(() => {
      const outputs = seen.apply(x, { training: true }) as tf.Tensor[];
      moments = outputs.slice(0, -1).map((input) => {
        const found = tf.moments(input, [...input.shape.keys()].slice(0, -1));
        return { mean: tf.keep(found.mean), variance: tf.keep(found.variance) };
      });
      return crossEntropy(outputs.at(-1) as tf.Tensor, labels);
    }, trainable);
    const all = (tensors: tf.Tensor[]) => Math.hypot(...tensors.map(frobenius));
    const step = {
      loss: value.dataSync()[0] ?? NaN,
      weight: all(kernels),
      gradient: all(kernels.map(({ name }) => grads[name] as tf.Tensor)),
      mean: moments.flatMap(({ mean }) => [...mean.dataSync()]),
      deviation: moments.flatMap(({ variance }) => [...variance.sqrt().dataSync()]),
    };
    for (const variable of trainable)
      variable.assign(variable.sub((grads[variable.name] as tf.Tensor).mul(learningRate)));
    return step;
  });
}

describe('what is watched step by step', () => {
  it.each(firstOf([{ model: BATCH }, { model: NONE }, { model: BUILTIN }], 1))(
    'is what plain tfjs gives: $model.norm',
    async ({ model }) => {
      const record = await run({ model, watch: ['instability', 'norms'] });
      const network = build(model);
      const steps = byHand(network, base);
      network.dispose();
      expect(record.losses).toHaveLength(steps.length);
      for (const [i, step] of steps.entries()) {
        expect(ratio(record.losses[i], step.loss)).toBeLessThan(CLOSE);
        expect(ratio(record.norms?.[i]?.weight, step.weight)).toBeLessThan(CLOSE);
        expect(ratio(record.norms?.[i]?.gradient, step.gradient)).toBeLessThan(10 * CLOSE);
      }
      const apart = (a: number[], b: number[]) => a.reduce((sum, value, c) => sum + Math.abs(value - (b[c] ?? NaN)), 0);
      for (const [i, step] of steps.slice(1).entries()) {
        const before = steps[i] as typeof step;
        const moved = (apart(step.mean, before.mean) + apart(step.deviation, before.deviation)) / step.mean.length;
        // A difference of moments that are close to each other.
        expect(ratio(record.instability?.[i], moved)).toBeLessThan(100 * CLOSE);
      }
    },
  );

  it.runIf(ALL)(
    'has batch normalization keep gradients at right angles to the kernels, so that those can only grow',
    async () => {
      const grows = ({ norms = [] }: TrialRecord) =>
        norms.slice(1).map(({ weight }, i) => {
          const { weight: before = NaN, gradient = NaN } = norms[i] ?? {};
          return ratio(weight ** 2, before ** 2 + 4 * gradient ** 2);
        });
      const [batch, none] = [
        await run({ watch: ['norms'], learningRate: 2 }),
        await run({ model: NONE, watch: ['norms'], learningRate: 2 }),
      ];
      expect(Math.max(...grows(batch))).toBeLessThan(CLOSE);
      expect(Math.max(...grows(none))).toBeGreaterThan(10 * CLOSE);
    },
  );

  it.runIf(ALL)('sees noise move what batch normalization holds still', async () => {
    const mean = async (norm: 'batch' | 'noisy') => {
      const { instability = [] } = await run({ model: { kind: 'lenet', norm }, watch: ['instability'] });
      return instability.reduce((sum, value) => sum + value, 0) / instability.length;
    };
    expect(await mean('noisy')).toBeGreaterThan(3 * (await mean('batch')));
  });
});

describe('gradients', () => {
  const DEEP = { kind: 'mlp', depth: 4, width: 16, activation: 'sigmoid', norm: 'none' } as const;

  it.each(firstOf([{ model: BATCH }, { model: DEEP }, { model: NONE }], 2))(
    'are those that plain tfjs gives, layer by layer: $model.kind $model.norm',
    async ({ model }) => {
      const { gradients } = await run({ model, epochs: 0, watch: ['gradients'] });
      const network = build(model);
      const rows = shuffledOrder(base.examples, base.seed, 1).subarray(0, base.batchSize);
      const { x, labels } = batchOf(sets.train, rows);
      const kernels = kernelLayers(network).map(kernelOf);
      let logits = tf.zeros([1]);
      const { grads } = tf.variableGrads(() => {
        logits = tf.keep(network.apply(x, { training: true }) as tf.Tensor);
        return crossEntropy(logits, labels);
      }, kernels);
      // By the formula: (softmax − one-hot) / batch, and that times the last kernel for the layer before.
      const last = tf
        .softmax(logits as tf.Tensor2D)
        .sub(tf.oneHot(labels, 10))
        .div<tf.Tensor2D>(base.batchSize);
      const before = last.matMul(kernels.at(-1) as tf.Tensor2D, false, true);
      network.dispose();
      expect(gradients).toMatchObject([{ step: 0, layers: { length: kernels.length } }]);
      const layers = gradients?.[0]?.layers ?? [];
      expect(layers.map(({ layer }) => layer)).toEqual(kernels.map((_, i) => i + 1));
      for (const [i, kernel] of kernels.entries()) {
        expect(ratio(layers[i]?.weightGradient, frobenius(grads[kernel.name] as tf.Tensor))).toBeLessThan(CLOSE);
      }
      expect(ratio(layers.at(-1)?.outputGradient, frobenius(last))).toBeLessThan(CLOSE);
      expect(ratio(layers.at(-2)?.outputGradient, frobenius(before))).toBeLessThan(CLOSE);
    },
  );

  it.runIf(ALL)('are taken before the steps 0, 1 and 10, and change nothing', async () => {
    const more = { batchSize: 16, watch: ['gradients', 'epochs'] as Trial['watch'] };
    const record = await run(more);
    expect(record.gradients?.map(({ step }) => step)).toEqual([0, 1, 10]);
    const plain = await run({ ...more, watch: ['epochs'] });
    // Steps run one by one or many by one call round differently.
    for (const [i, loss] of plain.losses.entries()) expect(ratio(record.losses[i], loss)).toBeLessThan(CLOSE);
    expect(ratio(record.epochs[0]?.test.loss, plain.epochs[0]?.test.loss)).toBeLessThan(CLOSE);
  });

  it.runIf(ALL)('are there for those of these steps that there are', async () => {
    expect((await run({ watch: ['gradients'] })).gradients?.map(({ step }) => step)).toEqual([0, 1]);
  });

  it.runIf(ALL)('are of the size that float32 squared does not have, deep down', async () => {
    const model = { kind: 'mlp', depth: 40, width: 8, activation: 'sigmoid', norm: 'none' } as const;
    const { gradients } = await run({ model, epochs: 0, watch: ['gradients'] });
    const first = gradients?.[0]?.layers[0]?.weightGradient;
    expect(first).toBeLessThan(1e-20);
    expect(first).toBeGreaterThan(0);
  });
});

describe('evaluations', () => {
  const score = (logits: tf.Tensor, labels: tf.Tensor1D) => ({
    loss: crossEntropy(logits, labels).dataSync()[0] ?? NaN,
    right: [...logits.argMax(-1).equal(labels).dataSync()],
  });

  it('are what the model itself gives by moving, population and batch statistics, and leave it as it is', async () => {
    const trial: Trial = {
      ...base,
      learningRate: 1e-12,
      examples: 600,
      watch: ['epochs', 'images', 'training-set', 'momenta'],
    };
    const record = await runTrial(trial, { data });
    // At this learning rate the weights stay what they were; the moving averages do not.
    const model = build(BATCH);
    for (const rows of batches(shuffledOrder(600, 5, 1), 64))
      tf.tidy(() => void model.apply(batchOf(sets.train, rows).x, { training: true }));
    const test = batchOf(sets.test, sets.test.labels.keys());
    const trained = batchOf(sets.train, Array(600).keys());
    const moving = score(model.apply(test.x) as tf.Tensor, test.labels);
    // eslint-disable-next-line @typescript-eslint/require-await -- populationStatistics takes what comes asynchronously
    async function* whole() {
      for (const rows of [...batches(Int32Array.from(Array(600).keys()), 256)].slice(0, 2))
        yield batchOf(sets.train, rows).x;
    }
    const statistics = await populationStatistics(model, whole());
    const [population, ofTraining] = await withStatistics(statistics, () =>
      Promise.resolve([
        score(model.apply(test.x) as tf.Tensor, test.labels),
        score(model.apply(trained.x) as tf.Tensor, trained.labels),
      ] as const),
    );
    const byBatch = [0, 250, 500].map((start) => {
      const { x, labels } = batchOf(
        sets.test,
        Array.from({ length: Math.min(250, 600 - start) }, (_, i) => start + i),
      );
      return score(model.apply(x, { training: true }) as tf.Tensor, labels);
    });
    model.dispose();
    const share = (right: number[]) => right.reduce((sum, one) => sum + one, 0) / right.length;
    const [epoch] = record.epochs;
    const expectScore = (got: { accuracy: number; loss: number } | undefined, { loss, right }: typeof moving) => {
      expect(ratio(got?.loss, loss)).toBeLessThan(CLOSE);
      // An image in a hundred may stand between two classes.
      expect(Math.abs((got?.accuracy ?? NaN) - share(right))).toBeLessThan(0.01);
    };
    expectScore(epoch?.test, moving);
    expectScore(epoch?.testPopulation, population);
    expectScore(epoch?.trainingSet, ofTraining);
    const weights = [250, 250, 100];
    const mean = byBatch.reduce((sum, { loss }, i) => sum + (loss * (weights[i] ?? 0)) / 600, 0);
    expectScore(epoch?.testBatch, { loss: mean, right: byBatch.flatMap(({ right }) => right) });
    const different = population.right.filter((one, i) => `${one}` !== record.images?.[i]);
    expect(record.images).toMatch(/^[01]{600}$/);
    expect(different.length).toBeLessThan(6);
    // The layer's own momentum, replayed, is the layer itself.
    const own = epoch?.momenta?.find(({ momentum }) => momentum === 0.9);
    expect(Math.abs((own?.accuracy ?? NaN) - (epoch?.test.accuracy ?? NaN))).toBeLessThan(0.005);
    expect(epoch?.momenta?.map(({ momentum }) => momentum)).toEqual([
      0.5,
      0.8,
      0.9,
      0.95,
      0.98,
      0.99,
      0.999,
      0.9 ** 0.25,
    ]);
  });

  it.runIf(ALL)('come after every few epochs where that is asked for, and after the last one', async () => {
    const record = await run({ examples: 64, epochs: 5, watchEvery: 2, watch: ['epochs'] });
    const each = await run({ examples: 64, epochs: 5, watch: ['epochs'] });
    expect(record.epochs).toEqual([1, 3, 4].map((i) => each.epochs[i]));
  });

  it.runIf(ALL)('have no statistics where there is no batch normalization', async () => {
    for (const norm of ['none', 'group'] as const) {
      const { epochs } = await run({ model: { kind: 'lenet', norm }, watch: ['epochs', 'training-set'] });
      expect(Object.keys(epochs[0] ?? {})).toEqual(['test', 'trainingSet']);
    }
  });
});

describe("the weights' scale", () => {
  const scaled = (model: TrialModel, weightScale: number) => run({ model, weightScale, watch: ['gradients'] });
  const apart = (a: TrialRecord, b: TrialRecord) =>
    Math.max(...a.losses.map((loss, i) => Math.abs(loss - (b.losses[i] ?? NaN))));

  it('is the learning rate in disguise under batch normalization', async () => {
    const [one, ten] = [await scaled(BATCH, 1), await scaled(BATCH, 10)];
    // ε is not rescaled.
    expect(apart(one, ten)).toBeLessThan(1e-3);
    const [before, after] = [one, ten].map(({ gradients }) => gradients?.[0]?.layers.slice(0, -1) ?? []);
    for (const [i, layer] of (before ?? []).entries()) {
      expect(ratio(after?.[i]?.weight, 10 * layer.weight)).toBeLessThan(CLOSE);
      expect(ratio(10 * (after?.[i]?.weightGradient ?? NaN), layer.weightGradient)).toBeLessThan(10 * CLOSE);
      expect(ratio(after?.[i]?.outputGradient, layer.outputGradient)).toBeLessThan(10 * CLOSE);
    }
  });

  it('is another network without', async () => {
    const [one, ten] = [await scaled(NONE, 1), await scaled(NONE, 10)];
    expect(apart(one, ten)).toBeGreaterThan(0.1);
  });
});

/** Every loss, metric, optimizer, activation, constraint and regularizer of tfjs, ten steps op by op and compiled. */
import '../support/native.js';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { expectSameTraining, minimizing, normal, type Training } from './training.js';

const BATCH = 8;
const CLASSES = 3;
const weights = () => tf.variable(normal([4, CLASSES], 1).mul(0.5));
const x = (step: number) => normal<tf.Rank.R2>([BATCH, 4], step);

const oneHot = (step: number) => tf.oneHot(labels(step), CLASSES).toFloat();
const labels = (step: number) => tf.randomUniform([BATCH], 0, CLASSES, 'float32', step).floor().toInt() as tf.Tensor1D;
const signs = (step: number) => oneHot(step).mul(2).sub(1);
const reals = (step: number) => normal([BATCH, CLASSES], 100 + step);
const probabilities = (step: number) => reals(step).softmax();

type Target = (step: number) => tf.Tensor;
type Objective = (y: tf.Tensor, scores: tf.Tensor) => tf.Tensor;

function trainingWith(target: Target, objective: Objective, optimizer = tf.train.sgd(0.05)): Training {
  const kernel = weights();
  return minimizing(
    ((given: tf.Tensor2D, y: tf.Tensor) => objective(y, given.matMul(kernel as tf.Tensor2D)).mean()) as never,
    { variables: [kernel], inputs: (step) => [x(step), target(step)], optimizer },
  );
}

/** The names in an object literal of the layers package, which does not export it. */
function namesIn(file: string, pattern: RegExp): string[] {
  const text = readFileSync(createRequire(import.meta.url).resolve(`@tensorflow/tfjs-layers/dist/${file}`), 'utf8');
  return Array.from(text.matchAll(pattern), ([, names]) =>
    (names as string).split(',').map((name) => name.trim()),
  ).flat();
}

const sorted = (names: Iterable<string>) => [...names].sort();

describe('a loss', () => {
  const { losses } = tf;
  const cases: Record<string, [Target, Objective]> = {
    absoluteDifference: [reals, losses.absoluteDifference],
    computeWeightedLoss: [reals, (y, scores) => losses.computeWeightedLoss(y.sub(scores).square(), y.abs())],
    cosineDistance: [reals, (y, scores) => losses.cosineDistance(y, scores, 1)],
    hingeLoss: [oneHot, losses.hingeLoss],
    huberLoss: [reals, losses.huberLoss],
    logLoss: [oneHot, (y, scores) => losses.logLoss(y, scores.sigmoid())],
    meanSquaredError: [reals, losses.meanSquaredError],
    sigmoidCrossEntropy: [oneHot, (y, scores) => losses.sigmoidCrossEntropy(y, scores, undefined, 0.1)],
    softmaxCrossEntropy: [oneHot, (y, scores) => losses.softmaxCrossEntropy(y, scores, undefined, 0.1)],
  };

  it('of tf.losses is listed', () => expect(sorted(Object.keys(cases))).toEqual(sorted(Object.keys(losses))));
  it.each(Object.entries(cases))('%s', (_, given) => expectSameTraining(trainingWith(...given)));
});

describe("a model's loss by name", () => {
  const likely: Objective = (_, scores) => scores.softmax();
  const plain: Objective = (_, scores) => scores;
  const cases: Record<string, [Target, Objective]> = {
    binaryCrossentropy: [oneHot, likely],
    categoricalCrossentropy: [oneHot, likely],
    categoricalHinge: [signs, plain],
    cosineProximity: [reals, plain],
    hinge: [signs, plain],
    kullbackLeiblerDivergence: [probabilities, likely],
    logcosh: [reals, plain],
    meanAbsoluteError: [reals, plain],
    meanAbsolutePercentageError: [(step) => reals(step).abs().add(1), plain],
    meanSquaredError: [reals, plain],
    meanSquaredLogarithmicError: [probabilities, likely],
    poisson: [probabilities, likely],
    sparseCategoricalCrossentropy: [(step) => labels(step).toFloat(), likely],
    squaredHinge: [signs, plain],
  };

  it('is listed', () =>
    expect(sorted(Object.keys(cases))).toEqual(sorted(namesIn('losses.js', /lossesMap = {([^}]*)}/g))));

  it.each(Object.entries(cases))('%s', async (name, [target, activation]) => {
    const inputs = tf.input({ shape: [1] });
    const model = tf.model({ inputs, outputs: inputs });
    model.compile({ loss: name, optimizer: 'sgd' });
    const loss = model.lossFunctions[0] as unknown as Objective;
    await expectSameTraining(trainingWith(target, (y, scores) => loss(y, activation(y, scores))));
  });
});

describe('a metric', () => {
  const { metrics } = tf;
  const likely =
    (metric: Objective): Objective =>
    (y, scores) =>
      metric(y, scores.softmax());
  const binary =
    (metric: Objective): Objective =>
    (y, scores) =>
      metric(y, scores.sigmoid());
  const cases: Record<string, [Target, Objective]> = {
    MAPE: [reals, metrics.MAPE],
    MSE: [reals, metrics.MSE],
    binaryAccuracy: [oneHot, binary(metrics.binaryAccuracy)],
    binaryCrossentropy: [oneHot, binary(metrics.binaryCrossentropy)],
    categoricalAccuracy: [oneHot, likely(metrics.categoricalAccuracy)],
    categoricalCrossentropy: [oneHot, likely(metrics.categoricalCrossentropy)],
    cosineProximity: [reals, metrics.cosineProximity],
    mape: [reals, metrics.mape],
    meanAbsoluteError: [reals, metrics.meanAbsoluteError],
    meanAbsolutePercentageError: [reals, metrics.meanAbsolutePercentageError],
    meanSquaredError: [reals, metrics.meanSquaredError],
    mse: [reals, metrics.mse],
    precision: [oneHot, (y, scores) => metrics.precision(y, scores.sigmoid().round())],
    r2Score: [reals, metrics.r2Score],
    recall: [oneHot, (y, scores) => metrics.recall(y, scores.sigmoid().round())],
    sparseCategoricalAccuracy: [(step) => labels(step).toFloat(), likely(metrics.sparseCategoricalAccuracy)],
  };

  it('is listed', () => expect(sorted(Object.keys(cases))).toEqual(sorted(Object.keys(metrics))));

  it.each(Object.entries(cases).filter(([name]) => name !== 'binaryAccuracy'))('%s', (_, [target, metric]) =>
    expectSameTraining({
      variables: [],
      step: (y, scores) => [metric(y, scores)],
      inputs: (step) => [target(step), normal([BATCH, CLASSES], 500 + step)],
    }),
  );
});

describe('an optimizer', () => {
  const { train } = tf;
  const cases: Record<string, () => tf.Optimizer> = {
    adadelta: () => train.adadelta(0.05),
    adagrad: () => train.adagrad(0.05),
    adam: () => train.adam(0.01),
    adamax: () => train.adamax(0.01, 0.9, 0.999, 1e-7, 0.1),
    momentum: () => train.momentum(0.05, 0.9),
    'momentum, after Nesterov': () => train.momentum(0.05, 0.9, true),
    rmsprop: () => train.rmsprop(0.01),
    'rmsprop, centered and with momentum': () => train.rmsprop(0.01, 0.9, 0.5, 1e-7, true),
    sgd: () => train.sgd(0.05),
  };

  it('is listed', () => {
    const plain = Object.keys(cases).filter((name) => !name.includes(','));
    const own = Object.getOwnPropertyNames(train).filter(
      (name) => !(name in Function.prototype) && name !== 'prototype',
    );
    expect(sorted(plain)).toEqual(sorted(own));
  });

  it.each(Object.entries(cases))('%s', (_, optimizer) =>
    expectSameTraining(trainingWith(oneHot, tf.losses.softmaxCrossEntropy, optimizer() as tf.SGDOptimizer)),
  );
});

describe('an activation', () => {
  const names = namesIn('activations.js', /className = '(\w+)'/g);

  it('is found', () => expect(names.length).toBeGreaterThanOrEqual(16));

  it.each(names)('%s', (activation) => {
    const layer = tf.layers.activation({ activation: activation as 'relu' });
    return expectSameTraining(
      trainingWith(reals, (y, scores) => tf.losses.meanSquaredError(y, layer.apply(scores) as tf.Tensor)),
    );
  });
});

describe('a constraint and a regularizer', () => {
  const { constraints, regularizers } = tf;
  const kept: Record<string, () => { apply: (w: tf.Tensor) => tf.Tensor }> = {
    maxNorm: () => constraints.maxNorm({ maxValue: 0.5, axis: 0 }),
    minMaxNorm: () => constraints.minMaxNorm({ minValue: 0.2, maxValue: 0.6, axis: 0 }),
    nonNeg: () => constraints.nonNeg(),
    unitNorm: () => constraints.unitNorm({ axis: 0 }),
  };
  const penalties: Record<string, () => { apply: (w: tf.Tensor) => tf.Tensor }> = {
    l1: () => regularizers.l1({ l1: 0.1 }),
    l1l2: () => regularizers.l1l2({ l1: 0.1, l2: 0.1 }),
    l2: () => regularizers.l2({ l2: 0.1 }),
  };

  it('are listed', () => {
    expect(sorted(Object.keys(kept))).toEqual(sorted(Object.keys(constraints)));
    expect(sorted(Object.keys(penalties))).toEqual(sorted(Object.keys(regularizers)));
  });

  it.each(Object.entries(kept))('%s, kept after every step', (_, constraint) => {
    const training = trainingWith(reals, tf.losses.meanSquaredError);
    const [kernel] = training.variables as [tf.Variable];
    const step: Training['step'] = (...inputs) => {
      const outputs = training.step(...inputs);
      kernel.assign(constraint().apply(kernel));
      return outputs;
    };
    return expectSameTraining({ ...training, step });
  });

  it.each(Object.entries(penalties))('%s, added to the loss', (_, penalty) => {
    const kernel = weights() as tf.Variable<tf.Rank.R2>;
    const loss = (given: tf.Tensor2D, y: tf.Tensor) =>
      tf.losses.meanSquaredError(y, given.matMul(kernel)).add(penalty().apply(kernel));
    return expectSameTraining(
      minimizing(loss as never, { variables: [kernel], inputs: (step) => [x(step), reals(step)] }),
    );
  });
});

/** Each rewrite by itself: it fires where it should, computes the same on random shapes and values, and else keeps still. */
import '../support/native.js';
import fc from 'fast-check';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { record, type StepFunction } from '../../src/graph/record/record.js';
import { averagePoolGrad } from '../../src/graph/rewrite/averagePoolGrad.js';
import { convInputGrad } from '../../src/graph/rewrite/convInputGrad.js';
import { rewrite } from '../../src/graph/rewrite/index.js';
import { leakyReluGrad } from '../../src/graph/rewrite/leakyReluGrad.js';
import { matMul } from '../../src/graph/rewrite/matMul.js';
import { packedProducts, productsOfParts } from '../../src/graph/rewrite/productsOfParts.js';
import { reduceRows } from '../../src/graph/rewrite/reduceRows.js';
import { reshapes } from '../../src/graph/rewrite/reshapes.js';
import type { Rule } from '../../src/graph/rewrite/rule.js';
import { sigmoidGrad } from '../../src/graph/rewrite/sigmoidGrad.js';
import { sumOfProducts } from '../../src/graph/rewrite/sumOfProducts.js';
import { wideBroadcast } from '../../src/graph/rewrite/wideBroadcast.js';
import { amount } from '../support/amount.js';
import { compileStep } from '../support/compiled.js';

type Step = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

const listed =
  (step: Step): StepFunction =>
  (...inputs) =>
    [step(...inputs)].flat();

/** What gives their ops the form that these rules know. */
const BEFORE = new Map([sumOfProducts, productsOfParts, packedProducts].map((rule) => [rule, [reshapes, matMul]]));
const withBefore = (rule: Rule) => [...(BEFORE.get(rule) ?? []), rule];

function fired(rule: Rule, step: Step, inputs: tf.Tensor[]): number {
  const graph = record(nativeBackend() as NativeBackend, listed(step), inputs, []);
  return rewrite(graph, withBefore(rule)).fired.get(rule.name) ?? 0;
}

/** The worst difference between a step as it was recorded and rewritten by one rule, relative to its largest value. */
async function difference(rule: Rule, step: Step, inputs: tf.Tensor[]): Promise<number> {
  const results: Float32Array[][] = [];
  for (const rules of [[], withBefore(rule)]) {
    const compiled = await compileStep(listed(step), { inputs, variables: [], rules });
    results.push(tf.tidy(() => compiled.run(...inputs).map((tensor) => tensor.dataSync<'float32'>())));
    compiled.dispose();
  }
  const [expected = [], got = []] = results;
  const errors = expected.map((values, i) => {
    expect(got[i]?.length).toBe(values.length);
    const scale = Math.max(...values.map(Math.abs), 1e-30);
    return Math.max(...values.map((value, j) => Math.abs((got[i]?.[j] ?? NaN) - value))) / scale;
  });
  return Math.max(...errors);
}

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);
const size = (most: number) => fc.integer({ min: 1, max: most });
const image = fc.tuple(size(4), size(9), size(9), size(7));

interface Case {
  rule: Rule;
  /** A step with its inputs' shapes, drawn at random; the rule has to fire. */
  fires: fc.Arbitrary<{ step: Step; shapes: number[][] }>;
  /** Steps that it has to leave alone. */
  ignores: Record<string, { step: Step; inputs: () => tf.Tensor[] }>;
}

const x4 = (x: tf.Tensor) => x as tf.Tensor4D;
const int = (shape: number[]) => tf.cast(tf.randomUniform(shape, 0, 9, 'float32', 3), 'int32');

const several = (least: number, most: number) => fc.integer({ min: least, max: most });
const add = (terms: tf.Tensor[]) => terms.reduce((a, b) => a.add(b));
/** By time step. */
const steps = (x: tf.Tensor) => tf.unstack(x);
/** The gradient that each time step has of a matrix. */
const gradients = (a: tf.Tensor, b: tf.Tensor) =>
  steps(a).map((each, i) => each.matMul(steps(b)[i] as tf.Tensor, true));

const CASES: Case[] = [
  {
    rule: reshapes,
    fires: fc.tuple(image, fc.boolean()).map(([shape, same]) => ({
      step: (x) => (same ? x.reshape(shape).add(1) : x.reshape([-1]).reshape([...shape].reverse())),
      shapes: [shape],
    })),
    ignores: {
      'another shape': { step: (x) => x.reshape([3, 2]).add(1), inputs: () => [normal([2, 3], 1)] },
      'another type': { step: (x) => tf.cast(x, 'float32').add(1), inputs: () => [int([2, 3])] },
    },
  },
  {
    rule: sumOfProducts,
    fires: fc
      .tuple(
        several(4, 7),
        several(2, 5),
        several(2, 5),
        several(2, 5),
        fc.constantFrom('matrix', 'bias', 'parts', 'more'),
      )
      .map(([count, rows, k, n, kind]) => ({
        step: (a, b) => {
          const all = gradients(a, b);
          if (kind === 'matrix') return add(all);
          if (kind === 'bias') return add(steps(b).map((each) => each.sum(0)));
          if (kind === 'more') return add([...all.slice(0, 2), tf.ones([k, n]), ...all.slice(2)]).mul(2);
          return add(gradients(b, a).map((each, i) => tf.concat([all[i] as tf.Tensor, each.transpose()], 1)));
        },
        shapes: [
          [count, rows, k],
          [count, rows, n],
        ],
      })),
    ignores: {
      'three terms': {
        step: (a, b) => add(gradients(a, b)),
        inputs: () => [normal([3, 4, 5], 1), normal([3, 4, 2], 2)],
      },
      'sums of which each is a result': {
        step: (a, b) => {
          const sums: tf.Tensor[] = [];
          for (const each of gradients(a, b)) sums.push(sums.length > 0 ? (sums.at(-1) as tf.Tensor).add(each) : each);
          return sums;
        },
        inputs: () => [normal([6, 4, 5], 1), normal([6, 4, 2], 2)],
      },
      'products of which each is a result': {
        step: (a, b) => {
          const all = gradients(a, b);
          return [add(all), ...all];
        },
        inputs: () => [normal([6, 4, 5], 1), normal([6, 4, 2], 2)],
      },
      'products of other matrices': {
        step: (a, b) => add(steps(a).map((each, i) => each.matMul(steps(b)[i] as tf.Tensor))),
        inputs: () => [normal([6, 4, 5], 1), normal([6, 5, 2], 2)],
      },
      'sums over another axis': {
        step: (x) => add(steps(x).map((each) => each.sum(1))),
        inputs: () => [normal([6, 4, 5], 1)],
      },
      integers: {
        step: (a, b) => add(gradients(a, b)),
        inputs: () => [int([6, 4, 5]), int([6, 4, 2])],
      },
    },
  },
  {
    rule: productsOfParts,
    fires: fc
      .tuple(several(2, 6), size(5), several(2, 5), several(2, 5), fc.boolean())
      .map(([count, rows, k, n, tb]) => ({
        step: (x, w) => steps(x).map((each) => each.matMul(w, false, tb)),
        shapes: [[count, rows, k], tb ? [n, k] : [k, n]],
      })),
    ignores: {
      'a part that is multiplied by another matrix': {
        step: (x, w) => steps(x).map((each, i) => each.matMul(i === 2 ? w.mul(2) : w)),
        inputs: () => [normal([4, 3, 5], 1), normal([5, 2], 2)],
      },
      'a part that is multiplied otherwise': {
        step: (x, w) => steps(x).map((each, i) => each.matMul(w, false, i === 2)),
        inputs: () => [normal([4, 3, 5], 1), normal([5, 5], 2)],
      },
      'parts that are transposed': {
        step: (x, w) => steps(x).map((each) => each.matMul(w, true)),
        inputs: () => [normal([4, 5, 3], 1), normal([5, 2], 2)],
      },
      'parts along another axis': {
        step: (x, w) => tf.unstack(x, 1).map((each) => each.matMul(w)),
        inputs: () => [normal([4, 3, 5], 1), normal([5, 2], 2)],
      },
    },
  },
  {
    rule: packedProducts,
    fires: fc
      .tuple(several(2, 6), size(5), several(2, 5), several(2, 5), fc.boolean())
      .map(([count, rows, k, n, tb]) => ({
        step: (x, w) => tf.stack(tf.unstack(x, 1).map((each) => each.matMul(w, false, tb))),
        shapes: [[rows, count, k], tb ? [n, k] : [k, n]],
      })),
    ignores: {
      'several matrices': {
        step: (x, w) => tf.stack(steps(x).map((each, i) => each.matMul(i === 2 ? w.mul(2) : w))),
        inputs: () => [normal([4, 3, 5], 1), normal([5, 2], 2)],
      },
      'another axis': {
        step: (x, w) =>
          tf.stack(
            steps(x).map((each) => each.matMul(w)),
            1,
          ),
        inputs: () => [normal([4, 3, 5], 1), normal([5, 2], 2)],
      },
      'one that is no product': {
        step: (x, w) => tf.stack([...steps(x).map((each) => each.matMul(w)), w]),
        inputs: () => [normal([4, 5, 5], 1), normal([5, 5], 2)],
      },
    },
  },
  {
    rule: matMul,
    // tfjs multiplies vectors in another way.
    fires: fc
      .tuple(
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 2, max: 9 }),
        fc.boolean(),
        fc.boolean(),
      )
      .map(([m, k, n, ta, tb]) => ({
        step: (a, b) => tf.matMul(a, b, ta, tb),
        shapes: [ta ? [k, m] : [m, k], tb ? [n, k] : [k, n]],
      })),
    ignores: {
      'a batch of several products': {
        step: (a, b) => tf.matMul(a, b),
        inputs: () => [normal([2, 3, 4], 1), normal([2, 4, 5], 2)],
      },
      integers: { step: (a, b) => tf.matMul(a, b), inputs: () => [int([3, 4]), int([4, 5])] },
    },
  },
  {
    rule: sigmoidGrad,
    fires: image.map((shape) => ({
      step: (x, dy) => tf.grad((t) => t.sigmoid())(x, dy),
      shapes: [shape, shape],
    })),
    ignores: {
      'the slope of something else': {
        step: (y, dy) => dy.mul(y.mul(tf.scalar(1).sub(y))),
        inputs: () => [normal([3], 1), normal([3], 2)],
      },
      'another number than 1': {
        step: (x, dy) => {
          const y = x.sigmoid();
          return dy.mul(y.mul(tf.scalar(2).sub(y)));
        },
        inputs: () => [normal([3], 1), normal([3], 2)],
      },
      'a gradient of another shape': {
        step: (x, dy) => {
          const y = x.sigmoid();
          return dy.mul(y.mul(tf.scalar(1).sub(y)));
        },
        inputs: () => [normal([1, 3], 1), normal([2, 3], 2)],
      },
    },
  },
  {
    rule: leakyReluGrad,
    fires: image.map((shape) => ({
      step: (x, dy) => tf.grad((t) => t.leakyRelu(0.3))(x, dy),
      shapes: [shape, shape],
    })),
    ignores: {
      'a slope below 0': {
        step: (x, dy) => tf.grad((t) => t.leakyRelu(-0.5))(x, dy),
        inputs: () => [normal([3, 4], 1), normal([3, 4], 2)],
      },
      'a choice by something else': {
        step: (x, y) => tf.where(y.greater(0), x.leakyRelu(0.2), y),
        inputs: () => [normal([3, 4], 1), normal([3, 4], 2)],
      },
      'a choice by another number': {
        step: (x, y) => tf.where(x.greater(1), x.leakyRelu(0.2), y),
        inputs: () => [normal([3, 4], 1), normal([3, 4], 2)],
      },
    },
  },
  {
    rule: averagePoolGrad,
    fires: fc.tuple(image, size(3), size(3)).map(([[n, h, w, c], kh, kw]) => ({
      step: (x, dy) => tf.grad((t) => tf.avgPool(x4(t), [kh, kw], [kh, kw], 'valid'))(x, dy),
      shapes: [
        [n, h * kh, w * kw, c],
        [n, h, w, c],
      ],
    })),
    ignores: {
      'windows that overlap': {
        step: (x, dy) => tf.grad((t) => tf.avgPool(x4(t), 3, 1, 'valid'))(x, dy),
        inputs: () => [normal([1, 4, 4, 2], 1), normal([1, 2, 2, 2], 2)],
      },
      'an image that windows do not fill': {
        step: (x, dy) => tf.grad((t) => tf.avgPool(x4(t), 2, 2, 'valid'))(x, dy),
        inputs: () => [normal([1, 5, 5, 2], 1), normal([1, 2, 2, 2], 2)],
      },
      'an image that padding fills up': {
        step: (x, dy) => tf.grad((t) => tf.avgPool(x4(t), 2, 2, 'same'))(x, dy),
        inputs: () => [normal([1, 5, 5, 2], 1), normal([1, 3, 3, 2], 2)],
      },
    },
  },
  {
    rule: reduceRows,
    fires: fc.tuple(image, fc.boolean(), fc.boolean()).map(([shape, mean, keepDims]) => ({
      step: (x) => (mean ? x.mean([0, 1, 2], keepDims) : x.sum([0, 1, 2], keepDims)),
      shapes: [shape],
    })),
    ignores: {
      'other axes': { step: (x) => x.sum<tf.Tensor>([1, 2]), inputs: () => [normal([2, 3, 4, 5], 1)] },
      'all axes': { step: (x) => x.sum<tf.Tensor>(), inputs: () => [normal([2, 3, 4, 5], 1)] },
      'a matrix, which is rows already': { step: (x) => x.sum<tf.Tensor>(0), inputs: () => [normal([4, 5], 1)] },
      integers: { step: (x) => x.sum<tf.Tensor>([0, 1]), inputs: () => [int([2, 3, 4])] },
      'nothing at all': { step: (x) => x.sum<tf.Tensor>([0, 1]), inputs: () => [tf.zeros([0, 3, 4])] },
    },
  },
  {
    rule: wideBroadcast,
    fires: fc
      .tuple(
        fc.tuple(size(4), size(9), fc.integer({ min: 2, max: 9 }), fc.integer({ min: 2, max: 7 })),
        fc.constantFrom('add', 'sub', 'mul', 'div', 'squaredDifference'),
        fc.boolean(),
        fc.boolean(),
      )
      .map(([shape, op, left, ranked]) => ({
        step: (x, v) => {
          const [a, b] = left ? [v, x] : [x, v];
          return a[op as 'add'](b);
        },
        shapes: [shape, ranked ? [1, 1, 1, shape[3]] : [shape[3]]],
      })),
    ignores: {
      'a broadcast over other axes': {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [normal([2, 3, 4, 5], 1), normal([4, 1], 2)],
      },
      'a vector of one value': {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [normal([2, 3, 4, 5], 1), normal([1], 2)],
      },
      'two full tensors': {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [normal([2, 3, 4, 5], 1), normal([2, 3, 4, 5], 2)],
      },
      'two that meet in the middle': {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [normal([2, 1, 1, 5], 1), normal([1, 3, 4, 5], 2)],
      },
      'nothing at all': { step: (x, v) => x.add<tf.Tensor>(v), inputs: () => [tf.zeros([0, 3, 4]), tf.zeros([4])] },
      'many channels': {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [normal([2, 3, 3, 64], 1), normal([64], 2)],
      },
      integers: {
        step: (x, v) => x.add<tf.Tensor>(v),
        inputs: () => [int([2, 3, 4, 5]), int([5])],
      },
      'the bias of a convolution, which TensorFlow fuses': {
        step: (x, v) => tf.conv2d(x4(x), tf.ones([2, 2, 3, 4]), 1, 'valid').add(v),
        inputs: () => [normal([2, 5, 5, 3], 1), normal([4], 2)],
      },
    },
  },
  {
    rule: convInputGrad,
    fires: fc
      .tuple(image, size(6), size(4), size(4), fc.constantFrom('valid' as const, 'same' as const))
      .map(([[n, h, w, c], filters, kh, kw, pad]) => {
        const [height, width] = [h + kh - 1, w + kw - 1];
        return {
          step: (x, filter, dy) => tf.grad((t) => tf.conv2d(x4(t), filter as tf.Tensor4D, 1, pad))(x, dy),
          shapes: [
            [n, height, width, c],
            [kh, kw, c, filters],
            pad === 'same' ? [n, height, width, filters] : [n, h, w, filters],
          ],
        };
      }),
    ignores: {
      'a strided convolution': {
        step: (x, dy) => tf.grad((t) => tf.conv2d(x4(t), tf.ones([3, 3, 2, 4]), 2, 'valid'))(x, dy),
        inputs: () => [normal([1, 7, 7, 2], 1), normal([1, 3, 3, 4], 2)],
      },
      'many channels': {
        step: (x, dy) => tf.grad((t) => tf.conv2d(x4(t), tf.ones([3, 3, 9, 4]), 1, 'valid'))(x, dy),
        inputs: () => [normal([1, 5, 5, 9], 1), normal([1, 3, 3, 4], 2)],
      },
      'wide images, whose matrix would be large': {
        step: (x, dy) => tf.grad((t) => tf.conv2d(x4(t), tf.ones([3, 3, 8, 2]), 1, 'valid'))(x, dy),
        inputs: () => [normal([1, 3, 66, 8], 1), normal([1, 1, 64, 2], 2)],
      },
    },
  },
];

describe.each(CASES.map(({ rule, ...rest }) => ({ name: rule.name, rule, ...rest })))('$name', (given) => {
  const { rule, fires, ignores } = given;

  it('fires, and gives the same on random shapes and values', async () => {
    await fc.assert(
      fc.asyncProperty(fires, fc.integer({ min: 1, max: 1e6 }), async ({ step, shapes }, seed) => {
        const inputs = shapes.map((shape, i) => normal(shape, seed + i));
        expect(fired(rule, step, inputs)).toBeGreaterThan(0);
        // Sums of at most 2,000 products in another order; the bound is u·√terms with room, relative to the largest.
        expect(await difference(rule, step, inputs)).toBeLessThan(2e-6);
        tf.dispose(inputs);
      }),
      { numRuns: amount(25, 5) },
    );
  });

  it('keeps what it matches where others read it, too', async () => {
    const [drawn] = fc.sample(fires, { numRuns: 1, seed: 4 });
    const { step, shapes } = drawn ?? { step: tf.neg, shapes: [] };
    const inputs = shapes.map((shape, i) => normal(shape, i + 1));
    // The result is read twice, and so is all that it is made of.
    const shared: Step = (...given) => {
      const results = [step(...given)].flat();
      return [...results, ...results.map((result) => result.square()), ...given.map((x) => x.neg())];
    };
    expect(await difference(rule, shared, inputs)).toBeLessThan(1e-5);
    tf.dispose(inputs);
  });

  it.each(Object.entries(ignores))('leaves alone %s', (_, { step, inputs }) => {
    const tensors = inputs();
    expect(fired(rule, step, tensors)).toBe(0);
    tf.dispose(tensors);
  });
});

it('convInputGrad spreads what is not finite over the image row, as its comment says', async () => {
  const dy = tf.tidy(() => tf.tensor4d([0, 0, 0, 0, Infinity], [1, 1, 5, 1]));
  const gradient = (rules: Rule[]) =>
    compileStep((t, d) => [tf.grad((x) => tf.conv2d(x4(x), tf.ones([1, 2, 1, 1]), 1, 'valid'))(t, d)], {
      inputs: [tf.zeros([1, 1, 6, 1]), dy],
      variables: [],
      rules,
    }).then((compiled) => [...(compiled.run(tf.zeros([1, 1, 6, 1]), dy)[0] as tf.Tensor).dataSync()]);
  expect(await gradient([])).toEqual([0, 0, 0, 0, Infinity, Infinity]);
  expect(await gradient([convInputGrad])).toEqual([NaN, NaN, NaN, NaN, Infinity, Infinity]);
});

describe('all rewrites together', () => {
  it('share what is computed once, and keep a result that others read, too', async () => {
    const step: Step = (x) => {
      const [a, b] = [x.sigmoid(), x.sigmoid()];
      const slope = a.mul(tf.scalar(1).sub(a));
      return [slope, x.mul(slope), b.sum([0, 1])];
    };
    const x = normal([2, 3, 4], 1);
    const { graph } = rewrite(record(nativeBackend() as NativeBackend, listed(step), [x], []));
    const ops = graph.nodes.map(({ op }) => op);
    expect(ops.filter((op) => op === 'Sigmoid')).toHaveLength(1);
    expect(ops).toContain('SigmoidGrad');
    expect(ops).toContain('Sub');
    expect(await difference(sigmoidGrad, step, [x])).toBeLessThan(1e-6);
  });

  it('leave out what nobody reads', () => {
    const step: Step = (x) => (x.exp(), x.neg());
    const { graph } = rewrite(record(nativeBackend() as NativeBackend, listed(step), [normal([3], 1)], []));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Neg']);
  });

  it('keep the variance of offset data: mean 1e4, deviation 0.1', async () => {
    // 64 × 24 × 24 values of each of 6 channels; float32 keeps 1e4 in steps of 1e-3, which adds (1e-3)²/12 to 0.01.
    const x = tf.tidy(() => normal([64, 24, 24, 6], 7).mul(0.1).add(1e4));
    const step: Step = (t) => {
      const mean = t.mean([0, 1, 2]);
      return t.sub(mean).square().mean([0, 1, 2]);
    };
    const compiled = await compileStep(listed(step), { inputs: [x], variables: [] });
    const [variance] = compiled.run(x);
    for (const value of (variance as tf.Tensor).dataSync()) expect(Math.abs(value / 0.01 - 1)).toBeLessThan(0.02);
    compiled.dispose();
  });

  it('sum more accurately than TensorFlow does over all axes but the last', async () => {
    const x = tf.tidy(() => normal([64, 24, 24, 6], 8).add(100));
    const values = x.dataSync<'float32'>();
    const exact = [0, 1, 2, 3, 4, 5].map((c) => values.reduce((sum, value, i) => (i % 6 === c ? sum + value : sum), 0));
    const errorOf = async (rules: Rule[]) => {
      const compiled = await compileStep((t) => [t.sum([0, 1, 2])], {
        inputs: [x],
        variables: [],
        rules,
      });
      const sums = (compiled.run(x)[0] as tf.Tensor).dataSync();
      compiled.dispose();
      return Math.max(...exact.map((sum, c) => Math.abs((sums[c] ?? NaN) / sum - 1)));
    };
    // Two levels of sums of 64 and 576 terms, in blocks.
    expect(await errorOf([reduceRows])).toBeLessThan(1e-6);
    expect(await errorOf([])).toBeGreaterThan(await errorOf([reduceRows]));
  });

  it('that would never end are found out', () => {
    const forever: Rule = {
      name: 'forever',
      on: 'everything',
      ops: ['Neg'],
      apply: ({ attributes, inputs: [x = 0] }, editor) => editor.op('Neg', [...attributes], [x], editor.shape(x)),
    };
    const graph = record(
      nativeBackend() as NativeBackend,
      listed((x) => x.neg()),
      [normal([3], 1)],
      [],
    );
    expect(() => rewrite(graph, [forever])).toThrow('the rewrites forever find no end');
  });
});

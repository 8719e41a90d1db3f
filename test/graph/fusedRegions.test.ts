/** Which regions a graph has: few and large ones, the same code for every size of the batch, one op for an optimizer, bits that last. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import '../support/native.js';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { variablesIn } from '../../src/graph/declarations.js';
import { fuseSteps, plan } from '../../src/graph/fuse/fuse.js';
import { sizeOf } from '../../src/graph/graph.js';
import { compileStep, optimizerVariables } from '../../src/graph/index.js';
import { countingSteps } from '../../src/graph/optimizerState.js';
import { type InputSpec, record, type StepFunction } from '../../src/graph/record/record.js';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { lenet, NORMS } from '../../src/nn/lenet.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { firstOf } from '../support/amount.js';
import { start } from '../support/program.js';

const native = nativeBackend() as NativeBackend;
const float = (...shape: number[]): InputSpec => ({ shape, dtype: 'float32' });

/** The sources of a step's regions, and the ops that it is left with. */
function fusedOf(step: StepFunction, inputs: InputSpec[], variables: readonly tf.Variable[] = []) {
  const { sources, graph } = plan(record(native, step, inputs, variables), '');
  const { nodes } = graph('library');
  const regions = nodes.filter(({ op }) => op === 'BnTrainRegion');
  return { sources, nodes, regions, others: nodes.map(({ op }) => op).filter((op) => op !== 'BnTrainRegion') };
}

it.each(NORMS)('a training step with the norm %s has the same code for batches of 256, 250 and 96', (norm) => {
  const images = new Uint8Array(300 * 784);
  const data = new DeviceDataset({ count: 300, height: 28, width: 28, images, labels: new Uint8Array(300) });
  const model = lenet({ norm, seed: 1 });
  const variables = variablesIn([model.weights, ...data.variables]);
  const of = (rows: number) =>
    fusedOf(trainingStep(model, data), [{ shape: [rows], dtype: 'int32' }, float()], variables);
  const [whole, ...others] = [256, 250, 96].map(of);
  expect(whole?.regions).toHaveLength(9);
  for (const other of others)
    expect([...other.sources.keys()].sort()).toEqual([...(whole?.sources.keys() ?? [])].sort());
});

const filter = tf.variable(tf.randomNormal<tf.Rank.R4>([3, 3, 4, 4], 0, 1, 'float32', 1));

it.each<[string, number[], (x: tf.Tensor) => tf.Tensor]>([
  ['rows that are taken apart', [8, 8], (x) => x.reshape([-1, 8]).tanh().add(1)],
  [
    'a table, by number',
    [8],
    (x) =>
      tf
        .gather(filter.reshape([36, 4]), x.toInt())
        .tanh()
        .add(1),
  ],
  ['what is put together', [8], (x) => tf.concat([x, x.square()], 1).tanh().add(1)],
  [
    'a gradient as long as one batch',
    [8, 8, 4],
    (x) => {
      const loss = (f: tf.Tensor) =>
        tf
          .conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same')
          .square()
          .sum<tf.Scalar>();
      return tf.grad(loss)(filter).sub(filter);
    },
  ],
])('has the same code for 3, 64 and 100 rows of %s', (_, row, step) => {
  const codes = [3, 64, 100].map((rows) => [
    ...fusedOf((x) => [step(x), x], [float(rows, ...row)], [filter]).sources.keys(),
  ]);
  expect(codes[0]).not.toEqual([]);
  for (const code of codes) expect(code).toEqual(codes[0]);
});

it.each([
  ['SGD', () => tf.train.sgd(0.1)],
  ['momentum', () => tf.train.momentum(0.1, 0.9)],
  ['Adam', () => tf.train.adam(0.1)],
])('%s updates all variables in one op', (_, optimizerOf) => {
  const weights = [[5, 7], [7], [400, 200], [3, 3, 2, 4]].map((shape) => tf.variable(tf.randomNormal(shape)));
  const optimizer = optimizerOf();
  const variables = variablesIn([weights, optimizerVariables(optimizer, weights)]);
  const step: StepFunction = (_, ...given) => {
    optimizer.applyGradients(weights.map(({ name }, i) => ({ name, tensor: given[i] as tf.Tensor })));
    return [];
  };
  // The first is a batch, whose size no weight has.
  const inputs = [float(11), ...weights.map(({ shape }) => float(...shape))];
  const { regions, others } = fusedOf(countingSteps(step).step, inputs, variables);
  expect(regions).toHaveLength(1);
  expect(others.filter((op) => !['Reshape', 'Identity', 'Cast'].includes(op))).toEqual([]);
});

it.each<[string, number, StepFunction]>([
  ['of products with what is the same in all rows', 1, (x, c) => [x.mul(c).sum(0), c.mul(x).mul(c).sum(0), x.sum(0)]],
  ['of products of the same in any order', 1, (x, c) => [x.mul(c).mul(x).sum(0), x.mul(x.mul(c)).sum(0)]],
  ['of what is no product', 2, (x, c) => [x.add(c).sum(0), x.sum(0)]],
  ["of a mean's gradient", 1, (x, c) => [x.mul(tf.ones([512, 256]).mul(c).div(512)).sum(0), x.sum(0)]],
])('sums %s are %i', (_, count, step) => {
  const { sources, others } = fusedOf(step, [float(512, 256), float(256)]);
  expect([...sources.values()].join('').match(/finish_<Sum,/g)).toHaveLength(count);
  expect(others).toEqual([]);
});

it.each([
  { shape: [512, 64], others: ['MatMul', 'Add'] },
  { shape: [1024, 32], others: ['MatMul'] },
])('leaves a bias to the product before it if its shape $shape is the same', ({ shape, others }) => {
  const bias = tf.variable(tf.ones([shape[1] ?? 0]));
  const step: StepFunction = (x, w) => [x.matMul(w).reshape(shape).add(bias).tanh().sum(0)];
  expect(fusedOf(step, [float(512, 32), float(32, 64)], [bias]).others).toEqual(others);
});

it('leaves no sum to the product before it that TensorFlow does not add as it multiplies', () => {
  const step: StepFunction = (x, w, y) => [x.matMul(w).add(y).tanh().sum(0)];
  expect(fusedOf(step, [float(512, 32), float(32, 64), float(512, 64)]).others).toEqual(['MatMul']);
});

it('fuses by default a step that assigns to variables, as one that trains does', async () => {
  const total = tf.variable(tf.zeros([64]));
  const adding: StepFunction = (x) => {
    total.assign(total.add(x.sum(0)));
    return [x.mean()];
  };
  const fusedBy = async (step: StepFunction, options: { rules?: []; fuse?: boolean } = {}) => {
    const compiled = await compileStep(step, { inputs: [float(256, 64)], variables: [total], ...options });
    compiled.dispose();
    return compiled.fused;
  };
  expect(await fusedBy(adding)).toHaveProperty('compiler');
  expect(await fusedBy((x) => [x.mean()])).toBeUndefined();
  expect(await fusedBy(adding, { rules: [] })).toBeUndefined();
  expect(await fusedBy(adding, { fuse: false })).toBeUndefined();
});

it('has as few loops as there can be', () => {
  const { sources } = fusedOf((x) => [x.exp().sum(1), x.exp().sigmoid()], [float(512, 64)]);
  expect([...sources.values()].join('').match(/GCC ivdep/g)).toHaveLength(1);
});

describe('by output, which input may give its memory to it:', () => {
  const convolved = (p: tf.Tensor) => tf.conv2d(p.reshape<tf.Tensor4D>([50, 6, 6, 4]), filter, 1, 'same');
  it.each<[string, number[], (p: tf.Tensor, q: tf.Tensor, x: tf.Tensor) => tf.Tensor[]]>([
    ['one that TensorFlow made, none that was given', [1], (p, _, x) => [x.add(p).tanh()]],
    ['each another one', [0, 1], (p, q) => [p.add(q), p.add(q).mul(q)]],
    ['none that another row reads', [-1], (p) => [p.add(p.slice([5, 0], [1, 144])).tanh()]],
    ['none that a later pass reads', [-1, 0], (p) => [p.tanh(), p.sub(p.tanh().mean(0))]],
    ['none that is read otherwise than element by element', [-1], (p) => [convolved(p)]],
  ])('%s: %j', (_, expected, step) => {
    const of: StepFunction = (x, w) => step(x.matMul(w), x.matMul(w, false, true), x);
    const { regions } = fusedOf(of, [float(50, 144), float(144, 144)], [filter]);
    expect(regions.map(({ attributes }) => attributes.find(({ name }) => name === 'forward')?.value)).toEqual([
      expected,
    ]);
  });
});

it.each<[string, string, (x: tf.Tensor) => tf.Tensor]>([
  ['convolutions are direct', 'inline', (x) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same')],
  [
    'none are',
    'fused',
    (x) =>
      x
        .reshape([-1, 4])
        .matMul(filter.reshape([4, 36]))
        .tanh()
        .add(1),
  ],
])('where %s, a session is opened by the tag %s', async (_, tag, step) => {
  const graph = record(native, (x) => [step(x)], [float(64, 8, 8, 4)], [filter]);
  expect(await fuseSteps([{ name: 'step', graph }])).toMatchObject({
    tag,
    kernels: { hash: expect.any(String) as string },
  });
});

it('leaves to TensorFlow what saves too little, and all of a step that has nothing else', async () => {
  const [one, two]: StepFunction[] = [(x) => [x.tanh()], (x) => [x.tanh().add(1)]];
  expect(fusedOf(one as StepFunction, [float(128, 64)]).others).toEqual(['Tanh']);
  expect(fusedOf(two as StepFunction, [float(128, 64)]).others).toEqual([]);
  const step = await compileStep(one as StepFunction, { inputs: [float(128, 64)], variables: [], fuse: true });
  expect(step.fused).toEqual({ reason: 'there is nothing to fuse' });
  expect(step.run(tf.ones([128, 64]))[0]?.shape).toEqual([128, 64]);
});

it.each([[[2, 2, 1, 2048]], [[3, 3, 3, 3]], [[4, 2, 2, 4]], [[2, 1, 2, 64]]])(
  'takes no other axis for the batch in a layer on %j',
  async (shape) => {
    const channels = shape.at(-1) ?? 0;
    const step: StepFunction = (x, gamma, beta) => {
      const loss = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
        const moving = [tf.zeros([channels]), tf.ones([channels])] as const;
        const { y } = batchNorm(x, gamma as tf.Tensor1D, beta as tf.Tensor1D, ...moving, { training: true });
        return tf.tanh(y).square().mul(x).sum<tf.Scalar>();
      };
      // What a shift is taken from: read from a part of a value, in another shape.
      const first = x
        .reshape([shape[0] ?? 0, -1])
        .slice(0, 1)
        .reshape([-1, channels])
        .mean(0);
      return [first, loss(x, gamma, beta), ...tf.grads(loss)([x, gamma, beta])];
    };
    const inputs = [float(...shape), float(channels), float(channels)];
    const given = inputs.map(({ shape: own }, i) => tf.randomNormal([...own], 1, 2, 'float32', i + 1));
    const [fused = [], graph = []] = await Promise.all(
      [true, false].map(async (fuse) => {
        const compiled = await compileStep(step, { inputs, variables: [], fuse });
        if (fuse) expect(compiled.fused).toHaveProperty('compiler');
        return compiled.run(...given).map((tensor) => Array.from(tensor.dataSync()));
      }),
    );
    for (const [i, values] of graph.entries()) {
      const scale = Math.max(...values.map(Math.abs));
      const errors = values.map((value, k) => Math.abs(value - (fused[i]?.[k] ?? NaN)) / scale);
      expect(
        errors.filter((error) => !(error < 1e-4)),
        `result ${i} of ${sizeOf(shape)}`,
      ).toEqual([]);
    }
  },
);

it.each([
  ['read again', 'fit into the first cache', 31, 1],
  ['computed again', 'do not', 32, 2],
])('what is needed before and after a convolution is %s where rows %s', async (_, __, channels, times) => {
  const filter = tf.variable(tf.randomNormal([3, 3, channels, 1], 0, 1, 'float32', 1));
  const step: StepFunction = (x) => {
    const given = x.sub(3);
    const y = tf.depthwiseConv2d(given.square() as tf.Tensor4D, filter as unknown as tf.Tensor4D, 1, 'same');
    return [y.mul(given)];
  };
  const inputs = [float(8, 16, 16, channels)];
  const { sources, others } = fusedOf(step, inputs, [filter]);
  expect(others).toEqual([]);
  expect([...sources.values()].join('').match(/= v\d+ - v\d+;/g)).toHaveLength(times);
  const compiled = await compileStep(step, { inputs, variables: [filter], fuse: true });
  const x = tf.randomNormal([8, 16, 16, channels], 0, 1, 'float32', 5);
  const [got, expected] = [compiled.run(x)[0], step(x)[0]] as [tf.Tensor, tf.Tensor];
  const [largest = 0] = await expected.abs().max().data();
  expect(Math.max(...(await got.sub(expected).abs().data()))).toBeLessThanOrEqual(1e-6 * largest);
  compiled.dispose();
});

it('gives the same bits with 1, 2, 3 and 8 threads', async () => {
  const measure = async (threads: number) => {
    const env = { TF_NUM_INTRAOP_THREADS: `${threads}`, TF_CPP_MIN_LOG_LEVEL: '2' };
    const script = path.join(import.meta.dirname, 'stepThreads.js');
    return JSON.parse((await start(process.execPath, [script], { env }).result).stdout) as Record<string, unknown>;
  };
  const alone = await measure(1);
  expect(alone).toMatchObject({
    bits: expect.any(String) as string,
    kernels: { compiler: expect.any(String) as string },
  });
  for (const threads of firstOf([3, 2, 8], 1)) expect(await measure(threads)).toEqual(alone);
});

describe('what is asked of the first row', () => {
  const filters = [
    [3, 3, 2, 4],
    [3, 3, 4, 4],
    [3, 3, 2, 1],
  ].map((size, i) => tf.variable(tf.randomNormal(size, 0, 1, 'float32', i + 1)));
  const depthwise = filters[2] as tf.Variable<tf.Rank.R4>;
  const numbers = () => tf.range(0, 40).reshape([40, 1, 1, 1]);
  const long = (x: tf.Tensor) => x.reshape([40, 72, 1, 1]);
  const around = (y: tf.Tensor, row = 0) =>
    y.sub(y.slice([row, 0, 0, 0], [1, ...y.shape.slice(1)] as [number, number, number, number]).mean());
  const convolved = (x: tf.Tensor, i: number) =>
    tf.conv2d(x as tf.Tensor4D, filters[i] as tf.Variable<tf.Rank.R4>, 1, 'same');
  it.each<[string, number, (x: tf.Tensor) => tf.Tensor]>([
    ['elements', 1, (x) => around(x.mul(3).tanh().add(1))],
    ['elements with a number a row', 1, (x) => around(x.mul(numbers()).add(1))],
    ['another shape', 1, (x) => around(x.mul(2).reshape([40, 1, 12, 6]).sigmoid())],
    ['what repeats a vector as long as the batch', 1, (x) => around(long(x.mul(2)).mul(tf.range(0, 40)).sigmoid())],
    ['a convolution', 1, (x) => around(convolved(x.mul(2), 0).add(1))],
    ['a depthwise one', 1, (x) => around(tf.depthwiseConv2d(x.mul<tf.Tensor4D>(2), depthwise, 1, 'same'))],
    // What would be computed twice then costs more than another pass.
    ['two convolutions', 2, (x) => around(convolved(convolved(x.mul(2), 0), 1))],
    ['many ops', 2, (x) => around(Array.from({ length: 13 }).reduce<tf.Tensor>((y) => y.tanh().add(0.1), x))],
    ['another row', 2, (x) => around(x.mul(3).tanh(), 1)],
    ['a pooled image', 2, (x) => around(tf.avgPool(x.mul<tf.Tensor4D>(2), 2, 2, 'valid'))],
  ])('of %s takes %i passes over the rows', async (_, passes, values) => {
    const step: StepFunction = (x) => [values(x).square().sum(0)];
    const { sources } = fusedOf(step, [float(40, 6, 6, 2)], filters);
    expect([...sources.values()].join('').match(/for \(int64_t n = first; n < last;/g)).toHaveLength(passes);
    const compiled = await compileStep(step, { inputs: [float(40, 6, 6, 2)], variables: filters, fuse: true });
    const x = tf.randomNormal([40, 6, 6, 2], 0, 1, 'float32', 5);
    const [got, expected] = [compiled.run(x)[0], step(x)[0]] as [tf.Tensor, tf.Tensor];
    const [largest = 0] = await expected.abs().max().data();
    expect(Math.max(...(await got.sub(expected).abs().data()))).toBeLessThanOrEqual(1e-5 * largest);
    compiled.dispose();
  });

  const passesOf = (step: StepFunction, rows: number) =>
    [...fusedOf(step, [float(rows, 6, 6, 2)]).sources.values()].join('').match(/for \(int64_t n = first;/g)?.length;
  it('waits in a batch of few rows, where to compute it twice costs as much', () => {
    const step: StepFunction = (x) => [around(x.mul(3).tanh()).square().sum(0)];
    expect([13, 12].map((rows) => passesOf(step, rows))).toEqual([1, 2]);
  });

  it('is computed once where it has to wait for other rows all the same', () => {
    const once = (values: (x: tf.Tensor) => tf.Tensor) => {
      const { sources } = fusedOf((x) => [around(values(x)).square().sum(0)], [float(40, 6, 6, 2)]);
      expect([...sources.values()].join('').match(/tanh_\(/g)).toHaveLength(1);
    };
    once((x) => tf.avgPool(x.mul<tf.Tensor4D>(2), 2, 2, 'valid').tanh());
    once((x) => long(x).broadcastTo([40, 72, 1, 5]).tanh());
  });
});

describe('the code does not grow with', () => {
  /** Bytes of a training step's sources, and how many there are. */
  function codeOf(build: () => tf.LayersModel, ...inputs: InputSpec[]) {
    const model = build();
    const weights = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const optimizer = tf.train.momentum(0.1, 0.9);
    const variables = variablesIn([model.weights, optimizerVariables(optimizer, weights)]);
    const step: StepFunction = (x) => {
      const { grads } = tf.variableGrads(
        () => (model.apply(x, { training: true }) as tf.Tensor).square().mean(),
        weights,
      );
      optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
      return [];
    };
    const { sources } = fusedOf(countingSteps(step).step, inputs, variables);
    model.dispose();
    return { count: sources.size, bytes: [...sources.values()].join('').length };
  }
  const { layers } = tf;
  const recurrent = (steps: number) => () =>
    tf.sequential({ layers: [layers.gru({ units: 16, inputShape: [steps, 8] }), layers.dense({ units: 1 })] });
  const deep = (depth: number) => () => {
    const input = tf.input({ shape: [8, 8, 4] });
    const conv = () => layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same' });
    let x = input;
    for (let i = 0; i < depth; i++) {
      const [branch] = [layers.batchNormalization(), layers.reLU(), conv()].reduce<tf.SymbolicTensor[]>(
        (given, layer) => [layer.apply(given) as tf.SymbolicTensor],
        [x],
      );
      x = layers.add().apply([x, branch as tf.SymbolicTensor]) as tf.SymbolicTensor;
    }
    return tf.model({ inputs: input, outputs: x });
  };

  it('the time steps of a sequence', () => {
    const [short, long] = [12, 36].map((steps) => codeOf(recurrent(steps), float(64, steps, 8)));
    expect(long?.count).toBe(short?.count);
  });

  it('the layers of a network with residuals, but for what names their pointers', () => {
    const [few = NaN, many = NaN] = [4, 12].map((depth) => codeOf(deep(depth), float(32, 8, 8, 4)).bytes / depth);
    expect(many).toBeLessThan(few);
  });
});

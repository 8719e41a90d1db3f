/** Compiled steps against the same steps run op by op, on models that nobody had in mind. */
import '../support/native.js';
import { execFileSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { minimize, optimizerVariables } from '../../src/graph/optimizer.js';
import type { InputSpec, StepFunction } from '../../src/graph/record/record.js';
import { compileStep, compileSteps } from '../support/compiled.js';

afterAll(() => tf.disposeVariables());

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** The worst difference between two lists of tensors, relative to the largest value of each tensor. */
function worst(got: tf.Tensor[], expected: tf.Tensor[]): number {
  const errors = expected.map((tensor, i) =>
    tf.tidy(() => {
      const scale = tf.maximum(tensor.abs().max(), 1e-6);
      return (got[i] as tf.Tensor).sub(tensor).abs().max().div<tf.Scalar>(scale).dataSync()[0] ?? NaN;
    }),
  );
  return Math.max(...errors);
}

/**
 * Runs `steps` calls of a step both ways from equal variables, with fresh inputs, and returns the worst relative error of
 * any output or variable. Float32 sums in another order differ by some 1e-7 of their largest term; a few steps at small
 * learning rates magnify that little, so that 1e-4 tells a wrong rewrite (errors of 1e-2 and more) from rounding.
 */
async function compare(step: StepFunction, variables: tf.Variable[], inputs: (i: number) => tf.Tensor[], steps = 5) {
  const start = variables.map((variable) => variable.clone());
  const signatures = new Map(
    [0, 1].map((i) => {
      const signature: InputSpec[] = inputs(i).map(({ shape, dtype }) => ({ shape, dtype }));
      return [JSON.stringify(signature), signature];
    }),
  );
  const eager: tf.Tensor[][] = [];
  for (let i = 0; i < steps; i++) eager.push(tf.tidy(() => step(...inputs(i))));
  const after = variables.map((variable) => variable.clone());
  for (const [i, variable] of variables.entries()) variable.assign(start[i] as tf.Tensor);
  const compiled = await compileStep(step, { inputs: [...signatures.values()], variables });
  const errors = eager.map((expected, i) => worst(compiled.run(...inputs(i)), expected));
  compiled.read();
  errors.push(worst(variables, after));
  compiled.dispose();
  return Math.max(...errors);
}

const model = (layers: tf.layers.Layer[]) => tf.sequential({ layers });
const weightsOf = (net: tf.LayersModel) => net.weights.map((weight) => weight.read() as tf.Variable);
const trainableOf = (net: tf.LayersModel) => net.trainableWeights.map((weight) => weight.read() as tf.Variable);

/** Regression onto the sum of the inputs, by an optimizer of learning rate 1 and a rate that is an input. */
function regression(net: tf.LayersModel, optimizer: tf.Optimizer): [StepFunction, tf.Variable[]] {
  const trainable = trainableOf(net);
  const step: StepFunction = (x, rate) => {
    const target = x.sum([...x.shape.keys()].slice(1)).expandDims(1);
    const loss = () => tf.losses.meanSquaredError(target, net.apply(x, { training: true }) as tf.Tensor);
    return [minimize(optimizer, rate as tf.Scalar, loss as () => tf.Scalar, trainable)];
  };
  return [step, [...weightsOf(net), ...optimizerVariables(optimizer, trainable)]];
}

const seeded = { kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }) };
const image = [9, 8, 3];
const residual = () => {
  const input = tf.input({ shape: image });
  const conv = tf.layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same', ...seeded }).apply(input);
  const sum = tf.layers.add().apply([input, conv as tf.SymbolicTensor]) as tf.SymbolicTensor;
  const flat = tf.layers.flatten().apply(sum) as tf.SymbolicTensor;
  return tf.model({
    inputs: input,
    outputs: tf.layers.dense({ units: 1, ...seeded }).apply(flat) as tf.SymbolicTensor,
  });
};
const head = () => [tf.layers.flatten(), tf.layers.dense({ units: 1, ...seeded })];
const conv = (config: object) =>
  tf.layers.conv2d({ filters: 4, kernelSize: 3, inputShape: image, ...seeded, ...config });

describe('compiled and op by op agree on', () => {
  it.each<[string, () => tf.LayersModel, () => tf.Optimizer]>([
    ['a strided convolution', () => model([conv({ strides: 2 }), ...head()]), () => tf.train.sgd(1)],
    [
      'two convolutions, same padding, overlapping average pool',
      () =>
        model([
          conv({ padding: 'same', activation: 'sigmoid' }),
          tf.layers.averagePooling2d({ poolSize: 3, strides: 1 }),
          tf.layers.conv2d({ filters: 5, kernelSize: [3, 2], padding: 'same', ...seeded }),
          ...head(),
        ]),
      () => tf.train.momentum(1, 0.9),
    ],
    [
      'max-pool, batch normalization and Adam',
      () =>
        model([
          // Without a bias: its gradient before batch normalization is rounding noise, which Adam would scale up.
          conv({ useBias: false }),
          tf.layers.batchNormalization(),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          tf.layers.activation({ activation: 'tanh' }),
          ...head(),
        ]),
      () => tf.train.adam(1),
    ],
    ['a residual connection with RMSProp', residual, () => tf.train.rmsprop(1, 0.9)],
    ['a nesterov momentum', () => model([conv({}), ...head()]), () => tf.train.momentum(1, 0.9, true)],
  ])('%s', async (_, build, optimizer) => {
    const [step, variables] = regression(build(), optimizer());
    // Two batch sizes in turn, and a learning rate that changes at every step.
    const inputs = (i: number) => [random([i % 2 ? 4 : 6, ...image], i + 1), tf.scalar(0.001 / (i + 1))];
    expect(await compare(step, variables, inputs)).toBeLessThan(1e-4);
  });

  it('an optimizer as it is, its rate changed between steps', async () => {
    const w = tf.variable(tf.tensor1d([1, 2, 3]));
    const sgd = tf.train.sgd(0.5);
    const state = optimizerVariables(sgd, [w]);
    const step: StepFunction = (x) => [sgd.minimize(() => w.mul(x).sum(), true, [w]) as tf.Scalar];
    const compiled = await compileStep(step, { inputs: [{ shape: [3], dtype: 'float32' }], variables: [w, ...state] });
    const ones = tf.ones([3]);
    compiled.run(ones);
    state[0]?.assign(tf.scalar(-0.25));
    compiled.write();
    compiled.run(ones);
    compiled.read();
    expect([...w.dataSync()]).toEqual([0.25, 1.25, 2.25]);
    compiled.dispose();
  });
});

describe('optimizerVariables', () => {
  it('makes the slots without a step', () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const adam = tf.train.adam(0.1);
    const variables = optimizerVariables(adam, [w]);
    expect(variables.map((variable) => [...variable.dataSync()])).toEqual([
      [0, 0],
      [0, 0],
      [Math.fround(0.9)],
      [Math.fround(0.999)],
    ]);
    expect([...w.dataSync()]).toEqual([1, 2]);
    expect(adam.iterations).toBe(0);
  });

  it("takes a model's weights", () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    const slots = optimizerVariables(tf.train.momentum(0.1, 0.9), model.trainableWeights);
    expect(slots.map(({ shape }) => shape)).toEqual(expect.arrayContaining([[3, 2], [2]]));
  });

  it.each<[string, unknown, unknown, string]>([
    [
      'nothing',
      undefined,
      [],
      "Cannot list an optimizer's variables: expected an optimizer of TensorFlow.js, got undefined",
    ],
    [
      'no optimizer',
      {},
      [],
      "Cannot list an optimizer's variables: expected an optimizer of TensorFlow.js, got an object",
    ],
    ['no list', tf.train.sgd(1), undefined, 'got undefined in it'],
    ['no variables', tf.train.adam(1), [5], 'got a number in it'],
  ])('refuses %s', (_, optimizer, trainable, message) => {
    expect(() => optimizerVariables(optimizer as tf.Optimizer, trainable as tf.Variable[])).toThrow(message);
  });

  it('makes slots of zeros for a centered RMSProp, too', () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const slots = optimizerVariables(tf.train.rmsprop(0.1, 0.9, 0, 1e-8, true), [w]);
    expect(slots.map((slot) => [...slot.dataSync()])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });
});

describe('minimize', () => {
  it('refuses RMSProp with momentum, which remembers earlier rates', () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const step = () => minimize(tf.train.rmsprop(1, 0.9, 0.9), tf.scalar(0.1), () => w.sum(), [w]);
    expect(step).toThrow(
      expect.objectContaining({
        message:
          'Cannot minimize at a given learning rate: expected an optimizer that forgets its rate, got RMSProp with momentum 0.9',
        hint: 'use it without momentum, or tf.train.momentum or adam',
      }) as Error,
    );
  });
});

describe('a compiled step', () => {
  const vector = { shape: [2], dtype: 'float32' } as const;
  const inputs = [[{ shape: [2], dtype: 'float32' }], [{ shape: [3], dtype: 'float32' }]] as const;

  it('checks shapes and types at every run', async () => {
    const compiled = await compileStep((x) => [x.square()], { inputs, variables: [] });
    const expected = 'Cannot run the compiled step: expected step(float32 [2]) or step(float32 [3]), got ';
    for (const [given, got] of [
      [[tf.zeros([4])], 'step(float32 [4])'],
      [[tf.zeros([2], 'int32')], 'step(int32 [2])'],
      [[], 'step()'],
      [[tf.zeros([2]), tf.zeros([2])], 'step(float32 [2], float32 [2])'],
    ] as const)
      expect(() => compiled.run(...given)).toThrow(
        expect.objectContaining({
          message: expected + got,
          hint: 'list every shape in inputs when compiling: [[a], [b]]',
        }) as Error,
      );
    compiled.dispose();
  });

  it('shares its variables between shapes and steps', async () => {
    const total = tf.variable(tf.scalar(1));
    const steps = await compileSteps(
      {
        add: { step: (x) => (total.assign(total.add(x.sum())), [total.clone()]), inputs },
        double: { step: () => [total.mul(2)], inputs: [] },
      },
      { variables: [total] },
    );
    const value = (tensors: tf.Tensor[]) => tensors[0]?.dataSync()[0];
    expect(value(steps.run('add', tf.tensor1d([1, 2])))).toBe(4);
    expect(value(steps.run('add', tf.tensor1d([1, 2, 3])))).toBe(10);
    expect(value(steps.run('double'))).toBe(20);
    expect(total.dataSync()[0]).toBe(10);
    total.assign(tf.scalar(5));
    expect(value(steps.run('double'))).toBe(10);
    steps.dispose();
    expect(total.dataSync()[0]).toBe(5);
  });

  it('may have no outputs', async () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const inputs = [{ shape: [2], dtype: 'float32' }] as const;
    const compiled = await compileStep((x) => (w.assign(w.add(x)), []), { inputs, variables: [w] });
    const before = tf.memory().numTensors;
    const results = tf.tidy(() => [
      ...compiled.run(tf.tensor1d([1, 1])),
      ...compiled.runMany(tf.tensor2d([10, 10, 100, 100], [2, 2])),
    ]);
    expect(results).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
    compiled.read();
    expect([...w.dataSync()]).toEqual([112, 113]);
    compiled.dispose();
  });

  it('frees its session, and says what a disposed one cannot do', async () => {
    const binding = (tf.backend() as unknown as { binding: { getNumOfSavedModels: () => number } }).binding;
    const before = binding.getNumOfSavedModels();
    const compiled = await compileStep((x) => [x.square()], { inputs, variables: [] });
    expect(binding.getNumOfSavedModels()).toBe(before + 1);
    compiled.dispose();
    expect(binding.getNumOfSavedModels()).toBe(before);
    const message =
      'Cannot use the compiled step: expected it and its variables to live, got a step after its dispose()';
    for (const use of [() => compiled.run(tf.zeros([2])), () => compiled.read(), () => compiled.write()])
      expect(use).toThrow(expect.objectContaining({ message, hint: 'compile it again' }) as Error);
    compiled.dispose();
    expect(binding.getNumOfSavedModels()).toBe(before);
  });

  it('says so when a variable was disposed of', async () => {
    const w = tf.variable(tf.tensor1d([1, 2]), true, 'gone');
    const compiled = await compileStep((x) => [w.mul(x)], { inputs: [vector], variables: [w] });
    w.dispose();
    for (const use of [() => compiled.run(tf.ones([2])), () => compiled.read(), () => compiled.write()])
      expect(use).toThrow(
        expect.objectContaining({
          message:
            'Cannot use the compiled step: expected it and its variables to live, got the variable gone, which was disposed of',
          hint: 'compile it again',
        }) as Error,
      );
    compiled.dispose();
  });

  it.each([
    { folder: '/dev/null/saved', got: 'a file where a folder belongs' },
    { folder: '/proc/saved/deeper', got: 'no such file or folder' },
  ])('is not saved in $folder', async ({ folder, got }) => {
    const inputs = [{ shape: [2], dtype: 'float32' }] as const;
    const compiled = await compileStep((x) => [x.square()], { inputs, variables: [] });
    await expect(compiled.save(folder)).rejects.toMatchObject({
      message: expect.stringMatching(
        `^Cannot save the compiled step: expected a folder that can be written, ${folder}, got ${got}`,
      ) as string,
      hint: 'choose another folder or change its permissions',
    });
    compiled.dispose();
  });

  it('tells apart variables and clones that share their data', async () => {
    const start = tf.tensor1d([1, 2]).square();
    const [a, b] = [tf.variable(start), tf.variable(start)];
    const step: StepFunction = (x) => (a.assign(a.add(x)), [a.add(b)]);
    const compiled = await compileStep(step, { inputs: [{ shape: [2], dtype: 'float32' }], variables: [a, b] });
    const sums = [1, 2].map(() => [...(compiled.run(tf.tensor1d([1, 1]))[0] as tf.Tensor).dataSync()]);
    expect(sums).toEqual([
      [3, 9],
      [4, 10],
    ]);
    compiled.read();
    expect([...a.dataSync(), ...b.dataSync()]).toEqual([3, 6, 1, 4]);
    compiled.dispose();
    const outside = a.clone();
    const reading = compileStep((x) => [x.add(outside)], {
      inputs: [{ shape: [2], dtype: 'float32' }],
      variables: [a],
    });
    await expect(reading).rejects.toThrow('Add reading a tensor that was made outside');
  });

  it('takes back an older clone of a variable', async () => {
    const v = tf.variable(tf.scalar(1));
    const start = v.clone();
    const compiled = await compileStep((x) => (v.assign(v.add(x)), [v.clone()]), {
      inputs: [{ shape: [], dtype: 'float32' }],
      variables: [v],
    });
    const next = () => compiled.run(tf.scalar(1))[0]?.dataSync()[0];
    expect([next(), next()]).toEqual([2, 3]);
    v.assign(start);
    compiled.write();
    expect(next()).toBe(2);
    compiled.dispose();
  });

  it('has a name, and an unknown one is told those there are', async () => {
    const define = (name: string) =>
      compileSteps({ [name]: { step: (x: tf.Tensor) => [x.neg()], inputs } }, { variables: [] });
    await expect(define('a/b')).rejects.toThrow(
      'Cannot compile the step: expected a name of letters, digits and _, got "a/b"',
    );
    const steps = await define('neg');
    expect(() => steps.run('abs')).toThrow('expected a step named neg(float32 [2]), neg(float32 [3]), got abs()');
    steps.dispose();
    const many = inputs.map((input) => [...input]);
    const near = {
      a: { step: (x: tf.Tensor) => [x.neg()], inputs: many },
      a_1: { step: (x: tf.Tensor) => [x.abs()], inputs: many },
    };
    const both = await compileSteps(near, { variables: [] });
    const of = (name: 'a' | 'a_1') =>
      both
        .run(name, tf.tensor1d([1, -2, 3]))[0]
        ?.dataSync()
        .join();
    expect([of('a'), of('a_1')]).toEqual(['-1,2,-3', '1,2,3']);
    both.dispose();
  });

  it('keeps no tensor from run to run', async () => {
    const compiled = await compileStep((x) => [x.square()], { inputs, variables: [] });
    const x = tf.zeros([2]);
    tf.dispose(compiled.run(x));
    const before = tf.memory().numTensors;
    for (let i = 0; i < 10; i++) tf.dispose(compiled.run(x));
    expect(tf.memory().numTensors).toBe(before);
    compiled.dispose();
  });

  it('needs the native backend', () => {
    const script = `
      const { openBackend } = await import('./dist/index.js');
      const { compileStep } = await import('./dist/graph/index.js');
      await openBackend('js');
      await compileStep((x) => [x], { inputs: [], variables: [] }).catch((e) => console.log(e.message + '\\n' + e.hint));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(said).toBe(
      "Cannot compile the step: expected the native backend, got the cpu backend\nawait openBackend('native') first; bn-train setup installs it\n",
    );
  });
});

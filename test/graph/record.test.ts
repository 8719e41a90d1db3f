/** What a recorded step may not do, what it leaves as it was, and that a graph holds nothing from the recording. */
import '../support/native.js';
import crypto, { randomInt } from 'node:crypto';
import { hrtime } from 'node:process';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { leanBinding, type StepFunction } from '../../src/graph/record/record.js';
import { type Binding, withFunctions } from '../../src/graph/binding.js';
import { compileStep } from '../support/compiled.js';

const vector = { shape: [3], dtype: 'float32' } as const;
const REFUSED = 'Cannot compile the step: expected a step of TensorFlow ops on its inputs and variables alone, got ';
const VARIABLES = "list it in variables; an optimizer's own are given by optimizerVariables(optimizer, trainable)";
const CHANGES =
  'make what changes an input of the step; draw by random.generator(seed) of bn-train/graph; build layers before';

let tensors = 0;
beforeEach(() => void (tensors = tf.memory().numTensors));
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

async function refusal(step: StepFunction, variables: tf.Variable[] = []): Promise<{ message: string; hint: string }> {
  const outcome = await compileStep(step, { inputs: [vector], variables }).then(
    (compiled) => (compiled.dispose(), undefined),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Error);
  return outcome as { message: string; hint: string };
}

describe('a step is refused that', () => {
  const READ = "a read of a tensor's values (data, dataSync, array or print)";
  it.each<[string, StepFunction]>([
    ['reads with dataSync', (x) => [x.mul(x.square().dataSync()[0] ?? 0)]],
    ['reads with arraySync', (x) => [x.mul(x.square().arraySync())]],
    ['prints', (x) => (x.square().print(), [x])],
    ['reads a tensor from outside', ((outside) => (x) => [x.mul(outside.dataSync()[0] ?? 0)])(tf.scalar(2))],
    ['reads an input', (x) => [x.mul(x.dataSync()[0] ?? 0)]],
  ])('%s', async (_, step) => {
    expect(await refusal(step)).toMatchObject({ message: REFUSED + READ, hint: 'return the tensor instead' });
  });

  it('is asynchronous', async () => {
    const step = ((x: tf.Tensor) => Promise.resolve([x.square()])) as unknown as StepFunction;
    expect(await refusal(step)).toMatchObject({
      message: `${REFUSED}an async function`,
      hint: 'return an array of tensors, such as [loss], and await outside',
    });
  });

  it('waits for values', async () => {
    // With nobody to await the promise, a rejection would end the process.
    const step: StepFunction = (x) => (void x.square().data(), [x.square()]);
    expect((await refusal(step)).message).toBe(REFUSED + READ);
    const waiting = (async (x: tf.Tensor) => [x.mul((await x.data())[0] ?? 0)]) as unknown as StepFunction;
    expect((await refusal(waiting)).message).toBe(`${REFUSED}an async function`);
    const failing = (() => Promise.reject(new Error('seen by nobody'))) as unknown as StepFunction;
    expect((await refusal(failing)).message).toBe(`${REFUSED}an async function`);
  });

  it.each<[string, StepFunction]>([
    ['UniqueV2', (x) => [tf.unique(x).values]],
    ['Where', (x) => [(tf.backend() as unknown as { where: (x: tf.Tensor) => tf.Tensor }).where(x.greater(0))]],
    [
      'NonMaxSuppressionV5',
      (x) => {
        const boxes = tf.zeros<tf.Rank.R2>([3, 4]);
        return Object.values(tf.image.nonMaxSuppressionWithScore(boxes, x as tf.Tensor1D, 1));
      },
    ],
  ])('has a shape that follows from values: %s', async (op, step) => {
    expect(await refusal(step)).toMatchObject({
      message: `${REFUSED}${op}, whose result's shape follows from values`,
      hint: 'do it outside',
    });
  });

  it('runs another compiled step', async () => {
    const inner = await compileStep((x) => [x.square()], { inputs: [vector], variables: [] });
    expect(await refusal((x) => inner.run(x))).toMatchObject({
      message: `${REFUSED}a compiled step that runs inside it`,
      hint: 'compile one step that does both',
    });
    inner.dispose();
  });

  it('fails whatever its inputs', async () => {
    const step: StepFunction = (x) => [x.toInt().div(tf.scalar(0, 'int32'))];
    const { message, hint } = await refusal(step);
    expect(message).toMatch(/, got \w+, which fails: .*division by zero/);
    expect(hint).toBe('inputs are zeros or ones while a step is recorded; it must work with those, too');
  });

  it('passes an attribute that no graph can hold', async () => {
    const step: StepFunction = (x) => [tf.multinomial(x as tf.Tensor1D, 2, 0.5)];
    expect(await refusal(step)).toMatchObject({
      message: `${REFUSED}Multinomial with the attribute seed = 0.5`,
      hint: 'use a whole number, or another op',
    });
  });

  it('returns something else than tensors', async () => {
    const step = (() => [1]) as unknown as StepFunction;
    expect((await refusal(step)).message).toBe(`${REFUSED}a step that returns something else than tensors`);
  });

  it('uses a tensor from outside, computed or only written', async () => {
    const computed = tf.tensor1d([1, 2, 3]).square();
    const written = tf.tensor1d([1, 2, 3]);
    for (const outside of [computed, written])
      expect(await refusal((x) => [x.add(outside as tf.Tensor)])).toMatchObject({
        message: `${REFUSED}Add reading a tensor that was made outside`,
        hint: `make it an input, or a variable and ${VARIABLES}`,
      });
    tf.dispose([computed, written]);
    tensors = tf.memory().numTensors;
  });

  it('reads, assigns to or makes a variable that is not declared', async () => {
    const variable = tf.variable<tf.Rank>(tf.tensor1d([1, 2, 3]).square(), true, 'hidden');
    expect((await refusal((x) => [x.add(variable)])).message).toBe(
      `${REFUSED}Add reading the variable hidden, which it does not declare`,
    );
    const assigning: StepFunction = (x) => (variable.assign(x.square()), [x.square()]);
    expect(await refusal(assigning)).toMatchObject({
      message: `${REFUSED}the variable hidden, which it assigns to but does not declare`,
      hint: VARIABLES,
    });
    expect([...variable.dataSync()]).toEqual([1, 4, 9]);
    const making: StepFunction = (x) => [tf.variable(x.square(), true, 'made').square()];
    expect(await refusal(making)).toMatchObject({
      message: `${REFUSED}the variable made, which it makes at its first call`,
      hint: `call it once, or build the layer, before compiling, and ${VARIABLES}`,
    });
    variable.dispose();
    tensors = tf.memory().numTensors - 1;
    tf.dispose(tf.engine().state.registeredVariables);
    tensors = tf.memory().numTensors;
  });

  it("uses an optimizer's variables that are not declared", async () => {
    const w = tf.variable(tf.tensor1d([1, 2, 3]), true, 'w');
    const adam = tf.train.adam(0.1);
    const step: StepFunction = (x) => [adam.minimize(() => w.mul(x).sum(), true, [w]) as tf.Scalar];
    expect((await refusal(step, [w])).message).toMatch(
      /^Cannot compile the step: .* got Sub reading the variable \d+, which it does not declare$/,
    );
    const sgd = tf.train.sgd(0.1);
    const plain: StepFunction = (x) => [sgd.minimize(() => w.mul(x).sum(), true, [w]) as tf.Scalar];
    expect((await refusal(plain, [w])).message).toContain('got Mul reading a tensor that was made outside');
    expect([...w.dataSync()]).toEqual([1, 2, 3]);
    tf.disposeVariables();
    tensors = tf.memory().numTensors;
  });

  it.each<[string, StepFunction, string]>([
    ['counts on the host', ((n) => (x) => [x.mul(n++)])(1), 'another constant for Mul'],
    ['does something else each time', ((n) => (x) => [n++ % 2 ? x.square() : x.neg()])(0), 'Square instead of Neg'],
    ['does less each time', ((n) => (x) => [n++ ? x.square() : x.square().square()])(0), 'fewer ops'],
    [
      'gives another result each time',
      ((n) => (x: tf.Tensor) => {
        const results = [x.square(), x.neg()];
        return [results[n++] as tf.Tensor];
      })(0),
      'other results',
    ],
  ])('%s', async (_, step, what) => {
    const { message, hint } = await refusal(step);
    expect(message).toMatch(
      new RegExp(
        `^${REFUSED.replace(/[.]/g, '\\.')}${what}.* at a second call, as with a clock, a counter or randomness`,
      ),
    );
    expect(hint).toBe(CHANGES);
  });

  it.each<[string, StepFunction]>([
    ['Math.random', (x) => [Math.random() < 0.5 ? x.square() : x.neg()]],
    ['tf.randomUniform', (x) => [x.add(tf.randomUniform([3]))]],
    ['tf.randomUniform', (x) => [x.add(tf.randomUniform([3], 0, 1, 'float32', 1))]],
    ['tf.randomUniformInt', (x) => [x.add(tf.randomUniformInt([3], 0, 9, 1))]],
    ['tf.randomNormal', (x) => [x.add(tf.randomNormal([3], 0, 1, 'float32', 1))]],
    ['tf.randomStandardNormal', (x) => [x.add(tf.randomStandardNormal([3], 'float32', 1))]],
    ['tf.truncatedNormal', (x) => [x.add(tf.truncatedNormal([3], 0, 1, 'float32', 1))]],
    ['tf.randomGamma', (x) => [x.add(tf.randomGamma([3], 1, 1, 'float32', 1))]],
    ['tf.rand', (x) => [x.add(tf.rand([3], () => 0.5))]],
    ['tf.dropout', (x) => [tf.dropout(x, 0.5)]],
    ['tf.dropout', (x) => [tf.dropout(x, 0.5, undefined, 1)]],
    ['tf.truncatedNormal', (x) => [x.add(tf.initializers.glorotNormal({ seed: 1 }).apply([3, 1]).flatten())]],
    ['Math.random', (x) => [x.add(tf.multinomial(tf.tensor1d([0, 1]), 3).toFloat())]],
    ['crypto.randomInt', (x) => [randomInt(2) ? x.square() : x.neg()]],
    ['crypto.randomInt', (x) => [crypto.randomInt(2) ? x.square() : x.neg()]],
    ['crypto.randomUUID', (x) => [globalThis.crypto.randomUUID() < '8' ? x.square() : x.neg()]],
    ['crypto.getRandomValues', (x) => [x.add(globalThis.crypto.getRandomValues(new Uint8Array(1))[0] ?? 0)]],
  ])('draws on the host: %s', async (by, step) => {
    expect(await refusal(step)).toMatchObject({ message: `${REFUSED}randomness on the host (${by})`, hint: CHANGES });
  });

  const later = (() => {
    const start = Date.now() + 60_000;
    return () => Date.now() > start;
  })();
  it.each<[string, (x: tf.Tensor) => tf.Tensor]>([
    ['Date.now', (x) => x.mul(Date.now())],
    ['Date.now, in minutes', (x) => x.mul(Math.floor(Date.now() / 60_000) % 60)],
    ['whether it is later', (x) => (later() ? x.square() : x.neg())],
    ['a span that is mostly 0', (x) => x.mul(-(Date.now() - Date.now()))],
    ['the year', (x) => x.mul(new Date().getUTCFullYear())],
    ['the month', (x) => x.mul(new Date().getUTCMonth())],
    ['the weekday', (x) => x.mul(new Date().getUTCDay())],
    ['the hour', (x) => x.mul(new Date().getUTCHours())],
    ['the minute', (x) => x.mul(new Date().getUTCMinutes())],
    ['the date as text', (x) => x.mul(Number(Date().slice(11, 15)))],
    ['performance.now', (x) => x.mul(Math.floor(performance.now() / 1000))],
    ['process.hrtime', (x) => x.mul(process.hrtime()[0])],
    [
      'process.hrtime, since',
      (
        (start) => (x: tf.Tensor) =>
          x.mul(process.hrtime(start)[0])
      )(process.hrtime()),
    ],
    ['hrtime, imported', (x) => x.mul(hrtime()[0])],
    ['hrtime.bigint', (x) => x.mul(Number(hrtime.bigint() / 1_000_000_000n))],
    ['process.uptime', (x) => x.mul(Math.floor(process.uptime()))],
  ])('uses a clock: %s', async (_, step) => {
    const { message, hint } = await refusal((x) => [step(x)]);
    expect(message).toMatch(/ at a second call, as with a clock, a counter or randomness on the host$/);
    expect(hint).toBe(CHANGES);
  });

  it('returns a tensor from outside', async () => {
    const outside = tf.tensor1d([1, 2, 3]);
    expect((await refusal(() => [outside])).message).toBe(
      `${REFUSED}its result reading a tensor that was made outside`,
    );
    outside.dispose();
    tensors = tf.memory().numTensors;
  });

  it('holds strings', async () => {
    expect(await refusal(() => [tf.tensor1d(['a', 'b']).reshape([2, 1])])).toMatchObject({
      message: `${REFUSED}a constant of strings`,
      hint: 'turn them into numbers outside',
    });
  });
});

describe('recording', () => {
  it('leaves variables, their data and the number of tensors as they were', async () => {
    const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3])));
    const before = tf.memory().numTensors;
    const data = w.dataId;
    const compiled = await compileStep((x) => (w.assign(w.add(x)), [tf.keep(w.sum())]), {
      inputs: [vector],
      variables: [w],
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(w.dataId).toBe(data);
    expect([...w.dataSync()]).toEqual([1, 2, 3]);
    compiled.dispose();
    w.dispose();
  });

  it('freezes nothing of its zeros: an op of the inputs alone follows them', async () => {
    const compiled = await compileStep((x) => [x.square().add(1)], { inputs: [vector], variables: [] });
    const x = tf.tensor1d([1, 2, 3]);
    const [y] = compiled.run(x);
    expect([...(y as tf.Tensor).dataSync()]).toEqual([2, 5, 10]);
    tf.dispose([x, y]);
    compiled.dispose();
  });

  it('freezes plain numbers and branches, as the README says', async () => {
    let scale = 2;
    const compiled = await compileStep((x) => [scale > 1 ? x.mul(scale) : x.neg()], {
      inputs: [vector],
      variables: [],
    });
    scale = 0;
    const [y] = compiled.run(tf.tensor1d([1, 2, 3]));
    expect([...(y as tf.Tensor).dataSync()]).toEqual([2, 4, 6]);
    compiled.dispose();
    tensors = tf.memory().numTensors;
  });

  it('asks TensorFlow once for what has the same shapes, however many time steps there are', async () => {
    const backend = tf.backend() as unknown as { binding: Binding };
    const { binding } = backend;
    const executed = async (steps: number) => {
      const cell = tf.layers.gru({ units: 4, returnSequences: true });
      const x = { shape: [2, steps, 3], dtype: 'float32' } as const;
      tf.tidy(() => void cell.apply(tf.zeros([2, 1, 3])));
      const variables = cell.getWeights() as tf.Variable[];
      const executeOp = vi.fn(binding.executeOp);
      backend.binding = withFunctions(binding, { executeOp });
      const compiled = await compileStep(
        (sequence) => Object.values(tf.variableGrads(() => tf.sum(cell.apply(sequence) as tf.Tensor), variables).grads),
        { inputs: [x], variables, fuse: false },
      );
      const count = executeOp.mock.calls.length;
      backend.binding = binding;
      compiled.dispose();
      cell.dispose();
      return count;
    };
    const few = await executed(6);
    expect(await executed(24)).toBeLessThan(few + 60);
  });

  it('looks at the values that a shape follows from, and at no others', () => {
    const { binding } = tf.backend() as unknown as { binding: Binding };
    const lean = leanBinding(binding, []);
    const shaped = (values: number[], shape: number[]) => {
      const x = lean.createTensor([values.length], binding.TF_FLOAT, Float32Array.from(values));
      const to = lean.createTensor([shape.length], binding.TF_INT32, Int32Array.from(shape));
      const types = [
        { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
        { name: 'Tshape', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
      ];
      const [made] = lean.executeOp('Reshape', types, [x, to], 1);
      for (const id of [x, to, made?.id ?? -1]) lean.deleteTensor(id);
      return made;
    };
    const many = new Array<number>(20).fill(1);
    const first = shaped(many, [4, 5]);
    expect(shaped(many, [5, 4])?.shape).toEqual([5, 4]);
    expect(
      shaped(
        many.map((_, i) => i),
        [4, 5],
      ),
    ).toEqual({ ...first, id: 2 ** 30 });
  });

  it('keeps no large result, and feeds zeros where it is read', () => {
    const { binding } = tf.backend() as unknown as {
      binding: Binding & { tensorDataSync: (id: number) => Float32Array };
    };
    const lean = leanBinding(binding, []);
    const type = [{ name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }];
    const x = binding.createTensor([2 ** 14], binding.TF_FLOAT, new Float32Array(2 ** 14).fill(2));
    const [square] = lean.executeOp('Square', type, [x], 1);
    expect(square).toMatchObject({ shape: [2 ** 14], dtype: binding.TF_FLOAT });
    const id = square?.id ?? -1;
    expect(() => binding.deleteTensor(id)).toThrow(`tensor_id: ${id}`);
    const axes = binding.createTensor([1], binding.TF_INT32, Int32Array.of(0));
    const sum = [
      { name: 'keep_dims', type: binding.TF_ATTR_BOOL, value: false },
      ...type,
      { name: 'Tidx', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
    ];
    // 2² of each is 65,536; of zeros it is 0.
    const [total] = lean.executeOp('Sum', sum, [id, axes], 1);
    expect([...binding.tensorDataSync(total?.id ?? -1)]).toEqual([0]);
    for (const made of [x, axes, total?.id ?? -1, id]) lean.deleteTensor(made);
    expect(() => binding.deleteTensor(x)).toThrow(`tensor_id: ${x}`);
  });

  it('lets a step tell the time and time itself', async () => {
    const told: string[] = [];
    const compiled = await compileStep(
      (x) => {
        const [start, clock] = [performance.now(), hrtime()];
        const result = x.square();
        told.push(`${new Date().toISOString()} ${performance.now() - start} ${hrtime(clock).join()} ${Date.now()}`);
        return [result];
      },
      { inputs: [vector], variables: [] },
    );
    expect(told).toHaveLength(2);
    expect(told[0]?.slice(0, 10)).toBe(new Date().toISOString().slice(0, 10));
    compiled.dispose();
  });

  it("puts the host's clocks and randomness back, after a refusal, too", async () => {
    const places: [object, ...string[]][] = [
      [globalThis, 'Date'],
      [Date, 'now'],
      [performance, 'now'],
      [process, 'hrtime', 'uptime'],
      [hrtime, 'bigint'],
      [Math, 'random'],
      [crypto, 'randomInt', 'randomUUID'],
      [globalThis.crypto, 'getRandomValues', 'randomUUID'],
      [tf.RNN.prototype, 'call'],
    ];
    const host = () => [
      hrtime,
      randomInt,
      ...places.flatMap(([target, ...names]) =>
        names.flatMap((name): unknown[] => [Reflect.get(target, name), Object.hasOwn(target, name)]),
      ),
    ];
    const before = host();
    await refusal((x) => [x.mul(Date.now())]);
    await refusal((x) => [x.mul(Math.random())]);
    (await compileStep((x) => [x.square()], { inputs: [vector], variables: [] })).dispose();
    for (const [i, found] of host().entries()) expect(found).toBe(before[i]);
    expect(Math.abs(Date.now() - new Date().getTime())).toBeLessThan(60_000);
  });

  it('leaves the backend usable after a refusal', async () => {
    await refusal((x) => [x.mul(x.square().dataSync()[0] ?? 0)]);
    const square = tf.tidy(() => [...tf.tensor1d([1, 2, 3]).square().dataSync()]);
    expect(square).toEqual([1, 4, 9]);
  });
});

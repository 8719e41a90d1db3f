/** Draws in the graph: their distributions, that they are fresh at every step, and that a state tells them all. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { optimizerVariables } from '../../src/graph/optimizer.js';
import { generator } from '../../src/graph/random.js';
import type { StepFunction } from '../../src/graph/record/record.js';
import { firstOf } from '../support/amount.js';
import { compileStep } from '../support/compiled.js';

afterAll(() => tf.disposeVariables());

const values = (tensor: tf.Tensor | undefined) => [...(tensor as tf.Tensor).dataSync()];
const drawn = (draw: () => tf.Tensor) => tf.tidy(() => values(draw()));
const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
const moment = (list: number[], power: number) => mean(list.map((value) => value ** power));
function correlation(a: number[], b: number[]): number {
  const standardized = [a, b].map((list) => {
    const [center, square] = [mean(list), moment(list, 2)];
    return list.map((value) => (value - center) / Math.sqrt(square - center ** 2));
  });
  return mean(a.map((_, i) => (standardized[0]?.[i] ?? NaN) * (standardized[1]?.[i] ?? NaN)));
}

// With n draws, what is estimated lies within 4 deviations of it: all seeds are fixed, so that it stays there.
const n = 20_000;
const DEVIATIONS = 4;
const expectNear = (got: number, expected: number, deviation: number) =>
  expect(Math.abs(got - expected)).toBeLessThan((DEVIATIONS * deviation) / Math.sqrt(n));

describe('a generator', () => {
  it("draws what TensorFlow's stateless ops draw in Python for its state", () => {
    const own = generator(7);
    const state = tf.tensor1d([7, 3], 'int32');
    own.state.assign(state);
    const uniform = drawn(() => own.uniform([100_003])).slice(0, 4);
    own.state.assign(state);
    const normal = drawn(() => own.normal([100_003])).slice(0, 4);
    expect(uniform).toEqual([0.98180056, 0.39572632, 0.72238266, 0.7712573].map(Math.fround));
    expect(normal.map((value) => value.toFixed(6))).toEqual(['0.116778', '-0.151977', '-0.799291', '0.107396']);
    expect(values(own.state)).toEqual([7, 4]);
    state.dispose();
    own.dispose();
  });

  it('draws evenly between its bounds', () => {
    const own = generator(1);
    const list = drawn(() => own.uniform([n], 2, 5));
    expect(list.every((value) => value >= 2 && value < 5)).toBe(true);
    const bins = Array.from({ length: 100 }, () => 0);
    for (const i of list.map((value) => Math.floor(((value - 2) / 3) * 100))) bins[i] = (bins[i] ?? 0) + 1;
    const chiSquare = bins.reduce((sum, count) => sum + (count - n / 100) ** 2 / (n / 100), 0);
    // Of 99 degrees of freedom: 1 in 10,000 lies below 56 or above 161.
    expect(chiSquare).toBeGreaterThan(56);
    expect(chiSquare).toBeLessThan(161);
    own.dispose();
  });

  it('draws normally', () => {
    const own = generator(2);
    const list = drawn(() => own.normal([n], 3, 2)).map((value) => (value - 3) / 2);
    expectNear(mean(list), 0, 1);
    expectNear(moment(list, 2), 1, Math.sqrt(2));
    expectNear(moment(list, 3), 0, Math.sqrt(15));
    expectNear(moment(list, 4), 3, Math.sqrt(96));
    expectNear(mean(list.map((value) => Number(Math.abs(value) < 1))), 0.682689, 0.466);
    own.dispose();
  });

  it('drops out at its rate, and scales what is left', () => {
    const own = generator(3);
    const list = tf.tidy(() => values(own.dropout(tf.fill([n], 3), 0.25)));
    expect(new Set(list)).toEqual(new Set([0, 4]));
    expectNear(mean(list.map((value) => Number(value === 0))), 0.25, Math.sqrt(0.25 * 0.75));
    const shared = tf.tidy(() => own.dropout(tf.ones([50, 8]), 0.5, [50, 1]).arraySync() as number[][]);
    for (const row of shared) expect(new Set(row).size).toBe(1);
    expect(new Set(shared.flat())).toEqual(new Set([0, 2]));
    const before = values(own.state);
    const x = tf.tensor1d([1, 2]);
    expect(drawn(() => own.dropout(x, 0))).toEqual([1, 2]);
    expect(values(own.state)).toEqual(before);
    x.dispose();
    own.dispose();
  });

  it('draws independently each time, and by each seed', () => {
    const list = [generator(1), generator(2), generator(2 ** 40), generator(-1)].flatMap((own) => {
      const draws = [1, 2].map(() => drawn(() => own.uniform([n])));
      own.dispose();
      return draws;
    });
    for (const [i, a] of list.entries()) for (const b of list.slice(0, i)) expectNear(correlation(a, b), 0, 1);
    const unseeded = [generator(), generator()];
    expect(unseeded[0]?.state.dataSync()[0]).not.toBe(unseeded[1]?.state.dataSync()[0]);
    for (const own of unseeded) own.dispose();
  });

  it.each([
    ['a rate of 1', 1],
    ['a negative rate', -0.1],
    ['no number', NaN],
  ])('does not drop out at %s', (_, rate) => {
    const own = generator(1);
    expect(() => own.dropout(tf.ones([2]), rate)).toThrow(
      `Cannot drop out: expected a rate from 0 to below 1, got ${rate}`,
    );
    own.dispose();
  });

  it.each([0.5, NaN, Infinity])('is not made by the seed %s', (seed) => {
    expect(() => generator(seed)).toThrow(
      `Cannot make a random generator: expected a whole number as its seed, got ${seed}`,
    );
  });

  it('needs the native backend, and a shape', async () => {
    const own = generator(1);
    expect(() => own.uniform([-1])).toThrow('comprised of positive integers but got shape [-1]');
    const name = tf.getBackend();
    await tf.setBackend('cpu');
    expect(() => own.uniform([2])).toThrow(
      expect.objectContaining({
        message: 'Cannot draw random numbers: expected the native backend, got the cpu backend',
        hint: "await openBackend('native') first; bn-train setup installs it",
      }) as Error,
    );
    await tf.setBackend(name);
    own.dispose();
  });

  it('keeps no tensors', () => {
    const own = generator(1);
    const before = tf.memory().numTensors;
    tf.dispose([
      own.uniform([2]),
      own.normal([2], 1, 2),
      own.dropout(
        tf.tidy(() => tf.ones([2])),
        0.5,
      ),
    ]);
    expect(tf.memory().numTensors - before).toBe(1);
    own.dispose();
  });
});

describe('a compiled step with a generator', () => {
  const inputs = [{ shape: [4], dtype: 'float32' }] as const;
  const drawing = (own: ReturnType<typeof generator>): StepFunction => {
    return (x) => [x.add(own.uniform([4])), own.normal([3], 1, 2), own.dropout(x, 0.5)];
  };

  it('draws as op by op, run by run or many at once, and counts on', async () => {
    const own = generator(5);
    const step = drawing(own);
    const ones = tf.ones([4]);
    const eager = [1, 2, 3, 4].map(() => tf.tidy(() => step(ones).map(values)));
    const after = values(own.state);
    expect(after).toEqual([5, 12]);
    own.state.assign(tf.tensor1d([5, 0], 'int32'));
    const compiled = await compileStep(step, { inputs, variables: [own] });
    const one = [1, 2].map(() => tf.tidy(() => compiled.run(ones).map(values)));
    const many = tf.tidy(() => compiled.runMany(tf.ones([2, 4])).map((stack) => tf.unstack(stack).map(values)));
    expect([...one, ...[0, 1].map((i) => many.map((all) => all[i]))]).toEqual(eager);
    compiled.read();
    expect(values(own.state)).toEqual(after);
    own.state.assign(tf.tensor1d([5, 3], 'int32'));
    compiled.write();
    expect(tf.tidy(() => compiled.run(ones).map(values))).toEqual(eager[1]);
    compiled.dispose();
    own.dispose();
  });

  it.each<[string, unknown, string]>([
    ['text', '7', '"7"'],
    ['a fraction', 0.5, '0.5'],
    ['null', null, 'null'],
  ])('has no seed that is %s', async (_, seed, got) => {
    const compiling = compileStep((x) => [x], { inputs, seed: seed as number });
    await expect(compiling).rejects.toMatchObject({
      message: `Cannot compile the step: expected seed to be a whole number or a random generator, got ${got}`,
      hint: 'random.generator(1) makes one',
    });
  });

  it('is refused where it does not declare the state', async () => {
    const own = generator(5);
    await expect(compileStep(drawing(own), { inputs, variables: [] })).rejects.toMatchObject({
      message: expect.stringMatching(/got \w+ reading the variable \S+, which it does not declare$/) as string,
      hint: expect.stringMatching(/^list it in variables/) as string,
    });
    own.dispose();
  });
});

const { layers } = tf;
const x = tf.tidy(() => tf.variable(tf.ones([20, 1000]), false));
const inputs = [{ shape: x.shape, dtype: 'float32' }] as const;
const applying = (...applied: tf.layers.Layer[]): StepFunction => {
  return (given) => applied.map((layer) => layer.apply(given, { training: true }) as tf.Tensor);
};

/** Of two runs, then two in one call, what each layer gave. */
async function four(step: StepFunction, seed?: number): Promise<number[][][]> {
  const compiled = await compileStep(step, { inputs, variables: [], ...(seed === undefined ? {} : { seed }) });
  const runs = [1, 2].map(() => tf.tidy(() => compiled.run(x).map(values)));
  const many = tf.tidy(() => compiled.runMany(tf.stack([x, x])).map((stack) => tf.unstack(stack).map(values)));
  compiled.dispose();
  return [...runs, ...[0, 1].map((i) => many.map((all) => all[i] ?? []))];
}

describe('layers in a compiled step', () => {
  const isZero = (list: number[]) => mean(list.map((value) => Number(value === 0)));
  it.each<[string, () => tf.layers.Layer, (list: number[]) => void]>([
    [
      'dropout',
      () => layers.dropout({ rate: 0.2 }),
      (list) => {
        expect(new Set(list)).toEqual(new Set([0, 1.25]));
        expectNear(isZero(list), 0.2, 0.4);
      },
    ],
    [
      'dropout with a seed',
      () => layers.dropout({ rate: 0.2, seed: 3 }),
      (list) => {
        expect(new Set(list)).toEqual(new Set([0, 1.25]));
        expectNear(isZero(list), 0.2, 0.4);
      },
    ],
    [
      'gaussianNoise',
      () => layers.gaussianNoise({ stddev: 0.5 }),
      (list) => {
        expectNear(mean(list), 1, 0.5);
        expectNear(moment(list, 2) - mean(list) ** 2, 0.25, 0.25 * Math.sqrt(2));
      },
    ],
    [
      'gaussianDropout',
      () => layers.gaussianDropout({ rate: 0.2 }),
      (list) => {
        expectNear(mean(list), 1, 0.5);
        expectNear(moment(list, 2) - mean(list) ** 2, 0.25, 0.25 * Math.sqrt(2));
      },
    ],
    [
      'alphaDropout',
      () => layers.alphaDropout({ rate: 0.2 }),
      (list) => {
        const layer = layers.alphaDropout({ rate: 0.2 });
        const stock = tf.tidy(() => values(layer.apply(x, { training: true }) as tf.Tensor));
        expect(new Set(list)).toEqual(new Set(stock));
        // What the stock layer drops becomes 1.76 where it should -1.76, as docs/backends.md has it.
        const dropped = Math.max(...new Set(stock));
        expectNear(mean(list.map((value) => Number(value === dropped))), 0.2, 0.4);
      },
    ],
  ])('%s draws as it should, and afresh: within a step, at every step, in one call or more', async (_, make, check) => {
    const runs = (await four(applying(make(), make()), 11)).flat();
    for (const list of runs) check(list);
    for (const [i, a] of runs.entries()) for (const b of runs.slice(0, i)) expectNear(correlation(a, b), 0, 1);
  });

  it('spatialDropout1d drops whole channels', async () => {
    const layer = layers.spatialDropout1d({ rate: 0.5, inputShape: [5, 30] });
    const step: StepFunction = (given) => [layer.apply(given, { training: true }) as tf.Tensor];
    const compiled = await compileStep(step, {
      inputs: [{ shape: [2, 5, 30], dtype: 'float32' }],
      variables: [],
      seed: 1,
    });
    const [first, second] = [1, 2].map(() =>
      tf.tidy(() => compiled.run(tf.ones([2, 5, 30]))[0]?.arraySync() as number[][][]),
    );
    for (const image of first ?? []) for (const row of image) expect(row).toEqual(image[0]);
    expect(new Set(first?.flat(2))).toEqual(new Set([0, 2]));
    expect(first).not.toEqual(second);
    compiled.dispose();
  });

  const both = { dropout: 0.5, recurrentDropout: 0.5 };
  const units = { units: 6, inputShape: [3, 6], returnSequences: true };
  const both4 = { units: 4, ...both };
  const recurrent: [string, () => tf.layers.Layer, number[]][] = [
    ['simpleRNN', () => layers.simpleRNN({ ...units, ...both }), [2, 3, 6]],
    ['lstm', () => layers.lstm({ ...units, ...both }), [2, 3, 6]],
    [
      'a stack of cells',
      () => {
        const cell = [layers.lstmCell({ units: 4, ...both }), layers.gruCell({ units: 3, ...both })];
        return layers.rnn({ cell, inputShape: [3, 6], returnSequences: true });
      },
      [2, 3, 6],
    ],
    ['gru', () => layers.gru({ ...units, ...both }), [2, 3, 6]],
    ['lstm, recurrent alone', () => layers.lstm({ ...units, recurrentDropout: 0.5 }), [2, 3, 6]],
    [
      'convLstm2d',
      () => layers.convLstm2d({ filters: 2, kernelSize: 2, ...both, inputShape: [2, 4, 4, 3] }),
      [1, 2, 4, 4, 3],
    ],
    [
      'bidirectional',
      () => layers.bidirectional({ layer: layers.lstm(both4), mergeMode: 'concat', inputShape: [3, 6] }),
      [2, 3, 6],
    ],
  ];
  it.each(firstOf(recurrent, 3))(
    '%s drops out afresh at every step, whatever it did before, and trains',
    async (_, make, shape) => {
      const model = tf.sequential({ layers: [make(), layers.dense({ units: 1 })] });
      const weights = model.weights.map((weight) => weight.read() as tf.Variable);
      const given = tf.ones(shape);
      const train = () => tf.tidy(() => values(model.apply(given, { training: true }) as tf.Tensor));
      const idle = () => tf.tidy(() => values(model.apply(given) as tf.Tensor));
      train();
      const sgd = tf.train.sgd(0);
      const step: StepFunction = (input) => {
        const loss = () => (model.apply(input, { training: true }) as tf.Tensor).square().sum();
        return [sgd.minimize(loss as () => tf.Scalar, true, weights) as tf.Scalar];
      };
      const variables = [...weights, ...optimizerVariables(sgd, weights)];
      const compiled = await compileStep(step, { inputs: [given], variables, seed: 3 });
      const losses = () => [1, 2, 3].map(() => tf.tidy(() => values(compiled.run(given)[0])[0]));
      const [first, expected] = [losses(), idle()];
      expect(new Set(first).size).toBe(3);
      train();
      expect(idle()).toEqual(expected);
      compiled.dispose();
      const again = await compileStep(step, { inputs: [given], variables, seed: 3 });
      expect([1, 2, 3].map(() => tf.tidy(() => values(again.run(given)[0])[0]))).toEqual(first);
      again.dispose();
    },
  );

  it('a recurrent layer has one mask for all times of a sequence', async () => {
    const layer = layers.simpleRNN({
      units: 40,
      inputShape: [5, 40],
      activation: 'linear',
      recurrentInitializer: 'zeros',
      dropout: 0.5,
      returnSequences: true,
    });
    tf.tidy(() => void layer.apply(tf.ones([2, 5, 40])));
    const [kernel] = layer.weights.map((weight) => weight.read() as tf.Variable);
    tf.tidy(() => kernel?.assign(tf.eye(40)));
    const compiled = await compileStep((given) => [layer.apply(given, { training: true }) as tf.Tensor], {
      inputs: [{ shape: [2, 5, 40], dtype: 'float32' }],
      variables: layer.weights.map((weight) => weight.read() as tf.Variable),
      seed: 8,
    });
    const sequences = tf.tidy(() => compiled.run(tf.ones([2, 5, 40]))[0]?.arraySync() as number[][][]);
    for (const sequence of sequences) for (const row of sequence) expect(row).toEqual(sequence[0]);
    expect(new Set(sequences.flat(2))).toEqual(new Set([0, 2]));
    compiled.dispose();
  });

  it('follow the seed of the compiled step, and their own before it', async () => {
    const plain = applying(layers.dropout({ rate: 0.5 }));
    expect(await four(plain, 1)).toEqual(await four(plain, 1));
    expect(await four(plain, 1)).not.toEqual(await four(plain, 2));
    expect(await four(plain)).not.toEqual(await four(plain));
    const seeded = (seed: number) => applying(layers.dropout({ rate: 0.5, seed }));
    expect(await four(seeded(6), 1)).toEqual(await four(seeded(6), 2));
    expect(await four(seeded(6))).toEqual(await four(seeded(6)));
    expect(await four(seeded(6), 1)).not.toEqual(await four(seeded(7), 1));
    expect(await four(seeded(0.5), 1)).not.toEqual(await four(seeded(0), 1));
  });

  it('draw nothing in inference', async () => {
    const layer = layers.dropout({ rate: 0.5, seed: 1 });
    const own = generator(1);
    const before = tf.memory().numTensors;
    const idle = await compileStep((given) => [layer.apply(given) as tf.Tensor], { inputs, variables: [] });
    expect(tf.memory().numTensors).toBe(before);
    expect(
      tf.tidy(() =>
        idle
          .run(x)
          .map(values)[0]
          ?.every((value) => value === 1),
      ),
    ).toBe(true);
    idle.dispose();
    const shared = await compileStep((given) => [layer.apply(given) as tf.Tensor], {
      inputs,
      variables: [],
      seed: own,
    });
    tf.dispose(shared.run(x));
    shared.read();
    expect(values(own.state)).toEqual([1, 0]);
    shared.dispose();
    own.dispose();
    expect(tf.memory().numTensors).toBe(before - 1);
  });

  it('have one mask for value and gradient', async () => {
    const layer = layers.dropout({ rate: 0.5 });
    const f = (given: tf.Tensor) => (layer.apply(given, { training: true }) as tf.Tensor).square().sum();
    const step: StepFunction = (given) => {
      const { value, grad } = tf.valueAndGrad(f)(given);
      return [value, grad];
    };
    const compiled = await compileStep(step, { inputs, variables: [], seed: 1 });
    const [[value], gradient] = tf.tidy(() => compiled.run(x).map(values)) as [number[], number[]];
    // Of Σ (m x)² at x = 1 it is 2 m².
    expect(new Set(gradient)).toEqual(new Set([0, 8]));
    expect(gradient.reduce((sum, each) => sum + each, 0) / 2).toBe(value);
    compiled.dispose();
  });

  it('keep no tensors from run to run', async () => {
    const before = tf.memory().numTensors;
    const compiled = await compileStep(applying(layers.dropout({ rate: 0.5 })), { inputs, variables: [] });
    tf.dispose(compiled.run(x));
    const between = tf.memory().numTensors;
    for (let i = 0; i < 10; i++) tf.dispose(compiled.run(x));
    expect(tf.memory().numTensors).toBe(between);
    compiled.dispose();
    expect(tf.memory().numTensors).toBe(before);
    const refused = compileStep((given) => [given.mul(given.dataSync()[0] ?? 0)], { inputs, variables: [] });
    await expect(refused).rejects.toThrow("got a read of a tensor's values");
    expect(tf.memory().numTensors).toBe(before);
    expect(() => compiled.run(x)).toThrow('got a step after its dispose()');
  });

  it('draw under XLA, too, the same by the same seed', async () => {
    const draw = async () => {
      const step = applying(layers.dropout({ rate: 0.2 }), layers.gaussianNoise({ stddev: 0.5 }));
      const compiled = await compileStep(step, { inputs, variables: [], seed: 9, xla: true });
      const runs = [1, 2].map(() => tf.tidy(() => compiled.run(x).map(values)));
      compiled.dispose();
      return runs;
    };
    const runs = await draw();
    for (const [dropped, noisy] of runs as [number[], number[]][]) {
      expectNear(isZero(dropped), 0.2, 0.4);
      expectNear(mean(noisy), 1, 0.5);
    }
    expectNear(correlation(runs[0]?.[0] ?? [], runs[1]?.[0] ?? []), 0, 1);
    expect(await draw()).toEqual(runs);
  });
});

it('op by op, layers of TensorFlow.js draw as docs/backends.md says', () => {
  const training = (layer: tf.layers.Layer, given: tf.Tensor) =>
    tf.tidy(() => values(layer.apply(given, { training: true }) as tf.Tensor));
  const dropout = layers.dropout({ rate: 0.5, seed: 1 });
  expect(training(dropout, x)).toEqual(training(dropout, x));
  // By Klambauer et al. 2017 (arXiv 1706.02515) the mean of what is normal stays 0.
  const normal = tf.randomNormal(x.shape, 0, 1, 'float32', 1);
  expect(mean(training(layers.alphaDropout({ rate: 0.3 }), normal))).toBeGreaterThan(0.5);
  const cell = [layers.lstmCell({ units: 4, dropout: 0.5 }), layers.gruCell({ units: 4 })];
  const stack = layers.rnn({ cell, inputShape: [3, 6] });
  const sequence = tf.ones([2, 3, 6]);
  expect(training(stack, sequence)).toEqual(training(stack, sequence));
  tf.dispose([normal, sequence]);
});

it('training with dropout goes on bit for bit from saved weights and the state', async () => {
  const shape = [16, 8];
  /** What a process of its own would have; `saved` is what an earlier one wrote. */
  async function train(steps: number[], saved?: tf.Tensor[]): Promise<tf.Tensor[]> {
    const net = tf.sequential({
      layers: [
        layers.dense({ units: 32, inputShape: [8], kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
        layers.dropout({ rate: 0.5 }),
        layers.gaussianNoise({ stddev: 0.1 }),
        layers.dropout({ rate: 0.1, seed: 4 }),
        layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
      ],
    });
    const weights = net.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const adam = tf.train.adam(0.01);
    const own = generator(saved ? 99 : 1);
    const variables = [...weights, ...optimizerVariables(adam, weights), own.state];
    for (const [i, value] of (saved ?? []).entries()) variables[i]?.assign(value);
    const step: StepFunction = (input) => {
      const loss = () =>
        tf.losses.meanSquaredError(input.sum(1, true), net.apply(input, { training: true }) as tf.Tensor);
      return [adam.minimize(loss as () => tf.Scalar, true, weights) as tf.Scalar];
    };
    const compiled = await compileStep(step, { inputs: [{ shape, dtype: 'float32' }], variables, seed: own });
    for (const i of steps) tf.tidy(() => compiled.run(tf.randomNormal(shape, 0, 1, 'float32', i)));
    compiled.read();
    compiled.dispose();
    return variables.map((variable) => variable.clone());
  }
  const whole = await train([1, 2, 3, 4, 5, 6]);
  const resumed = await train([4, 5, 6], await train([1, 2, 3]));
  expect(resumed.map(values)).toEqual(whole.map(values));
  expect(resumed.map(values)).not.toEqual((await train([1, 2, 3])).map(values));
});

it("a seeded tf.multinomial draws afresh at every run, by TensorFlow's own generator from its seed on", async () => {
  const logits = tf.tensor1d([0, 1, 0]);
  const draws = async () => {
    const compiled = await compileStep((given) => [tf.multinomial(given as tf.Tensor1D, 100, 5)], {
      inputs: [logits],
      variables: [],
    });
    const runs = [1, 2].map(() => tf.tidy(() => values(compiled.run(logits)[0])));
    compiled.dispose();
    return runs;
  };
  const [first, second] = await draws();
  expect(first).not.toEqual(second);
  expect(await draws()).toEqual([first, second]);
});

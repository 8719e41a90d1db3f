/** The variables of compiled steps between runs: who assigns to one, reads it, clones it or disposes of it sees what eager code would. */
import '../support/native.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, it } from 'vitest';
import type { CompiledStep } from '../../src/graph/compile.js';
import { compileStep } from '../support/compiled.js';
import { optimizerVariables } from '../../src/graph/optimizer.js';
import { type Binding, type NativeBackend, withFunctions } from '../../src/graph/binding.js';
import type { StepFunction } from '../../src/graph/record/record.js';
import { openBackend } from '../../src/runtime/open.js';
import { amount } from '../support/amount.js';

const native = tf.backend() as NativeBackend;
const binding = native.binding as Binding & { getNumOfSavedModels: () => number; getNumOfTensors: () => number };

/** How many variables were fetched from sessions. */
let fetched = 0;
native.binding = withFunctions(binding, {
  runSavedModel: (...given) => {
    fetched += given[3].match(/\bget\d+/g)?.length ?? 0;
    return binding.runSavedModel(...given);
  },
});

afterEach(() => {
  tf.disposeVariables();
  expect(tf.getBackend()).toBe('tensorflow');
});

const one = tf.keep(tf.tensor1d([1]));
const vector = { shape: [1], dtype: 'float32' } as const;
const valueOf = (tensor?: tf.Tensor) => tensor?.dataSync()[0];

/** w ← w + x, and gives the new value. */
async function counter(start = 0): Promise<{ w: tf.Variable; step: CompiledStep; next: () => number | undefined }> {
  const w = tf.tidy(() => tf.variable(tf.tensor1d([start])));
  const step = await compileStep((x) => (w.assign(w.add(x)), [w.clone()]), { inputs: [vector], variables: [w, w] });
  return { w, step, next: () => tf.tidy(() => valueOf(step.run(one)[0])) };
}

const layers = () =>
  tf.sequential({
    layers: [tf.layers.dense({ units: 1, useBias: false, inputShape: [1], kernelInitializer: 'zeros' })],
  });

async function underOther<T>(action: () => T | Promise<T>): Promise<T> {
  await openBackend('js', { quiet: true });
  try {
    return await action();
  } finally {
    await tf.setBackend('tensorflow');
  }
}

describe('a variable that is looked at has the value of the last run', () => {
  it.each<[string, (w: tf.Variable) => unknown]>([
    ['dataSync', (w) => [...w.dataSync()]],
    ['data', async (w) => [...(await w.data())]],
    ['arraySync', (w) => w.arraySync()],
    ['array', (w) => w.array()],
    ['buffer', async (w) => [(await w.buffer()).get(0)]],
    ['bytes', async (w) => [...new Float32Array(((await w.bytes()) as Uint8Array).buffer)]],
    ['an op', (w) => tf.tidy(() => w.mul(1).arraySync())],
    ['a clone', (w) => tf.tidy(() => w.clone().arraySync())],
    ['a clone of a clone', (w) => tf.tidy(() => w.clone().reshape([1, 1]).clone().reshape([1]).arraySync())],
    ['another variable made of it', (w) => tf.tidy(() => w.variable().arraySync())],
    [
      'another variable that it is assigned to',
      (w) => {
        const other = tf.tidy(() => tf.variable(tf.tensor1d([7])));
        other.assign(w as tf.Tensor1D);
        return other.arraySync();
      },
    ],
    ['toString', (w) => [Number(/\[(\d+),?\]/.exec(w.toString())?.[1])]],
    [
      'a gradient',
      (w) =>
        tf.tidy(() =>
          tf
            .grad((x) => x.mul(w).sum())(one)
            .arraySync(),
        ),
    ],
    ['the JS backend', (w) => underOther(() => tf.tidy(() => w.mul(1).arraySync()))],
    ['the JS backend, without an op', (w) => underOther(() => [...w.dataSync()])],
  ])('with %s', async (_, look) => {
    const { w, step, next } = await counter();
    next();
    next();
    expect(await look(w)).toEqual([2]);
    next();
    expect(await look(w)).toEqual([3]);
    step.dispose();
    expect(await look(w)).toEqual([3]);
  });

  it.each<[string, (model: tf.LayersModel) => unknown]>([
    ['predict', (model) => tf.tidy(() => valueOf(model.predict(tf.ones([1, 1])) as tf.Tensor))],
    ['getWeights', (model) => valueOf(model.getWeights()[0])],
    [
      'evaluate',
      (model) => {
        model.compile({ loss: 'meanAbsoluteError', optimizer: 'sgd' });
        return tf.tidy(() => valueOf(model.evaluate(tf.ones([1, 1]), tf.zeros([1, 1])) as tf.Tensor));
      },
    ],
    [
      'save',
      async (model) => {
        let saved: ArrayBuffer | undefined;
        const handler = tf.io.withSaveHandler(({ weightData }) => {
          saved = weightData as ArrayBuffer;
          return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
        });
        await model.save(handler);
        return new Float32Array(saved as ArrayBuffer)[0];
      },
    ],
  ])("with a model's %s", async (_, look) => {
    const model = layers();
    const w = model.weights[0]?.read() as tf.Variable;
    const step = await compileStep((x) => (w.assign(w.add(x)), []), {
      inputs: [{ shape: [1, 1], dtype: 'float32' }],
      variables: [w],
    });
    step.run(tf.ones([1, 1]));
    step.run(tf.ones([1, 1]));
    expect(await look(model)).toBe(2);
    step.run(tf.ones([1, 1]));
    step.dispose();
    expect(await look(model)).toBe(3);
  });

  it("with an optimizer's getWeights", async () => {
    const w = tf.variable(tf.tensor1d([1]));
    const adam = tf.train.adam(0.1);
    const variables = [w, ...optimizerVariables(adam, [w])];
    const step = await compileStep((x) => [adam.minimize(() => w.mul(x).sum(), true, [w]) as tf.Scalar], {
      inputs: [vector],
      variables,
    });
    for (let i = 0; i < 3; i++) step.run(one);
    const weights = await adam.getWeights();
    const values = weights.map(({ tensor }) => valueOf(tensor));
    expect(values[1]).toBeCloseTo(0.271, 5);
    expect(values[2]).toBeCloseTo(0.002997, 6);
    step.dispose();
  });

  it('inside tf.tidy and outside, without a tensor more', async () => {
    const { w, step, next } = await counter();
    next();
    const before = tf.memory();
    tf.tidy(() => void w.dataSync());
    next();
    w.dataSync();
    next();
    expect(tf.tidy(() => w.add(1).arraySync())).toEqual([4]);
    expect(tf.memory()).toMatchObject({ ...before });
    step.dispose();
    expect(tf.memory()).toMatchObject({ ...before });
  });

  it('and is fetched then, once, or not at all', async () => {
    const { w, step, next } = await counter();
    const fetches = (action: () => unknown) => {
      const before = fetched;
      action();
      return fetched - before;
    };
    expect(fetches(() => [next(), next(), w.clone().dispose(), next()])).toBe(0);
    expect(fetches(() => [w.dataSync(), String(w), tf.tidy(() => w.add(1))])).toBe(1);
    expect(fetches(() => [next(), w.assign(one), next()])).toBe(0);
    expect(fetches(() => [step.read(), step.read(), w.dataSync()])).toBe(1);
    next();
    expect(fetches(() => [w.dispose(), step.dispose()])).toBe(0);
  });
});

describe('a clone keeps the value of its moment', () => {
  it('whether it is looked at before the next run or after many', async () => {
    const { w, step, next } = await counter();
    const clones = [w.clone()];
    for (let i = 1; i < 6; i++) {
      next();
      if (i % 2) clones.push(w.clone());
    }
    expect(clones.map(valueOf)).toEqual([0, 1, 3, 5]);
    step.dispose();
    expect([...clones, w].map(valueOf)).toEqual([0, 1, 3, 5, 5]);
    tf.dispose(clones);
  });

  it('as the best weights do, which are put back at the end', async () => {
    const { w, step, next } = await counter();
    next();
    next();
    const best = w.clone();
    next();
    next();
    expect(valueOf(w)).toBe(4);
    w.assign(best);
    expect([valueOf(w), next(), valueOf(w), valueOf(best)]).toEqual([2, 3, 3, 2]);
    w.assign(best);
    best.dispose();
    expect(next()).toBe(3);
    step.dispose();
  });

  it('though the variable was assigned to before the run', async () => {
    const { w, step, next } = await counter();
    next();
    const clone = w.clone();
    w.assign(tf.tensor1d([50]));
    expect([next(), valueOf(clone), valueOf(w)]).toEqual([51, 1, 51]);
    step.dispose();
  });

  it('as does a variable that is made of another, or assigned to it', async () => {
    const { w, step, next } = await counter();
    const copy = tf.variable(tf.tensor1d([-1]));
    next();
    copy.assign(w as tf.Tensor1D);
    const made = w.variable();
    next();
    expect([w, copy, made].map(valueOf)).toEqual([2, 1, 1]);
    step.dispose();
  });

  it('and outlives the variable and the session', async () => {
    const { w, step, next } = await counter();
    next();
    const clone = w.clone();
    w.dispose();
    step.dispose();
    expect(valueOf(clone)).toBe(1);
    clone.dispose();
  });
});

describe('a run sees what a variable was assigned', () => {
  it.each<[string, (model: tf.LayersModel) => unknown]>([
    ['assign', (model) => (model.weights[0]?.read() as tf.Variable).assign(tf.fill([1, 1], 100))],
    ['setWeights', (model) => model.setWeights([tf.fill([1, 1], 100)])],
    ['loadWeights', (model) => model.loadWeights({ [model.weights[0]?.originalName ?? '']: tf.fill([1, 1], 100) })],
    [
      'applyGradients',
      (model) => {
        const w = model.weights[0]?.read() as tf.Variable;
        // The gradient reads the value: 2 − (2 − 100).
        tf.train.sgd(1).applyGradients({ [w.name]: tf.tidy(() => w.sub(100)) });
      },
    ],
    [
      'minimize',
      (model) => {
        const w = model.weights[0]?.read() as tf.Variable;
        tf.train.sgd(0.5).minimize(() => w.sub(100).square().sum(), false, [w]);
      },
    ],
    [
      'trainOnBatch',
      async (model) => {
        model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
        await model.trainOnBatch(tf.ones([1, 1]), tf.fill([1, 1], 100));
      },
    ],
  ])('by %s', async (_, assign) => {
    const model = layers();
    const w = model.weights[0]?.read() as tf.Variable;
    const step = await compileStep((x) => (w.assign(w.add(x)), [w.clone()]), {
      inputs: [{ shape: [1, 1], dtype: 'float32' }],
      variables: [w],
    });
    const next = () => valueOf(step.run(tf.ones([1, 1]))[0]);
    next();
    next();
    await assign(model);
    expect([next(), next(), valueOf(w)]).toEqual([101, 102, 102]);
    step.dispose();
  });

  it('in many runs of one call', async () => {
    const { w, step } = await counter();
    w.assign(tf.tensor1d([10]));
    expect(step.runMany(tf.ones([3, 1]))[0]?.arraySync()).toEqual([[11], [12], [13]]);
    w.assign(tf.tensor1d([20]));
    expect(step.runMany(tf.ones([2, 1]))[0]?.arraySync()).toEqual([[21], [22]]);
    expect(valueOf(w)).toBe(22);
    step.dispose();
  });

  it('also where two changed places', async () => {
    const [a, b] = [tf.variable(tf.tensor1d([1])), tf.variable(tf.tensor1d([10]))];
    const both: StepFunction = (x) => (a.assign(a.add(x)), b.assign(b.add(x)), []);
    const step = await compileStep(both, { inputs: [vector], variables: [a, b] });
    step.run(one);
    const before = a.clone();
    a.assign(b);
    b.assign(before);
    before.dispose();
    step.run(one);
    expect([a, b].map(valueOf)).toEqual([12, 3]);
    step.dispose();
  });

  it('after one that failed: what it left is there for all', async () => {
    const w = tf.variable(tf.tensor1d([1]));
    const dividing: StepFunction = (x) => (
      w.assign(w.add(x)),
      [tf.scalar(1, 'int32').div(x.toInt().add(tf.scalar(1, 'int32')))]
    );
    const step = await compileStep(dividing, { inputs: [vector], variables: [w] });
    step.run(one);
    expect(valueOf(w)).toBe(2);
    expect(() => step.run(tf.tensor1d([-1]))).toThrow('division by zero');
    const left = valueOf(w) ?? NaN;
    step.run(one);
    expect(valueOf(w)).toBe(left + 1);
    step.dispose();
  });

  it('and write and read do at once what would come by itself', async () => {
    const { w, step, next } = await counter();
    next();
    w.assign(tf.tensor1d([5]));
    step.read();
    expect(valueOf(w)).toBe(5);
    step.write();
    step.read();
    expect([valueOf(w), next()]).toEqual([5, 6]);
    step.dispose();
  });
});

describe('two sessions that share a variable', () => {
  it('see each what the other changed', async () => {
    const { w, step, next } = await counter();
    const double = await compileStep(() => (w.assign(w.mul(2)), [w.clone()]), { inputs: [], variables: [w] });
    const doubled = () => valueOf(double.run()[0]);
    expect([next(), doubled(), next(), next(), doubled(), doubled(), next()]).toEqual([1, 2, 3, 4, 8, 16, 17]);
    expect(valueOf(w)).toBe(17);
    expect([next(), doubled()]).toEqual([18, 36]);
    step.dispose();
    expect([doubled(), valueOf(w)]).toEqual([72, 72]);
    double.dispose();
    expect(valueOf(w)).toBe(72);
  });

  it('of which one only reads', async () => {
    const { w, step, next } = await counter();
    const reader = await compileStep(() => [w.mul(10)], { inputs: [], variables: [w] });
    const read = () => valueOf(reader.run()[0]);
    expect([read(), next(), read(), read(), next(), next(), read()]).toEqual([0, 1, 10, 10, 2, 3, 30]);
    step.dispose();
    expect(read()).toBe(30);
    reader.dispose();
  });

  it('though one is made when the value is still with the other', async () => {
    const { w, step, next } = await counter();
    next();
    const double = await compileStep(() => (w.assign(w.mul(2)), [w.clone()]), { inputs: [], variables: [w] });
    next();
    expect([valueOf(double.run()[0]), next()]).toEqual([4, 5]);
    double.dispose();
    step.dispose();
  });
});

describe('while another step is recorded', () => {
  it('a variable that it does not declare is refused by its name, and keeps its value', async () => {
    const { w, step, next } = await counter();
    next();
    const reading = (body: StepFunction) => compileStep(body, { inputs: [vector], variables: [] });
    await expect(reading((x) => [x.add(w)])).rejects.toThrow(
      `got Add reading the variable ${w.name}, which it does not declare`,
    );
    next();
    await expect(reading((x) => [x.mul(valueOf(w) ?? 0)])).rejects.toThrow("a read of a tensor's values");
    await expect(reading((x) => step.run(x))).rejects.toThrow('a compiled step that runs inside it');
    expect([valueOf(w), next(), valueOf(w)]).toEqual([2, 3, 3]);
    step.dispose();
  });
});

describe('while another backend is in use', () => {
  it('a step runs, and the other reads its results and variables', async () => {
    const { w, step, next } = await counter();
    next();
    await underOther(() => {
      const x = tf.tensor1d([1]);
      const [y] = step.run(x);
      expect([valueOf(y), valueOf(y?.mul(2)), valueOf(w), valueOf(w.mul(2))]).toEqual([2, 4, 2, 4]);
      expect(step.runMany(tf.ones([2, 1]))[0]?.arraySync()).toEqual([[3], [4]]);
      expect([valueOf(w.add(1)), valueOf(x)]).toEqual([5, 1]);
      w.assign(tf.tensor1d([10]));
      expect([valueOf(step.run(x)[0]), valueOf(w)]).toEqual([11, 11]);
      step.run(x);
    });
    expect([valueOf(w), next()]).toEqual([12, 13]);
    step.dispose();
  });

  it('it is read, written, saved and disposed of', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'state-'));
    const { w, step, next } = await counter();
    next();
    const clone = w.clone();
    await underOther(async () => {
      step.read();
      w.assign(tf.tensor1d([4]));
      step.write();
      await step.save(folder);
      step.run(tf.tensor1d([1]));
      step.dispose();
      expect([valueOf(w), valueOf(clone)]).toEqual([5, 1]);
    });
    expect([valueOf(w), valueOf(clone)]).toEqual([5, 1]);
    await rm(folder, { recursive: true });
  });
});

describe('nothing is left behind', () => {
  const held = () => ({ ...tf.memory(), native: binding.getNumOfTensors(), sessions: binding.getNumOfSavedModels() });

  it('by 1,000 runs with looks, clones and assignments between', async () => {
    const size = 2 ** 16;
    const w = tf.tidy(() => tf.variable(tf.zeros([size])));
    const step = await compileStep((x) => (w.assign(w.add(x)), [w.sum()]), {
      inputs: [{ shape: [], dtype: 'float32' }],
      variables: [w],
    });
    const turn = (i: number) =>
      tf.tidy(() => {
        const clone = i % 3 === 0 ? w.clone() : undefined;
        const [sum] = step.run(tf.scalar(1));
        if (i % 2 === 0) w.dataSync();
        if (i % 5 === 0) w.assign(clone ?? tf.zeros([size]));
        if (i % 7 === 0) sum?.dataSync();
      });
    const turns = (from: number, to: number) => {
      for (let i = from; i < to; i++) turn(i);
    };
    turns(0, 100);
    w.dataSync();
    const [before, rss] = [held(), process.memoryUsage.rss()];
    turns(100, 1100);
    w.dataSync();
    expect(held()).toEqual(before);
    // 256 KiB a value: one left by each run would be 250 MiB.
    expect(process.memoryUsage.rss() - rss).toBeLessThan(100 * 2 ** 20);
    step.dispose();
    w.dispose();
  });

  it('by compiling, running and disposing', async () => {
    const round = async () => {
      const { w, step, next } = await counter();
      next();
      const clone = w.clone();
      next();
      step.dispose();
      expect([valueOf(clone), valueOf(w)]).toEqual([1, 2]);
      tf.dispose([clone, w]);
    };
    await round();
    const before = held();
    for (let i = 0; i < amount(50, 10); i++) await round();
    expect(held()).toEqual(before);
  });

  it('when the values cannot be given to the session', async () => {
    const w = tf.tidy(() => tf.variable(tf.tensor1d([1]).square()));
    const before = held();
    const working = native.binding;
    native.binding = withFunctions(working, {
      runSavedModel: () => {
        throw new Error('out of memory');
      },
    });
    const options = { inputs: [vector], variables: [w] };
    await expect(compileStep((x) => (w.assign(w.add(x)), []), options)).rejects.toThrow('out of memory');
    native.binding = working;
    expect(held()).toEqual(before);
    expect(valueOf(w)).toBe(1);
  });
});

describe('an optimizer between two runs', () => {
  const minimized = (make: () => tf.Optimizer, body?: (optimizer: tf.Optimizer, w: tf.Variable) => StepFunction) => {
    const w = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])));
    const optimizer = make();
    const variables = [w, ...optimizerVariables(optimizer, [w])];
    const plain: StepFunction = (x) => [optimizer.minimize(() => w.square().mul(x).sum(), true, [w]) as tf.Scalar];
    const step = body?.(optimizer, w) ?? plain;
    return { w, optimizer, step, compile: () => compileStep(step, { inputs: [vector], variables }) };
  };
  type Saved = Awaited<ReturnType<tf.Optimizer['getWeights']>>[number];
  type Made = ReturnType<typeof minimized>;

  /** What it does, op by op and compiled: the weights, those of the optimizer and its count of steps. */
  const both = async (make: () => tf.Optimizer, act: (run: (times?: number) => void, made: Made) => unknown) => {
    const outcomes: number[][] = [];
    for (const compiled of [false, true]) {
      const made = minimized(make);
      const step = compiled ? await made.compile() : { run: made.step, dispose: () => undefined };
      const run = (times = 1) => {
        for (let i = 0; i < times; i++) tf.tidy(() => step.run(one));
      };
      await act(run, made);
      const saved = made.optimizer.getClassName() === 'Adamax' ? [] : await made.optimizer.getWeights();
      const tensors = [made.w, ...saved.map(({ tensor }) => tensor)];
      outcomes.push([...tensors.flatMap((tensor) => [...tensor.dataSync()]), made.optimizer.iterations]);
      step.dispose();
    }
    return outcomes as [number[], number[]];
  };

  const OPTIMIZERS: [string, () => tf.Optimizer][] = [
    ['sgd', () => tf.train.sgd(0.1)],
    ['momentum', () => tf.train.momentum(0.1, 0.9)],
    ['nesterov', () => tf.train.momentum(0.1, 0.9, true)],
    ['adagrad', () => tf.train.adagrad(0.1, 0.1)],
    ['adadelta', () => tf.train.adadelta(0.5)],
    ['adam', () => tf.train.adam(0.1)],
    ['adamax', () => tf.train.adamax(0.1)],
    ['rmsprop', () => tf.train.rmsprop(0.1)],
    ['centered rmsprop', () => tf.train.rmsprop(0.1, 0.9, 0.5, 1e-7, true)],
  ];

  it.each(OPTIMIZERS)('has counted the steps and has its weights: %s', async (_, make) => {
    const [eager, compiled] = await both(make, (run) => run(3));
    expect(compiled).toEqual(eager.map((value) => expect.closeTo(value, 5) as number));
    expect(compiled.at(-1)).toBe(3);
  });

  it.each(OPTIMIZERS.filter(([name]) => name !== 'adamax'))(
    'goes on from what setWeights gave it: %s',
    async (_, make) => {
      const [eager, compiled] = await both(make, async (run, { optimizer }) => {
        run(2);
        const [iterations, ...weights] = await optimizer.getWeights();
        const halved = weights.map(({ name, tensor }) => ({ name, tensor: tensor.mul(0.5) }));
        await optimizer.setWeights([iterations as Saved, ...halved]);
        run(2);
      });
      expect(compiled).toEqual(eager.map((value) => expect.closeTo(value, 5) as number));
    },
  );

  it.each(OPTIMIZERS.slice(0, 3))('goes on with the rate that setLearningRate gave it: %s', async (_, make) => {
    const [eager, compiled] = await both(make, (run, { optimizer }) => {
      run();
      (optimizer as tf.SGDOptimizer).setLearningRate(0.01);
      run();
      (optimizer as tf.SGDOptimizer).setLearningRate(0.03);
      run();
    });
    expect(compiled).toEqual(eager.map((value) => expect.closeTo(value, 5) as number));
  });

  it('counts the steps of many runs in one call, and of several in one step', async () => {
    const { optimizer, compile } = minimized(
      () => tf.train.adam(0.1),
      (adam, w) => (x) => [0, 1, 2].map(() => adam.minimize(() => w.mul(x).sum(), true, [w]) as tf.Scalar),
    );
    const step = await compile();
    expect(optimizer.iterations).toBe(0);
    step.run(one);
    step.runMany(tf.ones([5, 1]));
    expect(optimizer.iterations).toBe(18);
    step.dispose();
  });

  it('that is changed where no graph can follow is refused by name', async () => {
    const hint = 'compile the step again; a learning rate may be an input: minimize(optimizer, rate, loss, trainable)';
    for (const [make, change, name, expected] of [
      [
        () => tf.train.adam(0.1),
        { learningRate: 0.2 },
        'Adam',
        'the learningRate 0.1 that it had when it was compiled, got 0.2',
      ],
      [
        () => tf.train.sgd(0.1),
        { learningRate: 0.2 },
        'SGD',
        'the learningRate 0.1 that it had when it was compiled, got 0.2',
      ],
      [
        () => tf.train.rmsprop(0.1),
        { decay: 0.5 },
        'RMSProp',
        'the decay 0.9 that it had when it was compiled, got 0.5',
      ],
      [
        () => tf.train.momentum(0.1, 0.9),
        { useNesterov: true },
        'Momentum',
        'the useNesterov false that it had when it was compiled, got true',
      ],
    ] as const) {
      const { w, optimizer, compile } = minimized(make);
      const step = await compile();
      step.run(one);
      const before = [...w.dataSync()];
      const kept = Object.fromEntries(
        Object.keys(change).map((key) => [key, (optimizer as unknown as Record<string, unknown>)[key]]),
      );
      Object.assign(optimizer, change);
      expect(() => step.run(one)).toThrow(
        expect.objectContaining({
          message: `Cannot use the optimizer ${name} in the compiled step: expected it to have ${expected}`,
          hint,
        }) as Error,
      );
      expect([...w.dataSync()]).toEqual(before);
      Object.assign(optimizer, kept);
      step.run(one);
      expect([...w.dataSync()]).not.toEqual(before);
      step.dispose();
    }
  });

  it('with other slots than it had is refused by name', async () => {
    const { optimizer, compile } = minimized(() => tf.train.momentum(0.1, 0.9));
    const step = await compile();
    const [iterations] = await optimizer.getWeights();
    for (const [slots, got] of [
      [[], 'none'],
      [[tf.zeros([3])], 'float32 [3]'],
      [[tf.zeros([2], 'int32')], 'int32 [2]'],
    ] as const) {
      await optimizer.setWeights([iterations as Saved, ...slots.map((tensor) => ({ name: 'w/momentum', tensor }))]);
      expect(() => step.run(one)).toThrow(
        expect.objectContaining({
          message: `Cannot use the optimizer Momentum in the compiled step: expected a variable float32 [2] in accumulations 0 of it, as when it was compiled, got ${got}`,
          hint: 'compile the step again',
        }) as Error,
      );
    }
    step.dispose();
  });
});

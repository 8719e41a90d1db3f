/** What may be given to compileStep and to a compiled step: taken where the meaning is clear, refused in words elsewhere. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BnTrainError } from '../../src/common/errors.js';
import type { CompileOptions } from '../../src/graph/compile.js';
import { compileStep, compileSteps } from '../support/compiled.js';
import type { Declared, Signatures } from '../../src/graph/declarations.js';
import type { Input } from '../../src/graph/inputs.js';
import type { StepFunction } from '../../src/graph/record/record.js';
import { openBackend } from '../../src/runtime/open.js';
import { amount } from '../support/amount.js';

let tensors = 0;
beforeEach(() => void (tensors = tf.memory().numTensors));
afterEach(() => {
  tf.disposeVariables();
  expect(tf.memory().numTensors).toBe(tensors);
});

const sum: StepFunction = (...inputs) => [tf.addN([tf.scalar(0), ...inputs.map((input) => input.toFloat().sum())])];
const COMPILE = 'Cannot compile the step: expected ';
const EXAMPLES = "inputs: [{ shape: [64, 8] }, { shape: [64], dtype: 'int32' }], or a tensor as an example of each";

/** What a step gives that was compiled for `inputs`, run on `given`. */
async function outcome(inputs: unknown, given: unknown[], many = false): Promise<unknown> {
  const step = await compileStep(sum, { inputs: inputs as Signatures });
  try {
    const run = many ? step.runMany : step.run;
    return tf.tidy(() => run(...(given as Input[]))[0]?.arraySync());
  } finally {
    step.dispose();
  }
}

describe('inputs when compiling', () => {
  it.each<[string, unknown, unknown[]]>([
    ['a shape alone is float32', [{ shape: [2] }], [[1, 2]]],
    ['a number is a scalar', [0.5], [3]],
    ['an array beside something else', [{ shape: [] }, [0, 0]], [1, [1, 1]]],
    ['a typed array', [new Int32Array(2)], [new Int32Array([1, 2])]],
    ['typed arrays in lists', [[new Float32Array(2)], [new Float32Array(3)]], [[1, 1, 1]]],
    ['a boolean', [[{ shape: [3], dtype: 'bool' }]], [[true, true, true]]],
    [
      'numbers beside a shape, in several lists',
      [
        [{ shape: [1] }, 0],
        [{ shape: [2] }, 0],
      ],
      [[1, 1], 1],
    ],
  ])('%s', async (_, inputs, given) => {
    expect(await outcome(inputs, given)).toBe(3);
  });

  it('a tensor or a variable is an example', async () => {
    const tensor = tf.zeros([2], 'int32');
    const variable = tf.tidy(() => tf.variable(tf.zeros([2])));
    expect(
      await outcome(
        [tensor, variable],
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).toBe(10);
    tensor.dispose();
  });

  it('an input of a model that has all its sizes is an example', async () => {
    const whole = tf.input({ batchShape: [2, 2] });
    expect(
      await outcome(
        [whole],
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ),
    ).toBe(10);
  });

  const sizes = 'list every batch size that will be used: inputs: [[{ shape: [64, 8] }], [{ shape: [32, 8] }]]';
  const open = tf.input({ shape: [8] });
  it.each<[string, unknown, string, string]>([
    ['nothing', undefined, 'inputs to be a list, got undefined', EXAMPLES],
    ['a shape outside of a list', { shape: [2] }, 'inputs to be a list, got an object', EXAMPLES],
    [
      'an open batch axis',
      [{ shape: [null, 8] }],
      'input 0 to have a size on every axis, as a graph is made for one, got [null,8]',
      sizes,
    ],
    [
      '-1 for one',
      [1, { shape: [8, -1] }],
      'input 1 to have a size on every axis, as a graph is made for one, got [8,-1]',
      sizes,
    ],
    [
      "a model's inputs",
      [open],
      'input 0 to have a size on every axis, as a graph is made for one, got [null,8]',
      sizes,
    ],
    ['half a size', [{ shape: [1.5] }], 'input 0 to have whole sizes, got [1.5]', EXAMPLES],
    [
      'too much',
      [{ shape: [2 ** 16, 2 ** 15] }],
      'input 0 to have fewer than 2147483648 numbers, got [65536,32768]',
      EXAMPLES,
    ],
    ['a size of another kind', [{ shape: [8n] }], 'input 0 to have whole sizes, got an array', EXAMPLES],
    [
      'another type',
      [{ shape: [2], dtype: 'float64' }],
      'input 0 to have a type of float32, int32, bool, complex64, got "float64"',
      EXAMPLES,
    ],
    [
      'a null type',
      [{ shape: [2], dtype: null }],
      'input 0 to have a type of float32, int32, bool, complex64, got null',
      EXAMPLES,
    ],
    [
      'strings',
      [{ shape: [2], dtype: 'string' }],
      'input 0 to have a type of float32, int32, bool, complex64, got "string"',
      EXAMPLES,
    ],
    ['nothing in the list', [undefined], 'input 0 to have a shape, got undefined', EXAMPLES],
    ['rows of different lengths', [1, [[1, 2], [3]]], 'input 1 to have a shape, got an array', EXAMPLES],
    ['a word', ['float32'], 'input 0 to have a shape, got a string', EXAMPLES],
    [
      'arrays that may be inputs or lists of them',
      [
        [1, 2],
        [3, 4],
      ],
      'inputs of which each is a shape, a tensor or a typed array, got lists of plain numbers, which may be one input or several',
      EXAMPLES,
    ],
  ])('refuses %s', async (_, inputs, said, hint) => {
    await expect(outcome(inputs, [])).rejects.toMatchObject({ message: COMPILE + said, hint });
  });

  it('refuses a tensor that was disposed of', async () => {
    const gone = tf.zeros([2]);
    gone.dispose();
    await expect(outcome([gone], [])).rejects.toMatchObject({
      message: `${COMPILE}the tensor for input 0 to live, got the tensor for input 0, which was disposed of`,
      hint: 'tf.keep and tf.tidy decide what lives on',
    });
  });

  it('fewer than the step takes are what is wrong, if it fails for that', async () => {
    const two = ((x: tf.Tensor, y: tf.Tensor) => [x.add(y.sum())]) as StepFunction;
    await expect(compileStep(two, { inputs: [{ shape: [2] }] })).rejects.toMatchObject({
      message: `${COMPILE}as many inputs as the step takes, 2, got 1`,
      hint: EXAMPLES,
    });
    const own = new Error('its own');
    const failing = () => {
      throw own;
    };
    await expect(compileStep(failing, { inputs: [{ shape: [2] }] })).rejects.toBe(own);
  });
});

describe('inputs when running', () => {
  const matrix = [{ shape: [2, 2] }];
  it.each<[string, unknown, unknown[], unknown]>([
    [
      'nested arrays',
      matrix,
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      10,
    ],
    ['a flat typed array', matrix, [new Float32Array([1, 2, 3, 4])], 10],
    ['rows as typed arrays', matrix, [[new Float32Array([1, 2]), new Float64Array([3, 4])]], 10],
    ['whole numbers for int32', [{ shape: [2], dtype: 'int32' }], [[5, -2]], 3],
    ['bytes for int32', [{ shape: [2], dtype: 'int32' }], [new Uint8Array([5, 255])], 260],
    ['bytes for float32', [{ shape: [2] }], [new Uint8Array([5, 255])], 260],
    ['a boolean', [{ shape: [], dtype: 'bool' }], [true], 1],
    ['what is not finite', [0], [Infinity], Infinity],
    ['an empty array', [{ shape: [0] }], [[]], 0],
    ['one of two types that fit, as it is', [[{ shape: [2], dtype: 'int32' }], [{ shape: [2] }]], [[1, 2]], 3],
  ])('%s', async (_, inputs, given, value) => {
    expect(await outcome(inputs, given)).toBe(value);
  });

  it.each<[string, unknown, unknown[], unknown]>([
    [
      'arrays',
      matrix,
      [
        [
          [
            [1, 2],
            [3, 4],
          ],
          [
            [5, 6],
            [7, 8],
          ],
        ],
      ],
      [10, 26],
    ],
    ['a flat typed array', matrix, [Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)], [10, 26]],
    [
      'numbers for scalars, beside others',
      [0, { shape: [2] }],
      [[1, 2, 3], Float32Array.of(1, 1, 2, 2, 3, 3)],
      [3, 6, 9],
    ],
    ['an array of rows', [{ shape: [2], dtype: 'int32' }], [[Int32Array.of(1, 2), [3, 4]]], [3, 7]],
  ])('of many runs: %s', async (_, inputs, given, values) => {
    expect(await outcome(inputs, given, true)).toEqual(values);
  });

  it('tensors that live on another backend are moved, plain numbers taken', async () => {
    const step = await compileStep(sum, { inputs: [{ shape: [2] }, { shape: [2] }] });
    await openBackend('js', { quiet: true });
    try {
      expect(tf.tidy(() => step.run(tf.tensor1d([1, 2]), [3, 4])[0]?.dataSync()[0])).toBe(10);
      const made = tf.tensor1d([1, 2]);
      await tf.setBackend('tensorflow');
      expect(tf.tidy(() => step.run(made, made.add(1))[0]?.dataSync()[0])).toBe(8);
      made.dispose();
    } finally {
      await tf.setBackend('tensorflow');
    }
    step.dispose();
  });

  const RUN = 'Cannot run the compiled step: expected ';
  const hint = 'list every shape in inputs when compiling: [[a], [b]]';
  it.each<[string, unknown[], string]>([
    ['nothing', [], ''],
    ['undefined', [undefined], 'undefined'],
    ['null', [null], 'null'],
    ['too many', [[1, 2], 3], 'float32 [2], float32 []'],
    ['a promise of a tensor', [Promise.resolve(1)], 'a promise'],
    ['a string', ['12'], 'a string'],
    ['an array of strings', [['1', '2']], 'an array'],
    ['a shape instead of values', [{ shape: [2], dtype: 'float32' }], 'an object'],
    ['a typed array of another kind of numbers', [new BigInt64Array(2)], 'an object'],
    ['an array with a hole', [[1, , 2].slice(0, 2)], 'an array'], // eslint-disable-line no-sparse-arrays
    ['rows of different lengths', [[[1], [1, 2]]], 'an array'],
    ['an array that holds itself', [((a: unknown[]) => (a.push(a, a), a))([])], 'an array'],
    ['booleans for numbers', [[true, false]], 'bool [2]'],
    ['big integers', [BigInt64Array.of(1n, 2n)], 'an object'],
    ['a view of bytes', [new DataView(new ArrayBuffer(8))], 'an object'],
    ['too many numbers', [new Float32Array(3)], 'float32 [3]'],
  ])('refuses %s', async (_, given, said) => {
    await expect(outcome([{ shape: [2] }], given)).rejects.toMatchObject({
      message: `${RUN}step(float32 [2]), got step(${said})`,
      hint,
    });
  });

  it.each<[unknown, string]>([
    [0.5, 'float32 []'],
    [2 ** 31, 'float32 []'],
    [NaN, 'float32 []'],
  ])('refuses %s for int32', async (given, said) => {
    await expect(outcome([{ shape: [], dtype: 'int32' }], [given])).rejects.toThrow(
      `${RUN}step(int32 []), got step(${said})`,
    );
  });

  it('refuses what would fit two shapes', async () => {
    const two = [[new Float32Array(6)], [{ shape: [2, 3] }], [{ shape: [3, 2] }]];
    expect(await outcome(two, [new Float32Array(6)])).toBe(0);
    await expect(outcome(two.slice(1), [new Float32Array(6)])).rejects.toThrow(
      `${RUN}step(float32 [2, 3]) or step(float32 [3, 2]), got step(float32 [6])`,
    );
  });

  it('refuses many runs of different numbers', async () => {
    await expect(
      outcome(
        [0, 0],
        [
          [1, 2],
          [1, 2, 3],
        ],
        true,
      ),
    ).rejects.toThrow(
      'expected inputs with one and the same number of steps, above 0, as their first axis, got step(float32 [2], float32 [3])',
    );
    await expect(outcome([0], [5], true)).rejects.toThrow(
      'for each step inputs as in step(float32 []), got step(float32 [])',
    );
    await expect(outcome([0], [[]], true)).rejects.toThrow('above 0, as their first axis, got step(float32 [0])');
  });

  it('refuses a tensor that was disposed of, or belongs to another copy of TensorFlow.js', async () => {
    const gone = tf.zeros([2]);
    gone.dispose();
    await expect(outcome([{ shape: [2] }], [gone])).rejects.toMatchObject({
      message: `${RUN}input 0 to live, got input 0, which was disposed of`,
      hint: 'tf.keep and tf.tidy decide what lives on',
    });
    const foreign = tf.zeros([2]);
    const { dataId } = foreign;
    foreign.dataId = {};
    await expect(outcome([{ shape: [2] }], [foreign])).rejects.toMatchObject({
      message: `${RUN}input 0 to live, got input 0, which belongs to another copy of TensorFlow.js`,
      hint: 'npm ls @tensorflow/tfjs shows the copies, npm dedupe leaves one',
    });
    foreign.dataId = dataId;
    foreign.dispose();
  });

  it('leaves nothing of plain inputs, taken or refused by TensorFlow', async () => {
    const binding = (tf.backend() as unknown as { binding: { getNumOfTensors: () => number } }).binding;
    const step = await compileStep((x: tf.Tensor) => [tf.scalar(1, 'int32').div(x.add(tf.scalar(1, 'int32')))], {
      inputs: [{ shape: [], dtype: 'int32' }],
    });
    const before = [tf.memory().numTensors, binding.getNumOfTensors()];
    tf.dispose(step.run(3));
    expect(() => step.run(-1)).toThrow('division by zero');
    expect([tf.memory().numTensors, binding.getNumOfTensors()]).toEqual(before);
    step.dispose();
  });
});

describe('variables when compiling', () => {
  const net = () =>
    tf.sequential({
      layers: [
        tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'ones' }),
        tf.layers.batchNormalization(),
      ],
    });

  it.each<[string, (model: tf.Sequential) => CompileOptions['variables'] | Declared]>([
    ['what the weights read', (model) => model.weights.map((weight) => weight.read() as tf.Variable)],
    ["a model's weights", (model) => model.weights],
    ['a model', (model) => [model]],
    ['a model, not in a list', (model) => model],
    ['layers', (model) => model.layers],
    ['lists in a list', (model) => [model.trainableWeights, model.nonTrainableWeights]],
    ['some of them twice', (model) => [model, model.weights, ...model.weights]],
  ])('are %s', async (_, declare) => {
    const model = net();
    const step = await compileStep((x) => [model.apply(x, { training: true }) as tf.Tensor], {
      inputs: [{ shape: [2, 2] }],
      variables: declare(model) as CompileOptions['variables'],
    });
    const moving = model.weights[4]?.read() as tf.Variable;
    const before = tf.memory().numTensors;
    tf.dispose(
      step.run([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(tf.memory().numTensors).toBe(before);
    // Momentum 0.99, a batch mean of 5.
    expect(moving.dataSync()[0]).toBeCloseTo(0.05, 6);
    step.dispose();
    model.dispose();
  });

  it('may be none', async () => {
    const step = await compileStep((x) => [x.neg()], { inputs: [0] });
    expect(tf.tidy(() => step.run(1)[0]?.arraySync())).toBe(-1);
    step.dispose();
  });

  it.each<[string, unknown, string]>([
    ['a tensor', [tf.keep(tf.zeros([1]))], 'an object'],
    ['nothing', [undefined], 'undefined'],
    ['null, not in a list', null, 'null'],
    ['a number', 5, 'a number'],
    ['an optimizer', [tf.train.sgd(1)], 'an object'],
    ['lists in lists in a list', [[[]]], 'an array'],
  ])('are not %s', async (_, variables, got) => {
    await expect(compileStep(sum, { inputs: [0], variables: variables as [] })).rejects.toMatchObject({
      message: `${COMPILE}variables to be a list of tf.Variable, a model's weights, or models, got ${got} in it`,
      hint: "model.weights are a model's own; optimizerVariables(optimizer, trainable) gives an optimizer's",
    });
  });

  it('live', async () => {
    const gone = tf.tidy(() => tf.variable(tf.zeros([1]), true, 'gone'));
    gone.dispose();
    await expect(compileStep(sum, { inputs: [0], variables: [gone] })).rejects.toMatchObject({
      message: `${COMPILE}the variable gone to live, got the variable gone, which was disposed of`,
      hint: 'tf.keep and tf.tidy decide what lives on',
    });
  });
});

describe('options and steps', () => {
  const OPTIONS = 'compileStep(step, { inputs, variables })';
  it.each<[string, unknown, unknown, string, string]>([
    [
      'no options',
      sum,
      undefined,
      'an object with inputs, variables, seed, rules, fuse, xla, signal, got undefined',
      OPTIONS,
    ],
    [
      'a list of them',
      sum,
      [],
      'an object with inputs, variables, seed, rules, fuse, xla, signal, got an array',
      OPTIONS,
    ],
    [
      'one misspelt',
      sum,
      { inputs: [0], variable: [] },
      'an option that it has, got "variable"',
      'did you mean variables?',
    ],
    [
      'one that is none',
      sum,
      { inputs: [0], batch: 1 },
      'an option that it has, got "batch"',
      'it has inputs, variables, seed, rules, fuse, xla, signal',
    ],
    [
      'another signal',
      sum,
      { inputs: [0], signal: 'stop' },
      'signal to be an AbortSignal, got a string',
      'new AbortController().signal is one',
    ],
    ['another xla', sum, { inputs: [0], xla: 'yes' }, 'xla to be true or false, got a string', 'leave it out'],
    ['other rules', sum, { inputs: [0], rules: [null] }, 'rules to be a list of rules, got an array', 'leave it out'],
    [
      'no step',
      undefined,
      { inputs: [0] },
      'a step that is a function of tensors, got undefined',
      'such as (x) => [model.apply(x)]',
    ],
  ])('are refused with %s', async (_, step, options, said, hint) => {
    await expect(compileStep(step as StepFunction, options as { inputs: [] })).rejects.toMatchObject({
      message: COMPILE + said,
      hint,
    });
  });

  const NAMED = 'compileSteps({ train: { step, inputs } }, { variables })';
  it.each<[string, unknown, string, string]>([
    ['nothing', null, 'steps by their names, got null', NAMED],
    ['a step without a name', sum, 'steps by their names, got a function', NAMED],
    ['no steps', {}, 'at least one step, got none', NAMED],
    ['a name with a slash', { 'a/b': { step: sum, inputs: [0] } }, 'a name of letters, digits and _, got "a/b"', NAMED],
    ['a step without inputs', { a: sum }, 'an object with step, inputs, got a function', OPTIONS],
    ['a misspelt one', { a: { stp: sum, inputs: [0] } }, 'an option that it has, got "stp"', 'did you mean step?'],
  ])('compileSteps refuses %s', async (_, steps, said, hint) => {
    await expect(compileSteps(steps as never)).rejects.toMatchObject({ message: COMPILE + said, hint });
  });

  it('a name at run that is none is refused', async () => {
    const steps = await compileSteps({ neg: { step: (x) => [x.neg()], inputs: [0] } });
    for (const [name, said] of [
      ['abs', 'abs'],
      [undefined, 'undefined'],
      [Symbol('neg'), 'a symbol'],
      [Object.create(null), 'an object'],
    ])
      expect(() => steps.run(name as 'neg', 1)).toThrow(
        `Cannot run the compiled step: expected a step named neg(float32 []), got ${String(said)}(float32 [])`,
      );
    steps.dispose();
  });
});

describe('whatever is given, what is thrown is an error for people', () => {
  const good = { inputs: [{ shape: [2] }], variables: [] };
  const junk = fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
    }),
    fc.constantFrom<unknown>(
      Symbol('s'),
      () => [],
      sum,
      new Proxy({}, {}),
      Promise.resolve(),
      Object.create(null),
      tf.train.sgd(1),
      tf.layers.dense({ units: 1 }),
    ),
    fc.array(
      fc.oneof(
        fc.record({ shape: fc.anything(), dtype: fc.anything() }, { requiredKeys: [] }),
        fc.float(),
        fc.array(fc.float()),
      ),
    ),
  );

  /** True for a value, false for an error for people; throws for others. */
  const told = async (attempt: () => unknown): Promise<boolean> => {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (!(error instanceof BnTrainError)) throw error;
      expect(error.message).toMatch(/^Cannot .+: expected .+, got ./);
      expect(error.message).not.toMatch(/Cannot read|is not a function|is not iterable/);
      return false;
    }
  };

  it('to compileStep and compileSteps', async () => {
    const part = fc.constantFrom('step', 'inputs', 'variables', 'rules', 'xla', 'options', 'steps', 'definition');
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(part, junk, async (where, value) => {
        const compile = () => {
          if (where === 'options') return compileStep(sum, value as typeof good);
          if (where === 'steps') return compileSteps(value as never);
          if (where === 'definition') return compileSteps({ one: value as never });
          if (where === 'step') return compileStep(value as StepFunction, good);
          return compileStep(sum, { ...good, [where]: value });
        };
        if (!(await told(async () => (await compile()).dispose()))) refused++;
      }),
      { numRuns: amount(3000, 300) },
    );
    expect(refused).toBeGreaterThan(100);
  });

  it('to run and runMany', async () => {
    const step = await compileStep(sum, {
      inputs: [[{ shape: [2] }], [{ shape: [] }, { shape: [2], dtype: 'int32' }]],
    });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 3 }), fc.boolean(), async (given, many) => {
        const run = many ? step.runMany : step.run;
        if (!(await told(() => tf.dispose(run(...(given as Input[])))))) refused++;
      }),
      { numRuns: amount(10_000, 1000) },
    );
    expect(refused).toBeGreaterThan(100);
    step.dispose();
  });
});

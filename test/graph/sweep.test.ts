/** Every op of tfjs and its gradient, on every type that it takes: compiled it gives what it gives op by op, or is refused by name. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { nativeBackend, withFunctions } from '../../src/graph/binding.js';
import type { StepDefinition } from '../../src/graph/compile.js';
import { compileStep, compileSteps } from '../support/compiled.js';
import { INPUT_TYPES } from '../../src/graph/record/inputTypes.js';
import { ALL } from '../support/amount.js';
import { type Case, CASES, type Inputs, shape } from './sweepCases.js';

/** Not swept over, and why. */
const LEFT_OUT: Record<string, string[]> = {
  'draws on the host': [
    ...['dropout', 'rand', 'randomGamma', 'randomNormal', 'randomStandardNormal', 'randomUniform', 'randomUniformInt'],
    'truncatedNormal',
  ],
  'takes pictures of a browser': ['browser.fromPixels'],
  'is of strings': [
    'string.staticRegexReplace',
    'string.stringNGrams',
    'string.stringSplit',
    'string.stringToHashBucketFast',
  ],
};

/** Refused when compiled, as their results' shapes follow from values, by TensorFlow's name for them. */
const REFUSED = new Map([
  ['image.nonMaxSuppression', 'NonMaxSuppressionV3'],
  ['image.nonMaxSuppressionPadded', 'NonMaxSuppressionV4'],
  ['image.nonMaxSuppressionWithScore', 'NonMaxSuppressionV5'],
  ['unique', 'UniqueV2'],
]);

/** Of strings, and gradients of kernels that no op of tfjs calls. */
const UNCALLED = ['StaticRegexReplace', 'gradient of BroadcastTo', 'gradient of LogSoftmax'];

/** Gradients that tfjs itself gets wrong, by value or by throwing, op by op as well; docs/backends.md tells of each. */
const UNDEFINED = "Cannot read properties of undefined (reading 'dataId')";
const FAULTS = new Map([
  ['batchNorm2d', UNDEFINED],
  ['batchNorm3d', UNDEFINED],
  ['batchNorm4d', UNDEFINED],
  ['cast to bool', 'wrong'],
  ['cumsum along another axis', "has shape '2,6,3,4', which does not match the shape of the input '2,4,6,3'"],
  ['cumsum backwards', "has shape '2,6,3,4', which does not match the shape of the input '2,4,6,3'"],
  ['cumsum of a square', 'wrong'],
  ['floorDiv of larger ones', 'wrong'],
  ['linalg.bandPart', 'Argument tensors passed to stack must be a `Tensor[]` or `TensorLike[]`'],
  ['mirrorPad', 'wrong'],
]);

type Gradient = 'forward' | 'gradient';
type Given = [tf.Tensor4D, tf.Tensor4D, tf.Tensor1D, tf.Tensor4D];

/** Powers of 2 modulo 149 are in no order, and all different. */
const POWERS = Array.from({ length: 143 }).reduce<number[]>(
  (powers) => [...powers, ((powers.at(-1) ?? 1) * 2) % 149],
  [1],
);
/** Numbers far enough from each other, and from those of another `offset`, for differences to be taken. */
const spread = (offset: number) =>
  tf.tensor4d(
    Float32Array.from(POWERS, (power) => 0.2 + (power + offset) / 250),
    [...shape],
  );
const whole = (factor: number) =>
  tf.tensor4d(
    Int32Array.from({ length: 144 }, (_, i) => 1 + ((i * factor) % 5)),
    [...shape],
    'int32',
  );
const NUMBERS = {
  float32: spread,
  int32: (offset: number) => whole(7 + 4 * offset),
  bool: (offset: number) => whole(7 + 4 * offset).greater<tf.Tensor4D>(2),
  complex64: (offset: number) => tf.complex<tf.Tensor4D>(spread(offset), spread(1 - offset)),
};
const TYPES = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];

const inputsOf = (dtype: keyof typeof NUMBERS): Given => [
  NUMBERS[dtype](0),
  NUMBERS[dtype](0.5),
  tf.tensor1d([1, 0, 1], 'int32'),
  spread(0.25),
];

const loss = (op: Case, inputs: Inputs) =>
  [op(inputs)]
    .flat()
    .reduce<tf.Scalar>(
      (sum, y) => sum.add((y.dtype === 'bool' ? y.toFloat() : y).square().sum().cast('float32')),
      tf.scalar(0),
    );

const stepOf =
  (op: Case, kind: Gradient) =>
  (...[x, y, i, f]: Given) =>
    kind === 'forward' ? [op({ x, y, i, f })].flat() : [tf.grad((x) => loss(op, { x: x as tf.Tensor4D, y, i, f }))(x)];

interface Result {
  dtype: string;
  shape: number[];
  values: Float32Array | Int32Array | Uint8Array;
}

/** Each call has clones, as some ops dispose of what they are given. */
function resultsOf(step: (...given: Given) => tf.Tensor[], given: Given): Result[] {
  return tf.tidy(() => {
    const results = step(...(given.map((tensor) => tensor.clone()) as Given));
    return results.map((y) => ({ dtype: y.dtype, shape: y.shape, values: y.dataSync() }));
  });
}

/** Of what it gives op by op; undefined where tfjs does not take the type, or has no gradient. */
function eagerly(op: Case, kind: Gradient, given: Given): Result[] | undefined {
  try {
    return resultsOf(stepOf(op, kind), given);
  } catch {
    return undefined;
  }
}

/** The same kernels both ways: only sums in another order and fused ops round differently. */
function areSame(got: Result[], expected: Result[]): boolean {
  const close = (a: number, b: number) =>
    Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));
  const same = (a: Result, b: Result) =>
    `${a.dtype} ${a.shape.join()}` === `${b.dtype} ${b.shape.join()}` &&
    a.values.every((value, i) => close(value, b.values[i] ?? NaN));
  return got.length === expected.length && got.every((result, i) => same(result, expected[i] as Result));
}

/** Every tenth case, with the ones that were once wrong, stands for all in `npm test`. */
const ONCE_WRONG = [
  'mean',
  'moments variance',
  'gather',
  'unsortedSegmentSum',
  'metrics.binaryAccuracy',
  'losses.logLoss',
];
const cases = [...CASES].filter(([name], i) => ALL || i % 10 === 0 || ONCE_WRONG.includes(name));

/** So many are compiled: fewer would say that ops were lost, or that op by op no longer works. */
const COMPILED = { float32: 483, int32: 338, bool: 206, complex64: 242 };
/** As many steps share a session: TensorFlow goes through all of a session's graph for each one. */
const TOGETHER = 3;

describe('compiled and op by op give the same', () => {
  it.each(TYPES)('of %s', async (dtype) => {
    const given = inputsOf(dtype);
    const expected = new Map<string, Result[]>();
    const steps: [string, StepDefinition][] = [];
    for (const [i, [name, op]] of cases.entries())
      for (const kind of ['forward', 'gradient'] as const) {
        const results = REFUSED.has(name) ? undefined : eagerly(op, kind, given);
        if (!results) continue;
        expected.set(`${kind}_${i}`, results);
        steps.push([`${kind}_${i}`, { step: stepOf(op, kind) as StepDefinition['step'], inputs: given }]);
      }
    const wrong: string[] = [];
    for (let i = 0; i < steps.length; i += TOGETHER) {
      const some = steps.slice(i, i + TOGETHER);
      const compiled = await compileSteps(Object.fromEntries(some), { variables: [] });
      for (const [name] of some) {
        const got = resultsOf((...inputs) => compiled.run(name, ...inputs), given);
        if (!areSame(got, expected.get(name) ?? [])) wrong.push(name);
      }
      compiled.dispose();
    }
    tf.dispose(given);
    const nameOf = (step: string) =>
      step.replace(/(\w+)_(\d+)/, (_, kind, i: string) => `${kind} of ${cases[+i]?.[0]}`);
    expect(wrong.map(nameOf)).toEqual([]);
    expect(expected.size).toBeGreaterThanOrEqual(ALL ? COMPILED[dtype] : 10);
  });
});

describe('refused by name is', () => {
  it.each([...REFUSED])('%s, as %s', async (name, op) => {
    const given = inputsOf('float32');
    const step = stepOf(CASES.get(name) as Case, 'forward') as StepDefinition['step'];
    expect(eagerly(CASES.get(name) as Case, 'forward', given)).toBeDefined();
    await expect(compileStep(step, { inputs: given, variables: [] })).rejects.toThrow(
      `got ${op}, whose result's shape follows from values`,
    );
    tf.dispose(given);
  });
});

describe('the sweep leaves out', () => {
  type Table = Record<string, unknown>;
  const isOp = (value: unknown) => typeof value === 'function' && value.name.endsWith('__op');
  const opsOf = (table: Table) => Object.entries(table).filter(([, value]) => isOp(value));
  /** Under each of their names, such as fft and spectral.fft. */
  const namesOf = () => {
    const names = new Map<unknown, string[]>();
    const add = (name: string, op: unknown) => names.set(op, [...(names.get(op) ?? []), name]);
    for (const [name, value] of Object.entries(tf as Table)) {
      if (isOp(value)) add(name, value);
      if (typeof value === 'object' && value !== null && name !== 'default')
        for (const [own, op] of [...opsOf(value as Table), ...(name === 'metrics' ? Object.entries(value) : [])])
          add(`${name}.${own}`, op);
    }
    return [...names.values()];
  };

  it('no op of tfjs but those that it names', () => {
    const swept = new Set([...CASES.keys()].map((name) => name.split(' ')[0]));
    for (const name of Object.values(LEFT_OUT).flat()) swept.add(name);
    const missing = namesOf().filter((names) => !names.some((name) => swept.has(name)));
    expect(missing).toEqual([]);
    const known = new Set(namesOf().flat());
    expect(
      Object.values(LEFT_OUT)
        .flat()
        .filter((name) => !known.has(name)),
    ).toEqual([]);
  });

  it.runIf(ALL)('no kernel or gradient but those that it names, and no TensorFlow op whose types are unknown', () => {
    const backend = nativeBackend();
    if (!backend) throw new Error('the native backend is not in use');
    const binding = backend.binding;
    const kernels = tf.getKernelsForBackend('tensorflow');
    const names = Object.values(tf as Record<string, unknown>).filter((name) => typeof name === 'string');
    const gradients = names.flatMap((name) => (tf.getGradient(name) as tf.GradConfig | undefined) ?? []);
    const called = new Set<string>();
    const ops = new Set<string>();
    backend.binding = withFunctions(binding, {
      executeOp: (op, ...rest) => {
        ops.add(op);
        return binding.executeOp(op, ...rest);
      },
    });
    const stock = [kernels.map(({ kernelFunc }) => kernelFunc), gradients.map(({ gradFunc }) => gradFunc)] as const;
    for (const kernel of kernels) {
      const { kernelFunc, kernelName } = kernel;
      kernel.kernelFunc = (given) => (called.add(kernelName), kernelFunc(given));
    }
    for (const gradient of gradients) {
      const { gradFunc, kernelName } = gradient;
      gradient.gradFunc = (...given) => (called.add(`gradient of ${kernelName}`), gradFunc(...given));
    }
    for (const dtype of TYPES) {
      const given = inputsOf(dtype);
      for (const op of CASES.values()) for (const kind of ['forward', 'gradient'] as const) eagerly(op, kind, given);
      tf.dispose(given);
    }
    for (const [i, kernel] of kernels.entries()) kernel.kernelFunc = stock[0][i] as tf.KernelFunc;
    for (const [i, gradient] of gradients.entries()) gradient.gradFunc = stock[1][i] as tf.GradFunc;
    backend.binding = binding;
    const all = [
      ...kernels.map(({ kernelName }) => kernelName),
      ...gradients.map(({ kernelName }) => `gradient of ${kernelName}`),
    ];
    expect(all.filter((name) => !called.has(name))).toEqual(UNCALLED);
    const listed = Object.values(INPUT_TYPES).join(' ').split(/\s+/);
    expect([...ops].filter((op) => !listed.includes(op))).toEqual([]);
  });
});

describe("tfjs's gradients, op by op,", () => {
  const along = tf.randomUniform([...shape], -1, 1, 'float32', 7);
  const step = 2e-4;
  /** Whether the loss changes along a direction as the gradient says, by differences; they round at about 3e-7 of it. */
  const isRight = (op: Case, [x, y, i, f]: Given): boolean =>
    tf.tidy(() => {
      const lossAt = (side: number) => loss(op, { x: x.add(along.mul(side * step)), y, i, f }).dataSync()[0] ?? NaN;
      const change = stepOf(op, 'gradient')(x, y, i, f)[0]?.mul(along).sum().dataSync()[0] ?? NaN;
      const [above, below] = [lossAt(1), lossAt(-1)];
      const rounding = (3e-7 * above) / step;
      return Math.abs((above - below) / (2 * step) - change) <= rounding + 0.05 * Math.max(1, Math.abs(change));
    });

  it.runIf(ALL)('are those of differences', () => {
    const given = inputsOf('float32');
    const right = [...CASES].filter(([name, op]) => !FAULTS.has(name) && eagerly(op, 'gradient', given));
    expect(right.length).toBeGreaterThan(180);
    expect(right.filter(([, op]) => !isRight(op, given)).map(([name]) => name)).toEqual([]);
    tf.dispose(given);
  });

  it.each([...FAULTS])('fail for %s: %s', (name, fault) => {
    const given = inputsOf('float32');
    const op = CASES.get(name) as Case;
    if (fault === 'wrong') expect(isRight(op, given)).toBe(false);
    else expect(() => tf.tidy(() => stepOf(op, 'gradient')(...given))).toThrow(fault);
    tf.dispose(given);
  });
});

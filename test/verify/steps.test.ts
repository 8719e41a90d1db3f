/** The steps on each backend against the JS backend: that they agree, and that nothing wrong in them would pass. */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileSteps } from '../../src/graph/compile.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { openBackend } from '../../src/runtime/open.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { carried } from '../../src/verify/bounds/carried.js';
import { type Comparison, worst } from '../../src/verify/check.js';
import { stepChecks } from '../../src/verify/checks/steps.js';
import { compareSteps, type Steps } from '../../src/verify/steps/compare.js';
import { type Call, recordKernels, type Value, valueOf } from '../../src/verify/steps/kernelCalls.js';
import { verify } from '../../src/verify/verify.js';
import { broken, withKernel } from '../support/kernels.js';

const stockOneHot = tf.getKernel('OneHot', 'wasm').kernelFunc;

const BACKENDS = [
  { name: 'native', tfjs: 'tensorflow' },
  { name: 'wasm', tfjs: 'wasm' },
] as const;

interface Network {
  batch: number;
  size: [height: number, width: number];
  filters: number;
  kernel: number;
  pool: number;
  units: number;
  classes: number;
  norms: ['scratch' | 'builtin' | 'none', 'scratch' | 'builtin' | 'none'];
  seed: number;
}

const norm = fc.constantFrom('scratch' as const, 'builtin' as const, 'none' as const);
const networks: fc.Arbitrary<Network> = fc.record({
  batch: fc.integer({ min: 4, max: 8 }),
  size: fc.tuple(fc.integer({ min: 7, max: 10 }), fc.integer({ min: 7, max: 10 })),
  filters: fc.integer({ min: 1, max: 4 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  pool: fc.integer({ min: 1, max: 2 }),
  units: fc.integer({ min: 1, max: 7 }),
  classes: fc.integer({ min: 2, max: 5 }),
  norms: fc.tuple(norm, norm),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

const SMALL: Network = {
  batch: 4,
  size: [7, 8],
  filters: 2,
  kernel: 3,
  pool: 2,
  units: 3,
  classes: 3,
  norms: ['scratch', 'builtin'],
  seed: 1,
};

function normalization(norm: Network['norms'][number]): tf.layers.Layer[] {
  if (norm === 'none') return [];
  return [norm === 'scratch' ? new BatchNorm() : tf.layers.batchNormalization({ momentum: 0.9, epsilon: 1e-5 })];
}

/** As LeNet, with fewer layers; `activation` is the first one's. */
function stepsOf(network: Network, activation: 'sigmoid' | 'tanh' = 'sigmoid', fused?: 'relu'): Steps {
  const { batch, size, filters, kernel, pool, units, classes, norms, seed } = network;
  const initializer = (layer: number) => tf.initializers.glorotUniform({ seed: seed + layer });
  const pixels = tf.util.sizeFromShape([batch, ...size]);
  return {
    model: () =>
      tf.sequential({
        layers: [
          tf.layers.conv2d({
            inputShape: [...size, 1],
            filters,
            kernelSize: kernel,
            kernelInitializer: initializer(1),
            ...(fused && { activation: fused }),
          }),
          ...normalization(norms[0]),
          tf.layers.activation({ activation }),
          tf.layers.conv2d({ filters: 2, kernelSize: 2, kernelInitializer: initializer(4) }),
          tf.layers.averagePooling2d({ poolSize: pool, strides: pool }),
          tf.layers.flatten(),
          tf.layers.dense({ units, kernelInitializer: initializer(2) }),
          ...normalization(norms[1]),
          tf.layers.activation({ activation: 'sigmoid' }),
          tf.layers.dense({ units: classes, kernelInitializer: initializer(3) }),
        ],
      }),
    data: {
      count: batch,
      height: size[0],
      width: size[1],
      images: Uint8Array.from({ length: pixels }, (_, i) => ((i + 1) * (seed + 7919)) % 251),
      labels: Uint8Array.from({ length: batch }, (_, i) => (i * seed) % classes),
    },
  };
}

function expectAgreement(comparisons: Comparison[]): void {
  const found = worst(comparisons);
  expect(found.error, JSON.stringify(found)).toBeLessThanOrEqual(found.tolerance);
}

/** What of the steps does not agree, by its name. */
function disagreeing(comparisons: Comparison[]): string[] {
  return comparisons
    .filter((comparison) => !(worst([comparison]).error <= worst([comparison]).tolerance))
    .map(({ of }) => of);
}

describe.each(BACKENDS)('the steps on the $name backend', ({ name, tfjs }) => {
  beforeAll(() => openBackend(name));
  const compare = (network: Network) => compareSteps(stepsOf(network), name === 'native' ? { compileSteps } : {});

  it('agree with the JS backend for random networks and images: each kernel, and from end to end', async () => {
    await fc.assert(
      fc.asyncProperty(networks, async (network) => {
        expectAgreement(await compare(network));
      }),
      { numRuns: 24, seed: 1 },
    );
  });

  it('leave no tensor behind, and the backend in use', async () => {
    const before = tf.memory().numTensors;
    await compare(SMALL);
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.getBackend()).toBe(tfjs);
  });

  it('do not agree where any one of their kernels is wrong by a thousandth', async () => {
    const kernels = [
      ...new Set((await compare(SMALL)).flatMap(({ of }) => (/ of \[/.test(of) ? [of.split(' ')[0] ?? ''] : []))),
    ];
    expect(kernels.length).toBeGreaterThan(25);
    for (const kernel of kernels) {
      const failing = await withKernel([kernel, tfjs], broken, async () =>
        disagreeing(await compareSteps(stepsOf(SMALL))),
      );
      expect(
        failing.filter((of) => of.startsWith(`${kernel} of`)),
        kernel,
      ).not.toEqual([]);
    }
  });
});

describe('the checks of the steps', () => {
  const failing = async () => {
    const names: string[] = [];
    for await (const { name, verdict } of verify(stepChecks(), { batchNorm: neverCalled, BatchNorm }))
      if (verdict === 'fail') names.push(name);
    return names;
  };
  const all = stepChecks().map(({ name }) => name);

  it('fail on the WASM backend with its stock oneHot, which writes integers’ bits', async () => {
    await openBackend('wasm');
    expect(await failing()).toEqual([]);
    expect(await withKernel(['OneHot', 'wasm'], () => stockOneHot, failing)).toEqual(all);
  });

  it('have nothing to say of the JS backend, with words', async () => {
    await openBackend('js');
    for await (const { verdict, reason } of verify(stepChecks(), { batchNorm: neverCalled, BatchNorm }))
      expect({ verdict, reason }).toEqual({
        verdict: 'not applicable',
        reason: 'the JS backend is what the others are held against',
      });
  });
});

describe('the bound of a whole step', () => {
  beforeAll(() => openBackend('js'));

  /** One training step from the start; `nudge` moves the first output of the call it names, just after it was made. */
  function runOnJs({ model: build, data: dataset }: Steps, nudge?: { call: number; entry: number; by: number }) {
    const [model, data] = [build(), new DeviceDataset(dataset)];
    const inputs = [tf.range(0, data.count, 1, 'int32'), tf.scalar(1)];
    const step = trainingStep(model, data);
    let calls = 0;
    const restore = tf.getKernelsForBackend('cpu').map((kernel) => {
      const { kernelFunc } = kernel;
      kernel.kernelFunc = (given) => {
        const output = kernelFunc(given) as tf.TensorInfo;
        if (calls++ !== nudge?.call) return output;
        // Some kernels' outputs share their input's memory.
        const numbers = (tf.backend().readSync(output.dataId) as Float32Array).slice();
        numbers[nudge.entry] = (numbers[nudge.entry] ?? NaN) + nudge.by;
        return { ...output, dataId: tf.backend().write(numbers, output.shape, output.dtype) };
      };
      return () => (kernel.kernelFunc = kernelFunc);
    });
    const recorded = recordKernels(() => tf.tidy(() => step(...inputs)));
    for (const put of restore) put();
    const ends = [...recorded.result.slice(0, 1), ...model.weights.map((weight) => weight.read())].map(valueOf);
    return { calls: recorded.calls, ends };
  }

  const isView = ({ inputs, outputs }: Call) => Object.values(inputs).some(({ id }) => id === outputs[0]?.id);

  it('carries what a kernel does to the end as the step itself does, kernel by kernel', () => {
    const steps = stepsOf({ ...SMALL, norms: ['scratch', 'scratch'] });
    const { calls, ends } = runOnJs(steps);
    const weigh = (values: Value[]) =>
      values.map(({ numbers }, i) => Float32Array.from(numbers, (_, j) => ((i + j) % 5) - 2));
    const weights = weigh(ends);
    const sum = (values: Value[]) =>
      values.reduce(
        (total, { numbers }, i) => total + [...numbers].reduce((part, n, j) => part + n * (weights[i]?.[j] ?? NaN), 0),
        0,
      );
    const tried = new Set<string>();
    for (const [call, { kernel, outputs, ...rest }] of calls.entries()) {
      const [output] = outputs;
      if (output?.dtype !== 'float32' || isView({ kernel, outputs, ...rest })) continue;
      const entry = call % output.numbers.length;
      const by = 2 ** -8 * (Math.hypot(...output.numbers) / Math.sqrt(output.numbers.length) || 1);
      const roundings = calls.map(({ outputs: [made] }, i) =>
        Array.from(made?.numbers ?? [], (_, j) => (i === call && j === entry ? by : 0)),
      );
      const found = carried(calls, roundings, new Map(ends.map(({ id }, i) => [id, weights[i] as Float32Array])));
      const [above, below] = [by, -by].map((nudge) => sum(runOnJs(steps, { call, entry, by: nudge }).ends));
      const moved = Math.abs((above ?? NaN) - (below ?? NaN)) / 2;
      // Float32's own noise in the sums, and the curve between the two ends.
      expect(Math.abs(moved - found), `${kernel}, call ${call}`).toBeLessThan(2e-5 + 0.05 * found);
      if (found > 5e-5) tried.add(kernel);
    }
    expect([...tried].sort()).toEqual([
      'Add',
      'AvgPool',
      'AvgPoolGrad',
      'BatchMatMul',
      'Conv2DBackpropFilter',
      'Conv2DBackpropInput',
      'Exp',
      'FusedConv2D',
      'Log',
      'Mean',
      'Multiply',
      'Neg',
      'OneHot',
      'RealDiv',
      'Relu',
      'Rsqrt',
      'Sigmoid',
      'Square',
      'Sub',
      'Sum',
      'Tile',
      '_FusedMatMul',
    ]);
  });

  it.each([
    {
      what: 'a kernel whose rounding is not known',
      steps: stepsOf(SMALL, 'tanh'),
      message: 'Cannot compare a step: expected kernels whose rounding is known, got Tanh',
    },
    {
      what: 'a kernel that is fused with an activation',
      steps: stepsOf(SMALL, 'sigmoid', 'relu'),
      message: /^Cannot bound FusedConv2D: expected no activation or transposition in it, got \{.*"activation":"relu"/,
    },
  ])('is refused for $what', async ({ steps, message }) => {
    await openBackend('wasm');
    await expect(compareSteps(steps)).rejects.toThrow(message);
    expect(tf.getBackend()).toBe('wasm');
  });

  it('is refused for a kernel whose derivative is not known', () => {
    const value = (): Value => ({ id: {}, shape: [1], dtype: 'float32', numbers: Float32Array.of(1) });
    const call: Call = { kernel: 'Nonsense', inputs: { x: value() }, attributes: {}, outputs: [value()] };
    const weights = new Map([[call.outputs[0]?.id as object, Float32Array.of(1)]]);
    expect(() => carried([call], [[1]], weights)).toThrow(
      'Cannot bound a step: expected kernels whose derivative is known, got Nonsense',
    );
  });
});

function neverCalled(): never {
  throw new Error('the steps bring their own layers');
}

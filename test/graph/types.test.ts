/** Types that stock kernels name wrongly, rows looked up by inputs, and small constants that must not be lost. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nativeBackend, nativeTensor } from '../../src/graph/binding.js';
import type { CompiledStep } from '../../src/graph/compile.js';
import { compileStep } from '../support/compiled.js';
import { optimizerVariables } from '../../src/graph/optimizer.js';
import type { StepFunction } from '../../src/graph/record/record.js';

let tensors = 0;
beforeEach(() => void (tensors = tf.memory().numTensors));
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

/** Compiled on inputs that are disposed of when `use` has seen it. */
async function withStep(
  step: StepFunction,
  inputs: tf.Tensor[],
  use: (compiled: CompiledStep) => void,
  xla = false,
): Promise<void> {
  const compiled = await compileStep(step, { inputs, variables: [], xla });
  try {
    tf.tidy(() => use(compiled));
  } finally {
    compiled.dispose();
    tf.dispose(inputs);
  }
}

const valuesOf = (tensors: tf.Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()]);

describe('types follow the inputs of an op, not what its kernel says', () => {
  const predictions = () => tf.tensor2d([0.9, 0.2, 0.3, 0.8, 0.7, 0.1, 0.6, 0.4], [4, 2]);
  it.each<[string, StepFunction, () => tf.Tensor[], number[]]>([
    [
      'accuracy',
      (p, y) => [p.argMax(-1).equal(y).mean()],
      () => [predictions(), tf.tensor1d([0, 1, 0, 1], 'int32')],
      [0.75],
    ],
    ['mean of int32', (x) => [x.mean()], () => [tf.tensor1d([1, 2, 4, 6], 'int32')], [3.25]],
    ['variance of int32', (x) => [tf.moments(x).variance], () => [tf.tensor1d([1, 2, 4, 6], 'int32')], [3.6875]],
    ['variance of bool', (x) => [tf.moments(x).variance], () => [tf.tensor1d([1, 0, 1, 1], 'bool')], [0.1875]],
    [
      'binaryAccuracy',
      (p, y) => [tf.metrics.binaryAccuracy(y, p).mean()],
      () => [predictions(), tf.tensor2d([1, 0, 1, 1, 1, 0, 1, 0], [4, 2])],
      [0.875],
    ],
  ])('%s', async (_, step, inputs, expected) => {
    await withStep(step, inputs(), (compiled) => {
      const given = inputs();
      expect(valuesOf(step(...given))).toEqual([expected]);
      expect(valuesOf(compiled.run(...given))).toEqual([expected]);
    });
  });

  it('and a graph that TensorFlow refuses all the same is refused by the name of the op', async () => {
    const backend = nativeBackend();
    const crossed: StepFunction = (x) => {
      const ids = backend?.getInputTensorIds([x, x]) ?? [];
      // Not among the ops of tfjs, so nothing is known of its types.
      const type = { name: 'T', type: backend?.binding.TF_ATTR_TYPE ?? 0, value: backend?.binding.TF_FLOAT };
      const [output] = backend?.binding.executeOp('Cross', [type], ids, 1) ?? [];
      return output && backend ? [nativeTensor(backend, output)] : [];
    };
    const step = compileStep(crossed, { inputs: [{ shape: [2, 3], dtype: 'int32' }], variables: [] });
    await expect(step).rejects.toMatchObject({
      message: expect.stringMatching(
        /^Cannot compile the step: expected a graph that TensorFlow takes, got Cross: .*int32/,
      ) as string,
      hint: 'do without this op, or do it outside',
    });
  });
});

describe('rows are looked up', () => {
  const table = () => tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
  const outside = (op: string) => (index: number) => ({
    message: expect.stringMatching(
      `^Cannot run the compiled step: expected values that its ops take, got ${op}: .*= \\[?${index}\\]? `,
    ) as string,
    hint: 'look at its inputs: op by op it fails for them, too',
  });

  it('by inputs, within their bounds', async () => {
    const step: StepFunction = (x, i) => [x.gather(i)];
    await withStep(step, [table(), tf.tensor1d([0, 3, 1], 'int32')], (compiled) => {
      expect(valuesOf(compiled.run(table(), tf.tensor1d([3, 3, 0], 'int32')))).toEqual([[7, 8, 7, 8, 1, 2]]);
      for (const index of [4, -1])
        expect(() => compiled.run(table(), tf.tensor1d([0, index, 1], 'int32'))).toThrow(
          expect.objectContaining(outside('GatherV2')(index)),
        );
      const stacks = [table().expandDims(), tf.tensor2d([0, 4, 1], [1, 3], 'int32')];
      expect(() => compiled.runMany(...stacks)).toThrow(expect.objectContaining(outside('GatherV2')(4)));
      // It can be used afterwards.
      expect(valuesOf(compiled.run(table(), tf.tensor1d([0, 0, 0], 'int32')))).toEqual([[1, 2, 1, 2, 1, 2]]);
    });
  });

  it('by what is computed from inputs, which need not fit the zeros of the recording', async () => {
    const step: StepFunction = (x, labels) => {
      const i = (labels as tf.Tensor1D).sub<tf.Tensor1D>(tf.scalar(1, 'int32'));
      const share = tf.scalar(12, 'int32').div(labels);
      return [x.gather(i), share, tf.sparseToDense(i, tf.tensor1d([5, 6]), [4], 0)];
    };
    await withStep(step, [table(), tf.tensor1d([1, 4], 'int32')], (compiled) => {
      expect(valuesOf(compiled.run(table(), tf.tensor1d([1, 4], 'int32')))).toEqual([
        [1, 2, 7, 8],
        [12, 3],
        [5, 0, 0, 6],
      ]);
    });
  });

  it('but still checked where they are constants', async () => {
    await expect(
      compileStep((x) => [x.gather([0, 4])], { inputs: [{ shape: [4, 2], dtype: 'float32' }], variables: [] }),
    ).rejects.toThrow('GatherV2: the index value 4 is not in [0, 3]');
  });

  it('by an embedding layer, which trains as op by op', async () => {
    const train = async (isCompiled: boolean): Promise<number[][]> => {
      const embedding = tf.layers.embedding({ inputDim: 7, outputDim: 4, inputLength: 5 });
      const model = tf.sequential({ layers: [embedding, tf.layers.flatten(), tf.layers.dense({ units: 2 })] });
      const weights = model.weights.map((weight) => weight.read() as tf.Variable);
      for (const [i, weight] of weights.entries())
        tf.tidy(() => weight.assign(tf.truncatedNormal(weight.shape, 0, 1, 'float32', i + 1)));
      const sgd = tf.train.sgd(0.1);
      const words = tf.tensor2d([0, 1, 2, 3, 4, 6, 5, 6, 0, 0], [2, 5], 'int32');
      const labels = tf.tensor2d([0, 1, 1, 0], [2, 2]);
      const step = (x: tf.Tensor, y: tf.Tensor) => [
        sgd.minimize(
          () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as tf.Tensor),
          true,
          weights,
        ) as tf.Scalar,
      ];
      const compiled = isCompiled
        ? await compileStep(step, {
            inputs: [words, labels],
            variables: [...weights, ...optimizerVariables(sgd, weights)],
          })
        : undefined;
      for (let i = 0; i < 10; i++)
        tf.dispose(compiled ? compiled.run(words, labels) : tf.tidy(() => step(words, labels)));
      compiled?.read();
      const result = valuesOf(weights);
      compiled?.dispose();
      sgd.dispose();
      tf.dispose([words, labels, ...weights]);
      return result;
    };
    const [compiled, eager] = [await train(true), await train(false)];
    for (const [i, weights] of eager.entries())
      for (const [j, weight] of weights.entries()) expect(compiled[i]?.[j]).toBeCloseTo(weight, 5);
  });
});

it('a step may dispose of what it is given', async () => {
  const step: StepFunction = (x) => {
    const y = x.square();
    x.dispose();
    return [y];
  };
  await withStep(step, [tf.tensor1d([1, 2])], (compiled) => {
    const x = tf.tensor1d([3, 4]);
    expect(valuesOf(compiled.run(x))).toEqual([[9, 16]]);
    expect(x.isDisposed).toBe(false);
  });
});

describe('a constant keeps a logarithm away from 0', () => {
  const inputs = (): [tf.Tensor, tf.Tensor] => [tf.tensor1d([1, 0.5]), tf.tensor1d([1, 0.25])];
  type Op = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor[];
  const steps: [string, Op][] = [
    ['1 - p + 1e-8', (p) => [tf.scalar(1).sub(p).add(1e-8).log()]],
    ['1e-8 + (a - b)', (a, b) => [tf.scalar(1e-8).add(a.sub(b)).log()]],
    ['a - 1 + 1e-8', (a) => [a.sub(1).add(1e-8).abs().log()]],
    ['a + -b + 1e-8', (a, b) => [a.add(b.neg()).add(1e-8).log()]],
    ['the mean of squares less the square of the mean', (a) => [a.square().sub(a.mul(a)).add(1e-8).log()]],
  ];
  it.each(steps.flatMap(([name, step]) => [false, true].map((xla) => [name, xla, step] as const)))(
    '%s (XLA: %s)',
    async (_, xla, step) => {
      await withStep(
        step,
        inputs(),
        (compiled) => {
          const [got, expected] = [valuesOf(compiled.run(...inputs())), valuesOf(step(...inputs()))];
          for (const [i, value] of (expected[0] ?? []).entries()) expect(got[0]?.[i]).toBeCloseTo(value, 4);
        },
        xla,
      );
    },
  );
});

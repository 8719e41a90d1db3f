import '../support/native.js';
import { afterEach, describe, expect, it } from 'vitest';
import { batches, calls } from '../../src/data/batches.js';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { defaultStepsPerCall } from '../../src/train/step.js';

describe('calls', () => {
  const sizes = (examples: number, options: Parameters<typeof calls>[1]) =>
    [...calls(batches(new Int32Array(examples), 10), options)].map((call) => call.map(({ length }) => length));

  it.each([
    { what: 'of one batch', options: { most: 1 }, expected: [[10], [10], [10], [4]] },
    { what: 'of at most so many', options: { most: 2 }, expected: [[10, 10], [10], [4]] },
    { what: 'of one size each', options: { most: 64 }, expected: [[10, 10, 10], [4]] },
    { what: 'up to a checkpoint', options: { most: 64, bound: 2 }, expected: [[10, 10], [10], [4]] },
    {
      what: 'up to one, counted from before',
      options: { most: 64, bound: 2, before: 1 },
      expected: [[10], [10, 10], [4]],
    },
  ])('are $what', ({ options, expected }) => {
    expect(sizes(34, options)).toEqual(expected);
  });

  it('leave no batch out and keep their order', () => {
    const order = Int32Array.from({ length: 34 }, (_, i) => i);
    const all = [...calls(batches(order, 10), { most: 3, bound: 2 })].flat();
    expect(all.flatMap((rows) => [...rows])).toEqual([...order]);
  });
});

describe('the default number of steps a call', () => {
  const backend = nativeBackend() as NativeBackend;
  const here = backend.isUsingGpuDevice;
  const pretend = (isUsingGpuDevice: boolean) => Object.assign(backend, { isUsingGpuDevice });
  afterEach(() => pretend(here));

  it.each([
    { gpu: false, mode: 'graph', steps: 1 },
    { gpu: true, mode: 'graph', steps: 64 },
    { gpu: true, mode: 'eager', steps: 1 },
  ] as const)('is $steps with a GPU $gpu, $mode', ({ gpu, mode, steps }) => {
    pretend(gpu);
    expect(defaultStepsPerCall(mode)).toBe(steps);
  });
});

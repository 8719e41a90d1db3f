/** Tensors made from JavaScript's arrays have memory of their own. */
import { backend } from '../support/native.js';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs';
import { expect, test, vi } from 'vitest';
import { execute, nativeTensor, requireNative } from '../../src/graph/binding.js';
import { locateRuntime } from '../../src/runtime/install/libraries.js';
import { ALL } from '../support/amount.js';
import { start } from '../support/program.js';

test.each([
  ['float32', Float32Array],
  ['int32', Int32Array],
  ['bool', Uint8Array],
] as const)('%s tensors keep their values when the array is written to, wherever it lies', (dtype, Typed) => {
  expect(backend.name).toBe('native');
  const native = requireNative('upload');
  for (let i = 0; i < 300; i++) {
    // A few bytes more or less shift where the next array lies.
    const array = new Typed(65 + (i % 80)).fill(1);
    const tensor = tf.tensor(array, [array.length], dtype);
    native.getInputTensorIds([tensor]);
    array.fill(0);
    expect(tensor.dataSync().every((value) => value === 1)).toBe(true);
    tensor.dispose();
  }
});

test('so do those of int64, and there are some without values', () => {
  const native = requireNative('upload');
  const { binding } = native;
  for (let i = 0; i < 300; i++) {
    const [halves, shape] = [new Int32Array(2 * (20 + i)).fill(1), [20 + i]];
    const value = { id: binding.createTensor(shape, binding.TF_INT64, halves), shape, dtype: binding.TF_INT64 };
    halves.fill(0);
    const cast = execute(binding, 'Cast', { SrcT: binding.TF_INT64, DstT: binding.TF_FLOAT }, [value.id]);
    binding.deleteTensor(value.id);
    const tensor = nativeTensor(native, cast);
    expect(tensor.dataSync().every((value) => value === 2 ** 32)).toBe(true);
    tensor.dispose();
  }
  expect([...tf.tensor(new Float32Array(0), [0, 3]).add(1).dataSync()]).toEqual([]);
});

test('the rows of a data set are shared where they lie as TensorFlow takes them, and given back', async () => {
  const { binding } = requireNative('upload');
  const [words, lead] = [12.5e6, 12];
  const before = process.memoryUsage();
  for (let i = 0; i < 30; i++) {
    // A large array begins 16 bytes into a page; nobody has written to its pages.
    const halves = new Int32Array(lead + 2 * words).subarray(lead);
    binding.deleteTensor(binding.createTensor([words], binding.TF_INT64, halves));
  }
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  expect(process.memoryUsage().rss - before.rss).toBeLessThan(50e6);
  // V8 frees them in a thread of its own, which may have to wait for a core.
  await vi.waitFor(
    () => {
      gc();
      expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(3 * 100e6);
    },
    { timeout: 30_000 },
  );
});

test('no allocator is told how large the memory is that it gets back, which the stock sources have wrong', async () => {
  const runtime = await locateRuntime({ device: 'cpu' });
  // The name of C++'s operator delete(void*, size_t).
  expect(readFileSync(runtime?.addon ?? '').includes('_ZdlPvm')).toBe(false);
});

test.runIf(ALL)("TensorFlow's threads let go of them without touching what is V8's", async () => {
  const env = { TF_NUM_INTEROP_THREADS: '4' };
  const { code, stdout, stderr } = await start(process.execPath, [path.join(import.meta.dirname, 'assignMany.js')], {
    env,
  }).result;
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'done\n', stderr: '' });
});

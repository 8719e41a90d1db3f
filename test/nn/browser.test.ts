import { createRequire } from 'node:module';
import * as vm from 'node:vm';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import { reference } from '../../src/verify/reference.js';

const ENTRY = 'entry';
const published = createRequire(import.meta.url).resolve('bn-train/nn');

/** What a browser's page would load: the package's export and tfjs, in one script. */
async function bundle(entry: string) {
  const bundler = await rolldown({
    input: ENTRY,
    platform: 'browser',
    plugins: [
      { name: ENTRY, resolveId: (id) => (id === ENTRY ? id : null), load: (id) => (id === ENTRY ? entry : null) },
    ],
    // The complaint about what a browser does not have.
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await bundler.generate({ format: 'iife', name: 'bundle' });
  await bundler.close();
  return output[0];
}

it('bn-train/nn runs in a browser: no import of Node stands behind it', async () => {
  const chunk = await bundle(
    `export * as nn from ${JSON.stringify(published)}; export * as tf from '@tensorflow/tfjs';`,
  );
  expect(chunk.imports).toEqual([]);
  // Neither require nor process, Buffer or any other global of Node.
  const page = vm.createContext({ performance, setTimeout, clearTimeout });
  vm.runInContext('var window = globalThis; window.document = {};', page);
  vm.runInContext(chunk.code, page);
  const y = await (vm.runInContext(
    `(async () => {
      const { nn, tf } = bundle;
      await tf.setBackend('cpu');
      const layer = new nn.BatchNorm({ inputShape: [2] });
      const model = tf.sequential({ layers: [layer] });
      const y = model.apply(tf.tensor2d([1, 2, 3, 5, 0, 1], [3, 2]), { training: true });
      if (nn.lenet({ norm: 'scratch' }).predict(tf.zeros([1, 28, 28, 1])).size !== 10) throw new Error('logits');
      return JSON.stringify([...y.dataSync()]);
    })()`,
    page,
  ) as Promise<string>);
  const vectors = { gamma: [1, 1], beta: [0, 0], movingMean: [0, 0], movingVariance: [1, 1] };
  const expected = reference([1, 2, 3, 5, 0, 1], 2, vectors, { training: true, epsilon: 1e-5, momentum: 0.9 }).y;
  (JSON.parse(y) as number[]).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 5));
});

it('a bundle with an import of Node is noticed', async () => {
  await expect(bundle(`export * as fs from 'node:fs'`)).rejects.toThrow('node:fs');
});

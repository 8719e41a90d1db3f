/** Models of the oldest TensorFlow.js that is named, and of the newest, are accelerated alike. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, start } from '../support/program.js';
import { expectClose } from '../support/twins.js';

interface Trained {
  compiled: number;
  numbers: number[];
}

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bn-train-tfjs-'));
  await writeFile(path.join(folder, 'package.json'), '{}');
});
afterAll(() => rm(folder, { recursive: true }));

const OTHER = path.join(root, 'test/support/otherTfjs.js');

it.each([
  ['4.10.0', ['--import', OTHER]],
  ['4.22.0', []],
])('%s', async (version, preloaded) => {
  if (preloaded.length > 0) {
    const packages = ['', '-core', '-layers', '-data', '-converter', '-backend-cpu'].map(
      (name) => `@tensorflow/tfjs${name}@${version}`,
    );
    const made = await start('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
      cwd: folder,
    }).result;
    expect(made.code).toBe(0);
  }
  const program = [...preloaded, path.join(root, 'test/support/bothWays.js')];
  const { stdout, code } = await start(process.execPath, program, { cwd: root, env: { OTHER_TFJS: folder } }).result;
  expect(code).toBe(0);
  const found = JSON.parse(stdout) as { version: string; stock: Trained; fast: Trained };
  expect(found.version).toBe(version);
  expect(found.fast.compiled).toBeGreaterThan(5);
  expectClose([found.fast.numbers], [found.stock.numbers]);
});

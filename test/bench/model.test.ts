/** `bench --model`: files that people may name, what is said of the wrong ones, and what is measured of the right ones. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, runProgram, start } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-model-'));
afterAll(() => rm(work, { recursive: true }));

const IMPORT = "import * as tf from '@tensorflow/tfjs';";
const PARTS = `
  const { dense } = tf.layers;
  const made = (units = 2) => tf.sequential({ layers: [dense({ inputShape: [4], units })] });
  const compiled = (units) => {
    const model = made(units);
    model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    return model;
  };
  const good = { xs: tf.randomNormal([50, 4]), ys: tf.ones([50, 2]) };
`;
const HINT = 'export const model = () => makeAndCompile(), data = { xs, ys }, batchSize = 32';
const VERBOSE = '--verbose shows where';
const TENSORS = 'to be a tensor, a list of them, or an object of them by name';

/** What a file exports after these lines, what is said of it, and the hint. */
const WRONG: Record<string, [code: string, said: string, hint?: string]> = {
  empty: ['', 'expected the exports model and data, got no exports', HINT],
  misnamed: [
    'export const modle = compiled, data = good;',
    'expected the exports model and data, got the exports data, modle',
    HINT,
  ],
  throws: ["throw new Error('of its own');", 'expected a JavaScript module that loads, got of its own', VERBOSE],
  syntax: ['export const = 1;', "expected a JavaScript module that loads, got Unexpected token '='", VERBOSE],
  modelThrows: [
    "export const model = () => { throw new Error('of its own'); }, data = good;",
    'expected model() to make a model, got of its own',
    VERBOSE,
  ],
  noModel: [
    'export const model = () => [], data = good;',
    'expected model to be a LayersModel, or a function that makes one, got an array',
    HINT,
  ],
  graphModel: [
    "export const model = new tf.GraphModel('nowhere'), data = good;",
    'expected model to be a LayersModel, or a function that makes one, got a GraphModel',
    HINT,
  ],
  otherCopy: [
    'export const model = { trainOnBatch() {} }, data = good;',
    'expected model to be a LayersModel, or a function that makes one, got one of another copy of TensorFlow.js',
    HINT,
  ],
  notCompiled: [
    'export const model = made, data = good;',
    'expected a compiled model, got one without an optimizer',
    "model.compile({ optimizer: 'adam', loss: 'meanSquaredError' }) before it is exported",
  ],
  notCopied: [
    `class Own extends tf.layers.Layer { static className = 'Own'; call([x]) { return x.square(); } }
     export const model = compiled(), data = good;
     model.add(new Own());
     model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });`,
    'expected a model that can be copied, got Unknown layer: Own.',
    'export a function that makes it',
  ],
  unlike: [
    'let units = 1; export const model = () => compiled(units++), data = good;',
    'expected model() to make the same model each time, got weights of shape [4, 1] [1], then [4, 2] [2]',
  ],
  dataThrows: [
    "export const model = compiled, data = async () => { throw new Error('of its own'); };",
    'expected data() to make data, got of its own',
    VERBOSE,
  ],
  noXs: ['export const model = compiled, data = null;', `expected xs of data ${TENSORS}, got undefined`, HINT],
  arrays: [
    'export const model = compiled, data = { xs: good.xs, ys: [[1, 2]] };',
    `expected ys of data ${TENSORS}, got an array`,
    HINT,
  ],
  disposed: [
    'export const model = compiled, data = good; good.ys.dispose();',
    `expected ys of data ${TENSORS}, got a tensor that is disposed`,
    HINT,
  ],
  counts: [
    'export const model = compiled, data = { ...good, ys: tf.ones([9, 2]) };',
    'expected tensors of as many examples each, and of at least one, got 50, 9',
  ],
  scalars: [
    'export const model = compiled, data = { xs: tf.scalar(1), ys: tf.scalar(1) };',
    'expected tensors of as many examples each, and of at least one, got 0, 0',
  ],
  batchSize: [
    "export const model = compiled, data = good, batchSize = '32';",
    'expected batchSize to be a whole number from 1, got "32"',
  ],
  shape: [
    'export const model = compiled, data = { ...good, xs: tf.ones([50, 5]) };',
    'Cannot train the model of shape.mjs: expected data that it takes, got input expected a batch of elements',
  ],
  notFinite: [
    'export const model = compiled, data = { ...good, ys: tf.fill([50, 2], NaN) };',
    'expected losses that are finite, got NaN at step 1',
    'a smaller learning rate, or other data',
  ],
  uncompiledOp: [
    `export const data = good, model = () => {
       const model = made();
       model.compile({ optimizer: 'sgd', loss: (y, p) => tf.losses.meanSquaredError(y, p.mul(p.sum().dataSync()[0])) });
       return model;
     };`,
    "a read of a tensor's values",
  ],
};

/** Opens each file in one process, as `bench --model` does. */
const OPEN = `
  import { openBackend } from 'bn-train';
  const [, folder, ...names] = process.argv;
  const dist = (file) => import(new URL('dist/' + file, 'file://' + process.cwd() + '/').href);
  const { loadModelFile } = await dist('bench/modelFile.js');
  const { ModelPair } = await dist('bench/modelSpeed.js');
  (await dist('runtime/ownPackages.js')).sharePackages();
  await openBackend('native');
  const options = { versions: {}, threads: 1, signal: new AbortController().signal };
  for (const name of names)
    try {
      const pair = await ModelPair.open(await loadModelFile(folder + '/' + name), options);
      await pair.close();
      console.log(JSON.stringify({ message: 'opened' }));
    } catch ({ message, hint }) {
      console.log(JSON.stringify({ message, hint }));
    }
`;

interface Said {
  message: string;
  hint?: string;
}

describe('a file that cannot be measured is told in words:', () => {
  const files = Object.keys(WRONG).map((name) => `${name}.mjs`);
  const said = new Map<string, Said>();
  beforeAll(async () => {
    mkdirSync(path.join(work, 'folder'));
    for (const [name, [code]] of Object.entries(WRONG))
      writeFileSync(path.join(work, `${name}.mjs`), code === '' ? '' : [IMPORT, PARTS, code].join('\n'));
    const names = [...files, 'missing.mjs', 'folder'];
    const args = ['--input-type=module', '-e', OPEN, work, ...names];
    const { stdout, stderr, code } = await start(process.execPath, args, { cwd: root }).result;
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    for (const [i, line] of stdout.trim().split('\n').entries()) said.set(names[i] ?? '', JSON.parse(line) as Said);
  });

  it.each(Object.entries(WRONG))('%s', (name, [, words, hint]) => {
    const { message, hint: given } = said.get(`${name}.mjs`) ?? { message: '' };
    expect(message).toContain(words);
    if (!words.startsWith('Cannot') && name !== 'uncompiledOp') expect(message).toMatch(`Cannot measure ${name}.mjs: `);
    if (name !== 'uncompiledOp') expect(given).toBe(hint);
  });

  it('one that is not there, and a folder', () => {
    expect(said.get('missing.mjs')).toEqual({
      message: 'Cannot measure missing.mjs: expected a JavaScript file, got no such file or folder',
      hint: '--model FILE',
    });
    expect(said.get('folder')?.message).toBe('Cannot measure folder: expected a JavaScript file, got a folder');
  });
});

interface Report {
  programs: [{ program: string; versions: Record<string, string>; contestants: string[] }];
  speeds: { name: string; turns: number[] }[];
  ratios: [{ median: number; min: number; max: number }];
  layers: number;
  parameters: number;
  examples: number;
  batchSize: number;
  firstSteps: { losses: number[]; accelerated: Difference; stock: Difference };
}
type Difference = Record<'loss' | 'weight', number>;

const bench = (file: string, ...args: string[]) =>
  runProgram(['bench', '--model', path.join(work, file), '--steps', '5', '--turns', '2', ...args]);

describe('bn-train bench --model', () => {
  it('gives a file its own TensorFlow.js, whichever it requires, and measures it', async () => {
    for (const name of ['@tensorflow/tfjs', '@tensorflow/tfjs-core', '@tensorflow/tfjs-node', 'bn-train']) {
      const folder = path.join(work, 'node_modules', name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'index.js'), "throw new Error('another copy');");
    }
    const code = [
      "const tf = require('@tensorflow/tfjs-node');",
      "const { Tensor } = require('@tensorflow/tfjs-core');",
      "const { BatchNorm } = require('bn-train/nn');",
      PARTS,
      "console.log('said by the file', typeof tf.node.encodePng, Tensor === tf.Tensor);",
      'const model = made(); model.add(new BatchNorm());',
      "model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });",
      'module.exports = { model, data: async () => good, batchSize: 20 };',
    ].join('\n');
    writeFileSync(path.join(work, 'common.cjs'), code);
    const { code: status, stdout, stderr } = await bench('common.cjs', '--json');
    expect(stderr).toBe('said by the file function true\nwarm-up\nturn 1/2\nturn 2/2\n');
    expect(status).toBe(0);
    const { programs, speeds, ratios, firstSteps, ...about } = JSON.parse(stdout) as Report;
    expect(programs).toMatchObject([{ program: 'common.cjs', contestants: ['stock', 'accelerated'] }]);
    expect(Object.keys(programs[0].versions)).toEqual(['bn-train', 'node', '@tensorflow/tfjs', 'tensorflow']);
    expect(speeds.map(({ name, turns }) => [name, turns.length])).toEqual([
      ['stock', 2],
      ['accelerated', 2],
    ]);
    const [stock, accelerated] = speeds.map(({ turns }) => turns) as [number[], number[]];
    const ratio = accelerated.map((speed, i) => speed / (stock[i] ?? NaN)).sort((a, b) => a - b);
    expect([ratios[0].min, ratios[0].max]).toEqual(ratio);
    expect(about).toMatchObject({ layers: 2, parameters: 18, examples: 50, batchSize: 20, steps: 5, turns: 2 });
    expect(firstSteps.losses).toHaveLength(12);
    expect(firstSteps.stock).toEqual({ loss: 0, weight: 0 });
    expect(firstSteps.accelerated.loss).toBeLessThan(1e-5);
    expect(firstSteps.accelerated.weight).toBeLessThan(1e-4);
  });

  it('prints a table, for a model with several inputs and outputs that draws, too', async () => {
    writeFileSync(
      path.join(work, 'several.mjs'),
      `${IMPORT}
       const [a, b] = ['a', 'b'].map((name) => tf.input({ shape: [8], name }));
       const dropped = tf.layers.dropout({ rate: 0.5 }).apply(tf.layers.concatenate().apply([a, b]));
       const outputs = [1, 2].map((units) => tf.layers.dense({ units }).apply(dropped));
       const make = () => tf.model({ inputs: [a, b], outputs });
       export const model = Promise.resolve(make());
       (await model).compile({ optimizer: 'rmsprop', loss: ['meanSquaredError', 'meanAbsoluteError'] });
       export const data = {
         xs: { a: tf.randomNormal([100, 8]), b: tf.randomNormal([100, 8]) },
         ys: [tf.ones([100, 1]), tf.ones([100, 2])],
       };`,
    );
    const { code, stdout } = await bench('several.mjs', '--batch-size', '50');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^several\.mjs: bn-train .*, node .*, @tensorflow\/tfjs 4\.22\.0, tensorflow .*, \d+ threads$/m,
    );
    expect(stdout).toMatch(/^median \[range\] of 2 turns, each 5 steps of 50 examples$/m);
    expect(stdout).toMatch(/^6 layers, 51 parameters; batches of 50 out of 100 examples$/m);
    for (const name of ['stock', 'accelerated'])
      expect(stdout).toMatch(new RegExp(`^several\\.mjs ${name} +[\\d,]+ +\\[.*\\] +[\\d.]+ +\\[.*\\]$`, 'm'));
    expect(stdout).toMatch(/^several\.mjs accelerated \/ several\.mjs stock +[\d.]+ +\[[\d.]+–[\d.]+\]$/m);
    expect(stdout).toMatch(/^accelerated, from stock +\d\.\de[+-]\d+ +\d\.\de[+-]\d+ +\d+\.\d$/m);
    expect(stdout).toMatch(/^stock differs from itself: the model draws random numbers, as for dropout or noise$/m);
  });

  it('needs the native backend, and no other contestants', async () => {
    writeFileSync(path.join(work, 'plain.mjs'), `${IMPORT}${PARTS} export const model = compiled, data = good;`);
    const other = await bench('plain.mjs', '--backend', 'js');
    expect(other.stderr).toContain(
      'plain.mjs: expected the native backend, which alone is accelerated, got js\nhint: --backend native\n',
    );
    expect(other.code).toBe(1);
    const both = await bench('plain.mjs', '--norms', 'none');
    expect(both.stderr).toBe("error: option '--model <file>' cannot be used with option '--norms <list>'\n");
    expect(both.code).toBe(2);
  });
});

/** `recalibrate` and `fold` on runs of all kinds: new folders, figures, models that stock TensorFlow.js loads, refusals. */
import '../support/native.js';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/run/checkpoints.js';
import { readConfig } from '../../src/run/config.js';
import { readEnding } from '../../src/run/ending.js';
import { program, runProgram, start } from '../support/program.js';
import { type SmallData, writeSmallData } from '../support/smallData.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-fold-'));
const inWork = (...names: string[]) => path.join(work, ...names);
afterAll(() => rm(work, { recursive: true }));

let data: SmallData;
const run = (...args: string[]) => runProgram([...args, ...data.args], { cwd: work, env: data.env });
const NORMS = ['scratch', 'builtin', 'none'] as const;

beforeAll(async () => {
  data = await writeSmallData(inWork('data'), 600, 300);
  for (const norm of NORMS)
    expect((await run(norm, '--epochs', '2', '--seed', '1', '--batch-size', '64', '--run-dir', norm)).code).toBe(0);
});

/** Every file of a folder, by its name, with its bytes. */
function contentOf(folder: string): Record<string, string> {
  const names = readdirSync(inWork(folder), { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(inWork(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(inWork(folder, name), 'latin1')]));
}

describe('recalibrate', () => {
  it('keeps a run with population statistics as a new one, which tells where it is from, and leaves the old one as it was', async () => {
    const before = contentOf('scratch');
    const { code, stdout, stderr } = await run('recalibrate', 'scratch', '--run-dir', 'new');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(contentOf('scratch')).toEqual(before);
    const [moving = '', own = ''] =
      /acc (0\.\d{3}) with the moving.*\n.*acc (0\.\d{3}) with pop/.exec(stdout)?.slice(1) ?? [];
    expect(stdout).toBe(
      `scratch: scratch, seed 1, after epoch 2 of 2\ntest acc ${moving} with the moving average\n` +
        `test acc ${own} with population statistics (600 images)\nkept with these in new\n`,
    );
    expect(own).not.toBe(moving);
    const { recalibrated, ...config } = await readConfig(inWork('new'));
    expect(config).toEqual(await readConfig(inWork('scratch')));
    expect(recalibrated).toMatchObject({ from: inWork('scratch'), images: 600, backend: 'native', device: 'cpu' });
    expect(Object.keys(contentOf('new'))).toEqual(Object.keys(before).filter((name) => !name.includes('epoch-2')));
    expect((await run('evaluate', 'new')).stdout).toBe(
      `new: scratch, seed 1, after epoch 2 of 2, recalibrated\ntest acc ${own} with the statistics that it was recalibrated to\n` +
        `test acc ${own} with population statistics (600 images)\n`,
    );
    const end = await readEnding(inWork('new'));
    expect(end?.testAccuracy.toFixed(3)).toBe(own);
    expect(end).toMatchObject({ testAccuracyPopulation: end?.testAccuracy, populationImages: 600 });
    const inspected = await runProgram(['inspect-gamma', 'new', '--moving'], { cwd: work });
    expect(inspected.stdout).toContain('after epoch 2 of 2, recalibrated\n');
    expect(inspected.stderr).toBe('');
  });

  it('leaves nothing where the disk is full, and says what is to be done', async () => {
    const command = `'${process.execPath}' '${program}' recalibrate scratch --run-dir disk/r --quiet ${data.args.join(' ')}`;
    const script = `mkdir disk && mount -t tmpfs -o size=300k tmpfs disk; ${command}; echo $?; ls disk`;
    const { stdout, stderr } = await start('unshare', ['-rm', 'sh', '-c', script], { env: data.env, cwd: work }).result;
    expect(stderr).toBe(
      'Cannot write the run folder disk/r: expected room and permission, got no space left on the device\n' +
        'hint: free some space or give permission, then start again: nothing was kept\n',
    );
    expect(stdout).toBe('1\n');
  });

  it('takes no folder of a run, with which it cannot go on', async () => {
    const { code, stderr } = await run('recalibrate', 'scratch', '--run-dir', 'builtin');
    expect(stderr).toMatch(/^Cannot use the run folder builtin: .*\nhint: name another one with --run-dir\n$/);
    expect(code).toBe(2);
  });

  it('tells all as JSON, and takes a name of its own beside the other runs', async () => {
    const { stdout } = await run('recalibrate', 'builtin', '--json');
    const { runDirectory, ...told } = JSON.parse(stdout) as Record<string, unknown>;
    expect(runDirectory).toMatch(/^runs\/\d{8}-\d{6}-builtin-recalibrated$/);
    expect(told).toEqual({
      ...{ run: 'builtin', norm: 'builtin', epoch: 2, backend: 'native', device: 'cpu', fallback: null },
      testAccuracy: expect.any(Number) as number,
      testAccuracyPopulation: expect.any(Number) as number,
      populationImages: 600,
    });
    expect(existsSync(inWork(String(runDirectory), 'checkpoint/epoch-3-batch-0.ckpt'))).toBe(true);
  });

  it.each([
    {
      args: ['recalibrate', 'none'],
      words:
        'Cannot recalibrate none: expected a run with batch normalization, got one without\nhint: train one: bn-train scratch\n',
      code: 1,
    },
    {
      args: ['recalibrate', 'scratch', '--run-dir', 'builtin'],
      words: 'Cannot use the run folder builtin: expected a new or empty folder, got one that holds',
      code: 2,
    },
    { args: ['recalibrate', 'nowhere'], words: 'Cannot read the run nowhere: expected a run folder', code: 1 },
  ])('is refused: $args', async ({ args, words, code }) => {
    const before = readdirSync(work);
    const result = await run(...args);
    expect(result.stderr).toContain(words);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(readdirSync(work)).toEqual(before);
  });

  it('gives a run that cannot be gone on with: the one that it is from can', async () => {
    const { code, stderr } = await run('scratch', '--resume', 'new', '--epochs', '3');
    expect(stderr).toBe(
      `Cannot resume new: expected a run that was trained there, got one that was recalibrated, from ${inWork('scratch')}\n` +
        `hint: go on with that: bn-train scratch --resume '${inWork('scratch')}'\n`,
    );
    expect(code).toBe(2);
  });
});

/** The folded model's logits for the first test images, by TensorFlow.js alone. */
function byStock(folder: string, images: number[]): number[] {
  const program = `
    import { readFileSync } from 'node:fs';
    import * as tf from ${JSON.stringify(createRequire(import.meta.url).resolve('@tensorflow/tfjs'))};
    const { modelTopology, weightsManifest } = JSON.parse(readFileSync('model.json'));
    const { buffer, byteOffset, byteLength } = readFileSync('weights.bin');
    const weightData = buffer.slice(byteOffset, byteOffset + byteLength);
    const artifacts = { modelTopology, weightSpecs: weightsManifest[0].weights, weightData };
    const model = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
    const x = tf.tensor4d(${JSON.stringify(images)}, [${images.length / 784}, 28, 28, 1]);
    console.log(JSON.stringify([...model.predict(x).dataSync()]));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    encoding: 'utf8',
  });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as number[];
}

describe('fold', () => {
  it.each(NORMS)('writes %s as a model that stock TensorFlow.js loads, and says what that changed', async (norm) => {
    const { code, stdout, stderr } = await run('fold', norm, '--onnx', '--saved-model');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: norm === 'none' ? 'there is no batch normalization to fold; the model stays as it is\n' : '',
    });
    expect(stdout).toMatch(/^test acc +(0\.\d{3}) +\1$/m);
    expect(stdout).toMatch(/^size +18\d\.\d kB +18\d\.\d kB$/m);
    expect(stdout).toMatch(
      /^largest difference over 300 test images: \S+ of a probability, \S+ of a logit; 0 images in another class$/m,
    );
    expect(stdout).toMatch(/^one image a call +[\d,]+ +\[[\d,]+–[\d,]+\] +[\d,]+ +\[[\d,]+–[\d,]+\] +\d+\.\d\d +\[/m);
    expect(stdout).toContain(`written to ${norm}/folded: model.json (`);
    const files = contentOf(path.join(norm, 'folded'));
    expect(Object.keys(files)).toEqual(['model.json', 'model.onnx', 'saved_model/saved_model.pb', 'weights.bin']);
    expect(files['model.json']).not.toContain('BatchNorm');
    const x = Array.from({ length: 3 * 784 }, (_, i) => ((i * 7919) % 256) / 255);
    const { model } = await loadModel(inWork(norm), await readConfig(inWork(norm)));
    const expected = (model.predict(tf.tensor4d(x, [3, 28, 28, 1])) as tf.Tensor).dataSync();
    for (const [i, value] of byStock(inWork(norm, 'folded'), x).entries())
      expect(value).toBeCloseTo(expected[i] ?? NaN, 4);
  });

  it.each(['wasm', 'js'])('works on the %s backend, and tells all as JSON', async (backend) => {
    const output = `on-${backend}`;
    const { stdout } = await run('fold', 'builtin', '--backend', backend, '--output', output, '--json');
    const told = JSON.parse(stdout) as { difference: Record<string, unknown>; inference: unknown[] };
    const range = {
      median: expect.any(Number) as number,
      min: expect.any(Number) as number,
      max: expect.any(Number) as number,
    };
    const speed = { before: range, after: range, speedUp: range };
    expect(told).toEqual({
      ...{
        run: 'builtin',
        norm: 'builtin',
        epoch: 2,
        backend,
        device: 'cpu',
        fallback: null,
        output,
      },
      difference: {
        ...{ images: 300, logit: expect.any(Number) as number, probability: expect.any(Number) as number, classes: 0 },
        accuracy: { before: expect.any(Number) as number, after: expect.any(Number) as number },
      },
      size: { before: expect.any(Number) as number, after: expect.any(Number) as number },
      inference: [
        { images: 250, turns: 21, ...speed },
        { images: 1, turns: 21, ...speed },
      ],
      files: { 'model.json': expect.any(Number) as number, 'weights.bin': 177_704 },
    });
    expect(told.difference['probability']).toBeLessThan(1e-5);
    expect(Object.keys(contentOf(output))).toEqual(['model.json', 'weights.bin']);
  });

  it('never writes over what is there, and says what keeps it from writing', async () => {
    mkdirSync(inWork('taken'));
    const taken = await run('fold', 'scratch', '--output', 'taken');
    expect(taken).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'Cannot write taken: expected a new folder, got one that is there already\nhint: name another one with --output\n',
    });
    const under = await run('fold', 'scratch', '--output', 'scratch/config.json/folded');
    expect(under.stderr).toBe(
      'Cannot write scratch/config.json/folded: expected a folder that can be written, scratch/config.json, got a file where a folder belongs\nhint: choose another folder\n',
    );
    expect(under.code).toBe(2);
    const long = 'a'.repeat(250);
    expect((await run('fold', 'scratch', '--output', long)).stderr).toBe(
      `Cannot write ${long}: expected room and permission, got a name that is too long\nhint: name another folder with --output\n`,
    );
    expect(readdirSync(inWork('taken'))).toEqual([]);
  });
});

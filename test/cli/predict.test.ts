/** `predict` on files, stdin and test images, by every backend; which word is the run; what is refused. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFashionMnist } from '../../src/data/fashionMnist.js';
import { header } from '../data/payload.js';
import { PLAIN, program, root, runProgram } from '../support/program.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-predict-'));
const inWork = (...names: string[]) => path.join(work, ...names);
afterAll(() => rm(work, { recursive: true }));
const run = (...args: string[]) => runProgram(['predict', ...args], { cwd: work });

let pixels: number[];

function writePng(name: string, width: number, value: (x: number, y: number) => number): void {
  const png = new PNG({ width, height: width });
  for (let i = 0; i < width * width; i++) png.data.fill(value(i % width, Math.floor(i / width)), 4 * i, 4 * i + 3);
  for (let i = 3; i < png.data.length; i += 4) png.data[i] = 255;
  writeFileSync(inWork(name), PNG.sync.write(png));
}

beforeAll(async () => {
  for (const norm of ['scratch', 'none'])
    execFileSync('tar', ['-xzf', path.join(root, `test/fixtures/${norm}-finished.tar.gz`)], { cwd: work });
  mkdirSync(inWork('runs'));
  cpSync(inWork('scratch-finished'), inWork('runs/newest'), { recursive: true });
  const { test } = await loadFashionMnist();
  pixels = [...test.images.subarray(17 * 784, 18 * 784)];
  const at = (x: number, y: number) => pixels[y * 28 + x] ?? 0;
  writePng('same.png', 28, at);
  writePng('large.png', 280, (x, y) => at(Math.floor(x / 10), Math.floor(y / 10)));
  writePng('inverted.png', 280, (x, y) => 255 - at(Math.floor(x / 10), Math.floor(y / 10)));
  writePng('white.png', 9, () => 255);
  writePng('-dash.png', 28, at);
  writeFileSync(inWork('text.png'), 'hello');
});

interface Said {
  run: string;
  backend: string;
  statistics: string | null;
  classes: string[];
  predictions: { image: string; class: number; probabilities: number[]; label: number | null; preparation: unknown }[];
}

async function saidBy(...args: string[]): Promise<Said> {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/^(using the (wasm|js) backend .*\n)?$/) as string,
  });
  return JSON.parse(stdout) as Said;
}

describe('the same is said of a test image', () => {
  const FILES = ['test:17', 'same.png', 'large.png', 'inverted.png', 'test:17'];
  let first: Said;

  it('from the data set, as a PNG, scaled up, and inverted, in the order that was asked for', async () => {
    first = await saidBy('scratch-finished', ...FILES);
    expect(first).toMatchObject({ run: 'scratch-finished', backend: 'native', statistics: 'moving average' });
    expect(first.classes).toHaveLength(10);
    expect(first.classes[4]).toBe('Coat');
    expect(first.predictions.map(({ image }) => image)).toEqual(FILES);
    const [own] = first.predictions;
    for (const each of first.predictions) {
      expect(each.probabilities).toEqual(own?.probabilities);
      expect(each.class).toBe(own?.class);
    }
    expect(own).toMatchObject({ label: 4, preparation: null });
    expect(own?.probabilities.indexOf(Math.max(...own.probabilities))).toBe(own?.class);
    expect(own?.probabilities.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 5);
    expect(first.predictions[3]).toMatchObject({
      label: null,
      preparation: {
        size: { width: 280, height: 280 },
        turned: false,
        behind: null,
        inverted: true,
        box: null,
        blank: false,
      },
    });
  });

  it.each(['wasm', 'js'])('by the %s backend', async (backend) => {
    const other = await saidBy('--backend', backend, 'scratch-finished', 'same.png');
    expect(other.backend).toBe(backend);
    for (const [i, value] of (other.predictions[0]?.probabilities ?? []).entries())
      expect(value).toBeCloseTo(first.predictions[0]?.probabilities[i] ?? NaN, 4);
  });

  it('from stdin, by the newest run', () => {
    const { stdout } = spawnSync(process.execPath, [program, 'predict', '-', '--json'], {
      ...{ cwd: work, env: { ...process.env, ...PLAIN }, input: readFileSync(inWork('large.png')), encoding: 'utf8' },
    });
    const { run, predictions } = JSON.parse(stdout) as Said;
    expect(run).toBe('runs/newest');
    expect(predictions).toMatchObject([{ image: 'stdin', class: first.predictions[0]?.class }]);
    for (const [i, value] of (predictions[0]?.probabilities ?? []).entries())
      expect(value).toBeCloseTo(first.predictions[0]?.probabilities[i] ?? NaN, 5);
  });
});

it('says in words what it saw, what was done to it and how sure it is, beside a picture', async () => {
  const { code, stdout, stderr } = await run('none-finished', 'inverted.png', 'test:17', '--', '-dash.png');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines.slice(0, 2)).toEqual(['none-finished: none, seed 1, after epoch 1 of 1', '']);
  expect(lines[2]).toMatch(/^inverted\.png: \S+.*, \d+\.\d %$/);
  expect(lines[3]).toBe('  280×280, inverted as its background is light');
  expect(stdout).toMatch(/^test:17: \S+.*, \d+\.\d %(, which is right|; it is Coat)$/m);
  expect(stdout).toMatch(/^-dash\.png: /m);
  const [dark = '', own = '', dash = ''] = stdout.split(/^\S+: .*\n(?: {2}\d.*\n)?\n?/m).slice(2);
  expect(own.trimEnd()).toBe(dark.trimEnd());
  expect(dash.trimEnd()).toBe(dark.trimEnd());
  expect(own).toContain('%##');
  const { stdout: newest } = await run('white.png');
  expect(newest).toMatch(/^runs\/newest: scratch, seed 1, after epoch 1 of 1, by the moving average$/m);
  expect(newest).toContain('9×9, inverted as its background is light, of one brightness: there is nothing to see\n');
});

describe('other data', () => {
  it('has numbers for classes and sizes of its own, and no object is cut out', async () => {
    mkdirSync(inWork('signs'));
    const write = (name: string, ...parts: Buffer[]) => writeFileSync(inWork('signs', name), Buffer.concat(parts));
    for (const [set, count] of [
      ['train', 32],
      ['t10k', 8],
    ] as const) {
      const grey = Buffer.from(Array.from({ length: count * 16 * 20 }, (_, i) => (i * 7919) % 256));
      write(`${set}-images-idx3-ubyte`, header(0x803, count, 16, 20), grey);
      write(
        `${set}-labels-idx1-ubyte`,
        header(0x801, count),
        Buffer.from(Array.from({ length: count }, (_, i) => i % 3)),
      );
    }
    const place = ['--any-data', '--data-dir', 'signs'];
    const args = ['none', ...place, '--epochs', '1', '--batch-size', '16', '--no-fuse', '--run-dir', 'other'];
    expect((await runProgram(args, { cwd: work })).code).toBe(0);
    writePng('dot.png', 100, (x, y) => (x > 40 && x < 60 && y > 40 && y < 60 ? 255 : 0));
    const { stdout, stderr } = await run(...place, 'other', 'dot.png', 'test:7');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^dot\.png: class \d, \d+\.\d %\n {2}100×100\n/m);
    expect(stdout).toMatch(/^test:7: class \d, \d+\.\d %(, which is right|; it is class 1)$/m);
    expect((await run(...place, 'other', 'test:8')).stderr).toContain('from test:0 to test:7, as there are 8,');
    expect((await run('other', 'test:7')).stderr).toContain(
      'Cannot use the run other: expected the data it began with',
    );
    expect((await saidBy('other', 'dot.png')).predictions[0]?.probabilities).toHaveLength(3);
  });
});

describe('refused', () => {
  it.each([
    [
      ['scratch-finished'],
      2,
      'Cannot predict with the run scratch-finished: expected images after it, got none\nhint: bn-train predict scratch-finished test:0\n',
    ],
    [[], 2, "error: missing required argument 'image'"],
    [['scratch-finished', ''], 2, 'Expected an image or a run, got nothing.'],
    [['nowhere', 'same.png'], 1, 'Cannot read the run nowhere: expected a run folder with a config.json, got none\n'],
    [
      ['scratch-finished', 'test:10000'],
      2,
      'Cannot predict test:10000: expected a test image from test:0 to test:9999, as there are 10,000, got test:10000\nhint: for a file of that name: ./test:10000\n',
    ],
    [['scratch-finished', 'test:-1'], 2, 'Cannot predict test:-1: expected a test image from test:0'],
    [['scratch-finished', 'test:'], 2, 'Cannot predict test:: expected a test image from test:0'],
    [['scratch-finished', 'text.png'], 1, 'Cannot read text.png: expected a PNG or JPEG image, got something else\n'],
    [
      ['scratch-finished', 'large.pgn'],
      1,
      "Cannot read large.pgn: expected an image's file of at most 64.0 MB, got no such file or folder\nhint: did you mean large.png?\n",
    ],
    [['scratch-finished', 'runs'], 1, "Cannot read runs: expected an image's file of at most 64.0 MB, got a folder\n"],
  ])('%o', async (args, code, words) => {
    const result = await run(...args);
    expect(result.stderr).toContain(words);
    expect(result).toMatchObject({ code, stdout: '' });
  });

  it('before a backend is opened', async () => {
    const { stderr } = await run('--backend', 'native', '--runtime-dir', '/nowhere', 'scratch-finished', 'text.png');
    expect(stderr).toBe('Cannot read text.png: expected a PNG or JPEG image, got something else\n');
  });
});

it('the picture has the colours that are asked for', () => {
  const drawn = (env: Record<string, string | undefined>) =>
    spawnSync(process.execPath, [program, 'predict', 'scratch-finished', 'same.png'], {
      ...{ cwd: work, env: { ...process.env, ...PLAIN, NO_COLOR: undefined, ...env }, encoding: 'utf8' },
    }).stdout;
  expect(drawn({ FORCE_COLOR: '3' })).toContain('\u001b[38;2;');
  expect(drawn({ FORCE_COLOR: '2' })).toContain('\u001b[38;5;');
  expect(drawn({ FORCE_COLOR: '1' })).not.toContain('▀');
});

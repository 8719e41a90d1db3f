import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, type RunConfig } from '../../src/run/config.js';
import { ALL } from '../support/amount.js';
import { runProgram, startProgram } from '../support/program.js';
import { header } from './payload.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-other-'));
const at = (name: string) => path.join(work, name);
afterAll(() => rm(work, { recursive: true }));

/** Images of 20×24 whose class is where they are bright; learned within an epoch or two. */
function set(count: number, classes: number) {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  const band = Math.floor(480 / classes);
  const images = Uint8Array.from({ length: count * 480 }, (_, i) =>
    Math.floor((i % 480) / band) === (labels[Math.floor(i / 480)] ?? 0) ? 200 + (i % 50) : i % 30,
  );
  return [Buffer.concat([header(0x803, count, 20, 24), images]), Buffer.concat([header(0x801, count), labels])];
}

function write(name: string, classes: number): void {
  mkdirSync(at(name));
  for (const [prefix, count] of [['train', 600] as const, ['t10k', 90] as const]) {
    const [images = '', labels = ''] = set(count, classes);
    writeFileSync(path.join(at(name), `${prefix}-images-idx3-ubyte`), images);
    writeFileSync(path.join(at(name), `${prefix}-labels-idx1-ubyte`), labels);
  }
}

const run = (...args: string[]) => runProgram([...args, '--device', 'cpu'], { cwd: work });
const on = (name: string) => ['--any-data', '--data-dir', at(name)];
const configOf = (folder: string) => parseConfig(readFileSync(path.join(at(folder), 'config.json'), 'utf8'), folder);
const recipe = ['--batch-size', '32', '--epochs', '2', '--seed', '1', '--lr', '0.5'];

beforeAll(async () => {
  write('bands', 12);
  write('others', 5);
  const { code, stderr, stdout } = await run('scratch', ...recipe, '--run-dir', 'run', ...on('bands'));
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('bands: 600 + 90 images of 20×24 in 12 classes');
  expect(stdout).toMatch(/^loss 0\.\d{3}, train acc (0\.9\d\d|1\.000), test acc /);
  expect(stdout + stderr).not.toContain('Fashion');
});

it('`bn-train data` tells what it is', async () => {
  const { stdout, stderr } = await runProgram(['data', ...on('bands')]);
  expect(stdout, stderr).toBe(`bands is ready: 600 + 90 images of 20×24 in 12 classes, from ${at('bands')}\n`);
});

it('a run on other data keeps what it is of, and goes on with it', async () => {
  expect(configOf('run')).toMatchObject({ classes: 12, height: 20, width: 24 });
  expect(configOf('run').data).toEqual({ name: 'bands', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  const { code, stderr } = await run('scratch', '--resume', 'run', '--epochs', '3', ...on('bands'));
  expect(code, stderr).toBe(0);
  expect(configOf('run')).toMatchObject({ epochs: 3, classes: 12 });
});

it('a run that is stopped is told with its data how to go on', async () => {
  const args = ['none', ...recipe, '--epochs', '2000', '--run-dir', 'stopped', ...on('bands')];
  const running = startProgram(args, { cwd: work });
  while (!/epoch +\d/.test(running.stderr())) await new Promise((resolve) => setTimeout(resolve, 50));
  running.child.kill('SIGINT');
  const { code, stderr } = await running.result;
  expect(stderr).toContain(
    `kept in stopped; to go on: bn-train none --resume 'stopped' --any-data --data-dir '${at('bands')}'\n`,
  );
  expect(code).toBe(130);
});

it('it is evaluated with its data', async () => {
  const { stdout, stderr } = await run('evaluate', 'run', '--json', ...on('bands'));
  expect(JSON.parse(stdout), stderr).toMatchObject({ norm: 'scratch', testAccuracy: expect.any(Number) as number });
});

it.runIf(ALL)('a benchmark takes it too', async () => {
  const flags = ['--norms', 'none', '--modes', 'graph', '--steps', '2', '--turns', '1', '--batch-size', '32'];
  const { stdout, stderr } = await run('bench', ...flags, '--starts', '1', '--json', ...on('bands'));
  expect(JSON.parse(stdout || stderr)).toMatchObject({ fresh: [{ name: 'none/graph' }], command: {} });
});

describe('another data set is refused', () => {
  const own = /expected the data it began with, bands \(SHA-256 [0-9a-f]{12}…\), got /;
  it.each([
    { command: ['evaluate', 'run'], data: 'others', got: /got others \(SHA-256 [0-9a-f]{12}…\)\n/ },
    { command: ['scratch', '--resume', 'run', '--epochs', '9'], data: 'others', got: /got others \(/ },
    { command: ['evaluate', 'run'], data: undefined, got: /got Fashion-MNIST \(SHA-256 [0-9a-f]{12}…\)\n/ },
  ])('by $command on $data', async ({ command, data, got }) => {
    const { code, stderr } = await run(...command, ...(data === undefined ? [] : on(data)));
    expect(stderr).toContain('Cannot use the run run: ');
    expect(stderr).toMatch(own);
    expect(stderr).toMatch(got);
    expect(stderr).toContain('\nhint: name its folder: --any-data --data-dir DIR\n');
    expect(code).toBe(2);
    expect(configOf('run').epochs).toBe(3);
  });

  it('by a run from before config.json told the data, which is of Fashion-MNIST', async () => {
    const { data: _, classes: __, height: ___, width: ____, ...before }: RunConfig = configOf('run');
    mkdirSync(at('old'));
    writeFileSync(at('old/config.json'), JSON.stringify(before));
    const { code, stderr } = await run('evaluate', 'old', ...on('bands'));
    expect(stderr).toMatch(
      /Cannot use the run old: expected the data it began with, Fashion-MNIST, got bands \(SHA-256 [0-9a-f]{12}…\)\nhint: leave out --data-dir\n$/,
    );
    expect(code).toBe(2);
  });
});

it('images too small for LeNet are refused before the first step', async () => {
  mkdirSync(at('small'));
  for (const prefix of ['train', 't10k']) {
    writeFileSync(
      path.join(at('small'), `${prefix}-images-idx3-ubyte`),
      Buffer.concat([header(0x803, 64, 8, 8), Buffer.alloc(64 * 64)]),
    );
    writeFileSync(
      path.join(at('small'), `${prefix}-labels-idx1-ubyte`),
      Buffer.concat([header(0x801, 64), Buffer.from(Array.from({ length: 64 }, (__, i) => i % 2))]),
    );
  }
  const { code, stderr } = await run('none', ...recipe, '--run-dir', 'never', ...on('small'));
  expect(stderr).toContain('Cannot build LeNet: expected height to be a whole number from 16, got 8');
  expect(code).toBe(1);
});

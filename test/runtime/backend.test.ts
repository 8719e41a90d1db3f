/** Opening backends by name and device, changing between them, and what the doctor says. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import type { BackendName } from '../../src/common/backends.js';
import { diagnose } from '../../src/runtime/doctor.js';
import { openBackend } from '../../src/runtime/open.js';
import { ALL, firstOf } from '../support/amount.js';
import { root, runProgram, start } from '../support/program.js';
import { pathWithGpus } from './gpu.js';
import { freshMachine } from './index.js';

test('each name opens its backend, also after another one', async () => {
  for (const [name, inUse] of [
    ['native', 'tensorflow'],
    ['wasm', 'wasm'],
    ['native', 'tensorflow'],
    ['js', 'cpu'],
    ['auto', 'tensorflow'],
  ] as const) {
    const info = await openBackend(name);
    expect(tf.getBackend()).toBe(inUse);
    expect(info.name).toBe(name === 'auto' ? 'native' : name);
    expect(info.device).toBe('cpu');
    expect(info.fallback).toBeNull();
    expect(tf.tensor1d([2]).add(3).dataSync()[0]).toBe(5);
  }
});

test.each([
  ['tpu', 'auto', 'expected auto, native, wasm, js, got tpu', 2],
  ['js', 'gpu', 'expected the device auto, cpu or cuda[:N], got gpu', 2],
  ['js', 'cuda:1', 'Cannot use the device cuda:1: expected the native backend, which alone computes there, got js', 2],
])('%s on %s is an error', async (name, device, message, exitCode) => {
  const opening = openBackend(name as BackendName, { device });
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.toMatchObject({ exitCode });
});

test('an option that there is not is an error', async () => {
  await expect(openBackend('js', { devise: 'cpu' } as object)).rejects.toMatchObject({
    message: 'Cannot open the backend: expected an option that it has, got "devise"',
    hint: 'did you mean device?',
  });
});

test.each([0, 1.5, NaN])('%s threads are an error', async (threads) => {
  await expect(openBackend('native', { threads })).rejects.toThrow(
    `Cannot open the backend: expected threads to be a whole number from 1, got ${threads}`,
  );
});

test('a process that opened TensorFlow on the CPU stays there', async () => {
  const before = process.env;
  process.env = { ...before, PATH: await pathWithGpus({}), CUDA_VISIBLE_DEVICES: undefined };
  try {
    await openBackend('native', { device: 'cpu' });
    await expect(openBackend('native', { device: 'cuda' })).rejects.toMatchObject({
      message: 'Cannot use the device cuda:0: expected cpu, where this process opened TensorFlow, got cuda:0',
      hint: 'use a process for each device',
    });
    expect((await openBackend('native')).device).toBe('cpu');
  } finally {
    process.env = before;
  }
});

test('a TensorFlow that is not pinned is wrong usage', async () => {
  await expect(openBackend('native', { tensorflow: '2.9.1' })).rejects.toMatchObject({
    message: 'Cannot use this TensorFlow: expected one of the pinned versions 2.18.1, 2.21.0, got 2.9.1',
    exitCode: 2,
  });
});

test('the doctor knows TensorFlow, and on an empty cache the command that installs it', async () => {
  const { facts, missing, choice } = await diagnose();
  expect(facts.find(({ label }) => label === 'TensorFlow')?.value).toMatch(/^2\.\d+\.\d+, from /);
  expect(missing).toEqual([]);
  expect(choice.backend).toBe('native');
  const { stdout } = await runProgram(['doctor'], { env: await freshMachine('http://127.0.0.1:1') });
  expect(stdout).toContain('missing: the native runtime\nhint: bn-train setup');
  expect(stdout).toMatch(/^fused kernels +none: they are for the native backend on the CPU$/m);
});

test.each([
  ['auto', {}, true],
  ['auto', { quiet: true }, false],
  ['wasm', {}, false],
])('%s, with %o: that it is slower is told on stderr: %s', async (name, options, told) => {
  const script = `
import { openBackend } from './dist/index.js';
console.log(JSON.stringify(await openBackend('${name}', ${JSON.stringify(options)})));`;
  const env = await freshMachine('http://127.0.0.1:1');
  const { stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', script], { cwd: root, env })
    .result;
  const why = 'Cannot open the native backend: expected a finished runtime, got none';
  expect(JSON.parse(stdout)).toEqual({
    name: 'wasm',
    device: 'cpu',
    reason: name === 'auto' ? why : 'it was asked for',
    fallback: name === 'auto' ? why : null,
    fix: 'bn-train setup',
  });
  const line = `using the wasm backend (${why}), which is many times slower than native; to mend it: bn-train setup\n`;
  expect(stderr).toBe(told ? line : '');
});

test('an install that fails under auto is told in one line, to who wants no news too', async () => {
  const script = `
import { Terminal } from './dist/report/terminal.js';
import { openReady } from './dist/runtime/open.js';
const listener = new Terminal({ quiet: true });
console.log(JSON.stringify(await openReady({ backend: 'auto', device: 'cpu' }, { listener })));`;
  const env = { ...(await freshMachine('http://127.0.0.1:1')), PIP_RETRIES: '0' };
  const { stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', script], { cwd: root, env })
    .result;
  const why =
    'Cannot install TensorFlow: expected tensorflow-cpu 2.18.1 in the package index, got an index without it, or none that answers';
  expect(JSON.parse(stdout)).toMatchObject({ name: 'wasm', fallback: why });
  expect(stderr).toBe(
    `using the wasm backend (${why}), which is many times slower than native; to mend it: check the connection, and which index pip uses: python3 -m pip config list, then: bn-train setup\n`,
  );
});

test.runIf(ALL)('stderr is heard again after threads compiled at the same time', async () => {
  const script = path.join(import.meta.dirname, 'silentWorkers.js');
  const { code, stderr } = await start(process.execPath, [script], { env: { TF_CPP_MIN_LOG_LEVEL: '2' } }).result;
  expect([code, stderr]).toEqual([0, 'heard\n']);
});

const WISHES = [
  ['how many threads', {}, { threads: 40 }, /^$/],
  ['what it says', {}, { verbose: true }, / I tensorflow\/core\/platform/],
  ['what it says by a variable of the thread', { TF_CPP_MIN_LOG_LEVEL: '0' }, {}, / I tensorflow\/core\/platform/],
] as const;

test.each(firstOf(WISHES, 1))(
  'a worker thread, whose environment is a copy, has TensorFlow heed it: %s',
  async (_, own, options, said) => {
    const script = path.join(import.meta.dirname, 'openInWorker.js');
    const env = {
      TF_CPP_MIN_LOG_LEVEL: undefined,
      TF_NUM_INTRAOP_THREADS: undefined,
      TF_NUM_INTEROP_THREADS: undefined,
    };
    const args = [script, JSON.stringify(own), JSON.stringify(options)];
    const { code, stdout, stderr } = await start(process.execPath, args, { env }).result;
    expect(code).toBe(0);
    expect(stderr).toMatch(said);
    // Two pools of them.
    if ('threads' in options) expect(Number(stdout)).toBeGreaterThanOrEqual(80);
  },
);

/** `bn-train setup` on a machine without anything: every fault has its message, and what follows a fault works. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { proveAddon } from '../../src/runtime/install/addon.js';
import { buildFor, LIBRARIES } from '../../src/runtime/install/pins.js';
import { firstOf } from '../support/amount.js';
import { program, runProgram, start, startProgram } from '../support/program.js';
import type { Reply, Server } from '../support/server.js';
import { fetchWheel, freshMachine, pathOf, pythonItself, startIndex, trainOneStep } from './index.js';

type Env = Record<string, string | undefined>;

let temporary: string;
let wheel: string;
let index: Server;
let reply: () => Reply;
let env: Env;

beforeAll(async () => {
  temporary = await mkdtemp(path.join(tmpdir(), 'bn-train-setup-'));
  wheel = await fetchWheel(temporary);
  index = await startIndex(wheel, () => reply());
  reply = whole;
  env = await freshMachine(index.url);
}, 300_000);

afterAll(async () => {
  await index.close();
  await rm(temporary, { recursive: true, force: true });
  await rm(env['HOME'] ?? '', { recursive: true, force: true });
});

const whole = (): Reply => ({ file: wheel });
const downloads = () => index.requests.filter(({ path: asked }) => asked.startsWith('/files/')).length;

async function setup(more: Env = {}, args: string[] = []) {
  return runProgram(['setup', ...args], { env: { ...env, ...more } });
}

test('no Python', async () => {
  const { code, stderr } = await setup({ PATH: await pathOf({ node: process.execPath }) });
  expect(stderr).toContain(
    'Cannot install TensorFlow: expected Python 3, whose pip fetches it, got no python3 on the PATH',
  );
  expect(stderr).toContain('hint: apt-get install python3-pip, then: bn-train setup');
  expect(code).toBe(1);
});

test('Python without pip', async () => {
  const venv = path.join(temporary, 'venv');
  execFileSync('python3', ['-m', 'venv', '--without-pip', venv]);
  const { code, stderr } = await setup({ PATH: `${venv}/bin:${process.env['PATH'] ?? ''}` });
  expect(stderr).toContain('Cannot install TensorFlow: expected Python 3 with pip, got Python without pip');
  expect(code).toBe(1);
});

test('an index that cannot be reached', async () => {
  const { code, stderr } = await setup({ PIP_INDEX_URL: 'http://127.0.0.1:1/simple', PIP_RETRIES: '1' });
  expect(stderr).toMatch(/expected pip to reach its package index, got .*Connection refused/);
  expect(stderr).not.toContain('No matching distribution');
  expect(code).toBe(1);
});

test('another file under the name of the wheel', async () => {
  reply = () => ({ body: 'not a wheel' });
  const { code, stderr } = await setup().finally(() => (reply = whole));
  expect(stderr).toMatch(/expected the tensorflow-cpu \S+ wheel with SHA-256 [0-9a-f]{64}, got another file/);
  expect(stderr).toContain('python3 -m pip config list');
  expect(code).toBe(1);
});

test('a truncated download', async () => {
  reply = () => ({ file: wheel, cutAfter: 50_000_000 });
  const { code, stderr } = await setup().finally(() => (reply = whole));
  expect(stderr).toMatch(/Cannot install TensorFlow: expected (pip to reach its package index|the tensorflow-cpu)/);
  expect(code).toBe(1);
}, 300_000);

test('a full disk', async () => {
  const mount = path.join(temporary, 'small');
  await mkdir(mount);
  const script = 'mount -t tmpfs -o size=300m tmpfs "$0" && exec "$@"';
  const args = ['-rm', 'sh', '-c', script, mount, process.execPath, program, 'setup'];
  const { code, stderr } = await start('unshare', args, { env: { ...env, XDG_CACHE_HOME: mount } }).result;
  expect(stderr).toMatch(
    /Cannot install TensorFlow: expected about 9\d\d\.\d MB of free disk, got 31\d\.\d MB in .*small/,
  );
  expect(stderr).toContain('hint: free some space, or choose another cache with XDG_CACHE_HOME');
  expect(code).toBe(1);
});

test('an override without libraries, without headers, with garbage', async () => {
  const folder = path.join(temporary, 'override');
  await mkdir(folder);
  const bare = await setup({}, ['--runtime-dir', folder]);
  expect(bare.stderr).toContain(`got no ${LIBRARIES[0]}`);
  expect(bare.code).toBe(2);
  for (const name of LIBRARIES) await writeFile(path.join(folder, name), 'garbage');
  await mkdir(path.join(folder, 'include'));
  const headless = await setup({}, ['--runtime-dir', folder]);
  expect(headless.stderr).toContain('got no include/tensorflow/c/c_api.h');
  expect(headless.code).toBe(2);
  await mkdir(path.join(folder, 'include/tensorflow/c'), { recursive: true });
  await writeFile(path.join(folder, 'include/tensorflow/c/c_api.h'), '');
  const garbage = await setup({}, ['--runtime-dir', folder]);
  expect(garbage.stderr).toMatch(/Cannot build the TensorFlow addon: expected c\+\+ to compile it, got .*error/);
  expect(garbage.code).toBe(1);
});

test('an addon that does not load fails its proof', async () => {
  const addon = path.join(temporary, 'text.node');
  await writeFile(addon, 'text');
  await expect(proveAddon(addon)).rejects.toThrow(/Cannot use the TensorFlow addon: expected it to load/);
});

test('platforms without a build', () => {
  expect(() => buildFor('linux-riscv64')).toThrow('expected one of the platforms linux-x64, got linux-riscv64');
  expect(() => buildFor('linux-x64-musl')).toThrow(
    'linux-x64, with glibc, got linux-x64-musl: this Linux has another C library',
  );
});

test('no compiler', async () => {
  const PATH = await pathOf({ node: process.execPath, python3: await pythonItself() });
  const { code, stderr } = await setup({ PATH });
  expect(stderr).toContain('Cannot build the TensorFlow addon: expected a C++ compiler, got none on the PATH');
  expect(stderr).toContain('hint: apt-get install g++, then: bn-train setup');
  expect(code).toBe(1);
}, 300_000);

test.each(firstOf(['downloading', 'unpacking', 'building'], 1))(
  'killed while %s, nothing goes on and nothing is taken for finished',
  async (phase) => {
    const running = startProgram(['setup'], { env });
    while (!running.stderr().includes(phase)) await sleep(20);
    await sleep(400);
    running.child.kill('SIGKILL');
    expect((await running.result).signal).toBe('SIGKILL');
    await untilNothingMentions(env['XDG_CACHE_HOME'] ?? '');
    const doctor = await runProgram(['doctor'], { env });
    expect(doctor.stdout).toContain('hint: bn-train setup');
  },
  300_000,
);

/** Waits for every process with `word` in its arguments to be gone. A guard that fails runs into the test's time-out. */
async function untilNothingMentions(word: string): Promise<void> {
  while (execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(word)) await sleep(50);
}

test('two at once after all that: one download, both ready; then it is idempotent and trains', async () => {
  const earlier = downloads();
  const both = await Promise.all([setup(), setup()]);
  for (const { code, stdout, stderr } of both) {
    expect(stderr).not.toContain('Cannot');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^TensorFlow 2\.18\.1 is ready: /);
  }
  expect(downloads()).toBe(earlier + 1);
  const requests = index.requests.length;
  expect((await setup()).stdout).toBe(both[0].stdout);
  expect(index.requests.length).toBe(requests);
  const folder = path.join(env['XDG_CACHE_HOME'] ?? '', 'bn-train/runtime');
  expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  const { code, stdout, stderr } = await trainOneStep(env);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const [backend, before, after] = JSON.parse(stdout) as [string, number, number];
  expect(backend).toBe('tensorflow');
  expect(after).toBeLessThan(before);
}, 300_000);

test('a damaged marker is not finished; a damaged addon is named with its remedy', async () => {
  const runtime = path.join(env['XDG_CACHE_HOME'] ?? '', 'bn-train/runtime');
  const [name = ''] = (await readdir(runtime)).filter((entry) => entry.startsWith('tensorflow-cpu'));
  const marker = path.join(runtime, name, 'runtime.json');
  const addon = path.join(runtime, name, 'tfjs_binding.node');
  const whole = await readFile(addon);
  const refused = new RegExp(
    `Cannot use the native runtime: expected ${addon} as it was proved to work, with SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}`,
  );
  const hint = `rm -r '${path.join(runtime, name)}' && bn-train setup`;
  const flipped = Buffer.from(whole);
  flipped[70_000] = (flipped[70_000] ?? 0) ^ 1;
  for (const content of [Buffer.alloc(whole.length), flipped]) {
    await writeFile(addon, content);
    const native = await trainOneStep(env);
    expect(native.stderr).toMatch(refused);
    expect(native.stderr).toContain(hint);
    expect(await setup()).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(refused) as string });
    const { stdout } = await runProgram(['doctor'], { env });
    expect(stdout).toMatch(refused);
    expect(stdout).toMatch(/^backend +wasm on cpu: Cannot use the native runtime/m);
    expect(stdout).toContain(`missing: the native runtime\nhint: ${hint}\n`);
  }
  await writeFile(addon, whole);
  await writeFile(marker, '');
  expect((await runProgram(['doctor'], { env })).stdout).toContain('not installed');
});

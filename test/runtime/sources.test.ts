/** Libraries that stay where they are, the user's folder or a Python environment's, and addons that do not work with them. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installRuntime } from '../../src/runtime/install/install.js';
import { LIBRARIES } from '../../src/runtime/install/pins.js';
import { unpackWheel } from '../../src/runtime/install/wheels.js';
import { silent } from '../../src/common/listener.js';
import { ALL, firstOf } from '../support/amount.js';
import { program, start } from '../support/program.js';
import { startServer } from '../support/server.js';
import { pathWithScript } from './gpu.js';
import { addDistribution, fetchWheel, freshMachine, trainOneStep } from './index.js';

type Env = Record<string, string | undefined>;

const NO_INDEX =
  'Cannot install TensorFlow: expected tensorflow-cpu 2.18.1 in the package index, got an index without it, or none that answers\n' +
  'hint: check the connection, and which index pip uses: python3 -m pip config list, then: bn-train setup\n';
let temporary: string;
/** The wheel's `tensorflow`, as far as the addon needs it. */
let libraries: string;
let machine: Env;
let runtimes: string;

beforeAll(async () => {
  temporary = await mkdtemp(path.join(tmpdir(), 'bn-train-sources,'));
  await mkdir(path.join(temporary, 'wheel'));
  await unpackWheel(await fetchWheel(path.join(temporary, 'wheel')), temporary);
  libraries = path.join(temporary, 'tensorflow');
  machine = { ...(await freshMachine('http://127.0.0.1:1')), PIP_RETRIES: '0' };
  runtimes = path.join(machine['XDG_CACHE_HOME'] ?? '', 'bn-train/runtime');
}, 300_000);

afterAll(async () => {
  await rm(temporary, { recursive: true, force: true });
  await rm(machine['HOME'] ?? '', { recursive: true, force: true });
});

function bnTrain(command: string, env: Env, cwd = temporary) {
  return start(process.execPath, [program, ...command.split(' ')], { cwd, env: { ...machine, ...env } }).result;
}

async function expectTrains(env: Env): Promise<void> {
  const { stdout, stderr } = await trainOneStep({ ...machine, ...env });
  expect([stdout.startsWith('["tensorflow",'), stderr]).toEqual([true, '']);
}

const failingCompiler = () =>
  pathWithScript('c++', 'test "$1" = --version && exit; echo "a.cc:1: error: no such thing" >&2; exit 1');

/** A Python search path with a TensorFlow of this version, which would show if it were imported. */
async function pythonWith(version: string): Promise<Env> {
  const site = await mkdtemp(path.join(temporary, 'site-'));
  await addDistribution(site, 'tensorflow', '1.0.0');
  await addDistribution(site, 'tensorflow_cpu', version);
  await mkdir(path.join(site, 'tensorflow'));
  for (const name of [...LIBRARIES, 'include'])
    await symlink(path.join(libraries, name), path.join(site, 'tensorflow', name));
  await writeFile(path.join(site, 'tensorflow/__init__.py'), 'raise SystemExit("imported")');
  return { PYTHONPATH: site };
}

test("the user's folder is used where it lies: only addon and marker go to the cache, and a step trains", async () => {
  const env = { BN_TRAIN_RUNTIME_DIR: libraries };
  const [ready, ...kernels] = (await bnTrain('setup', env)).stdout.trimEnd().split('\n');
  expect(ready).toBe(`TensorFlow 2.18.1 is ready: ${libraries}`);
  expect(kernels).toEqual(Array(3).fill(expect.stringMatching(/^the fused kernels of \w+ are ready: /)));
  await expectTrains(env);
  const [folder = ''] = await readdir(runtimes);
  expect(await readdir(path.join(runtimes, folder))).toEqual(['runtime.json', 'tfjs_binding.node']);
});

test('libraries for the CPU are told where CUDA is wanted, as are those of another version', async () => {
  const env = { BN_TRAIN_RUNTIME_DIR: libraries };
  expect(await bnTrain('setup --cuda', env)).toMatchObject({
    code: 1,
    stderr:
      `Cannot use the runtime folder ${libraries}: expected a TensorFlow that was built for CUDA, got TensorFlow 2.18.1 for the CPU\n` +
      'hint: without --runtime-dir: bn-train setup --cuda; or use --device cpu\n',
  });
  expect((await bnTrain('setup --tensorflow 2.21.0', env)).stderr).toBe(
    `Cannot use the runtime folder ${libraries}: expected TensorFlow 2.21.0, got 2.18.1\nhint: leave out --tensorflow\n`,
  );
});

test('any damage to a finished runtime counts as none, and set-up makes it anew', async () => {
  const env = { BN_TRAIN_RUNTIME_DIR: libraries };
  const folder = path.join(runtimes, (await readdir(runtimes))[0] ?? '');
  const damages: [string, (file: string) => Promise<void>][] = [
    ['runtime.json', (file) => truncate(file, 20)],
    ['runtime.json', (file) => writeFile(file, '{"libraries": 1}')],
    ['runtime.json', (file) => writeFile(file, 'null')],
    ['tfjs_binding.node', (file) => rm(file)],
    ['tfjs_binding.node', (file) => truncate(file, 100)],
  ];
  for (const [name, damage] of firstOf(damages, 2)) {
    const file = path.join(folder, name);
    const whole = await readFile(file);
    await damage(file);
    expect((await bnTrain('doctor', env)).stdout).toContain('not installed');
    await writeFile(file, whole);
  }
  await truncate(path.join(folder, 'tfjs_binding.node'), 100);
  await bnTrain('setup', env);
  await expectTrains(env);
});

test('libraries that change are noticed; an empty variable names no folder', async () => {
  const env = { BN_TRAIN_RUNTIME_DIR: libraries };
  await utimes(path.join(libraries, LIBRARIES[0]), new Date(), new Date());
  expect((await bnTrain('doctor', env)).stdout).toContain('not installed');
  expect((await bnTrain('setup', { BN_TRAIN_RUNTIME_DIR: '' })).stderr).toContain(NO_INDEX);
});

test.runIf(ALL)(
  "a Python environment's TensorFlow of a tried version is used where it lies, and a step trains",
  async () => {
    const env = await pythonWith('2.18.1');
    expect((await bnTrain('setup', env)).stdout).toMatch(/^TensorFlow 2\.18\.1 is ready: .*site-.*\/tensorflow\n/);
    await expectTrains(env);
    // It is for the CPU, so with CUDA wanted the pinned wheels would be fetched.
    expect((await bnTrain('setup --cuda', env)).stderr).toContain(
      'expected tensorflow 2.18.1 in the package index, got an index without it, or none that answers\n' +
        'hint: check the connection, and which index pip uses: python3 -m pip config list, then: bn-train setup --cuda\n',
    );
  },
);

test('one of another version is passed over; so is one that does not work, with its reason', async () => {
  expect((await bnTrain('setup', await pythonWith('2.9.1'))).stderr).toContain(NO_INDEX);
  await utimes(path.join(libraries, LIBRARIES[0]), new Date(), new Date());
  const { stderr } = await bnTrain('setup', { ...(await pythonWith('2.18.1')), PATH: await failingCompiler() });
  expect(stderr).toContain(
    'TensorFlow: that of the Python environment is passed over. ' +
      'Cannot build the TensorFlow addon: expected c++ to compile it, got a.cc:1: error: no such thing\n',
  );
  expect(stderr).toContain(NO_INDEX);
});

test("a working directory with modules named like Python's own does not reach the Python that looks and fetches", async () => {
  const folder = await mkdtemp(path.join(temporary, 'work-'));
  for (const name of ['json', 'runpy', 'pip'])
    await writeFile(path.join(folder, `${name}.py`), 'raise SystemExit("stray module")');
  const { stderr } = await bnTrain('setup', {}, folder);
  expect(stderr).toContain(NO_INDEX);
  expect(stderr).not.toContain('stray module');
});

// Libraries with what the addon binds to at once, but without TensorFlow.
const HALF = [
  '_ZN10tensorflow10DEVICE_CPUE',
  '_ZNK10tensorflow8OpKernel11TraceStringB5cxx11ERKNS_15OpKernelContextEb',
  '_ZN10tensorflow15shape_inference14ExplicitShapesEPNS0_16InferenceContextE',
  '_ZTIN10tensorflow3VarE',
  '_ZTIN10tensorflow8OpKernelE',
  '_ZTVN10tensorflow14kernel_factory17OpKernelRegistrar18PtrOpKernelFactoryE',
]
  .map((name) => `void *${name}[8];`)
  .join(' ');
/** What the addon calls first, as it registers its op. */
const FIRST_CALL = '_ZN10tensorflow12OpDefBuilderC1ENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE';

test.each(
  firstOf(
    [
      ['that lacks a symbol', HALF, /got .*undefined symbol: \w+/],
      ['that crashes', `${HALF} void ${FIRST_CALL}(void) { __builtin_trap(); }`, /got a crash \(.*AVX/],
    ],
    1,
  ),
)('an addon %s is told and not kept', async (_, code, got) => {
  const folder = await mkdtemp(path.join(temporary, 'stand-in-'));
  await symlink(path.join(libraries, 'include'), path.join(folder, 'include'));
  await writeFile(path.join(folder, 'code.c'), code);
  for (const name of LIBRARIES)
    execFileSync('cc', ['-shared', '-fPIC', `-Wl,-soname,${name}`, 'code.c', '-o', name], { cwd: folder });
  const before = await readdir(runtimes);
  const { code: status, stderr } = await bnTrain('setup', { BN_TRAIN_RUNTIME_DIR: folder });
  expect(stderr).toMatch(/Cannot use the TensorFlow addon: expected it to load and add two numbers, got /);
  expect(stderr).toMatch(got);
  expect(stderr).toContain('hint: bn-train doctor shows what this machine has; --backend wasm works everywhere');
  expect([status, await readdir(runtimes)]).toEqual([1, before]);
});

test.each([
  ['fails', 503],
  ['lacks the wheel', 404],
])('an index that %s is told as such', async (_, status) => {
  const index = await startServer(() => ({ status }));
  const { stderr } = await bnTrain('setup', { PIP_INDEX_URL: index.url, PIP_RETRIES: '1' }).finally(index.close);
  expect(stderr).toContain(NO_INDEX);
});

test('a set-up that is aborted ends its children, leaves nothing, and throws the reason', async () => {
  const stop = new AbortController();
  const before = { PATH: process.env['PATH'], XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] };
  const slow = await pathWithScript('c++', 'test "$1" = --version && exit; sleep 86399');
  Object.assign(process.env, { PATH: slow, XDG_CACHE_HOME: path.join(temporary, 'aborted') });
  try {
    const notice = (line: string) =>
      line.includes('building') && setTimeout(() => stop.abort(new Error('stopped')), 300);
    const watch = { listener: { ...silent, notice }, signal: stop.signal };
    const installing = installRuntime({ device: 'cpu', runtimeDir: libraries }, watch);
    await expect(installing).rejects.toThrow('stopped');
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('sleep 86399');
    expect(await readdir(path.join(temporary, 'aborted/bn-train/runtime'))).toEqual([]);
  } finally {
    Object.assign(process.env, before);
    if (before.XDG_CACHE_HOME === undefined) delete process.env['XDG_CACHE_HOME'];
  }
});

/** The install for CUDA: NVIDIA's wheels beside TensorFlow's, every fault told, and what an installed one is good for. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silent } from '../../src/common/listener.js';
import type { Diagnosis } from '../../src/runtime/doctor.js';
import { installBuild } from '../../src/runtime/install/install.js';
import { type Build, BUILDS, LIBRARIES, VERSIONS } from '../../src/runtime/install/pins.js';
import { ALL, firstOf } from '../support/amount.js';
import { root, runProgram, start } from '../support/program.js';
import type { Reply } from '../support/server.js';
import { buildOf, library, nvidiaContents, pack, packNvidia, pinsOf, startCudaIndex } from './cudaWheels.js';
import { pathWithGpus } from './gpu.js';
import { fetchWheel, freshMachine, trainOneStep } from './index.js';

type Env = Record<string, string | undefined>;

const temporary = mkdtempSync(path.join(tmpdir(), 'bn-train-cuda-'));
const opens = library(temporary);
const nvidia = packNvidia(temporary, nvidiaContents(opens));
/** What is wrong is told before an addon is built, so TensorFlow's part need not be real. */
const hollow = pack(temporary, 'tensorflow-cpu', '2.18.1', [
  ...LIBRARIES.map((name) => ({ name: `tensorflow/${name}`, content: opens })),
  { name: 'tensorflow/include/tensorflow/c/c_api.h', content: '' },
]);
let env: Env;
let runtimes: string;
const before = { ...process.env };

beforeAll(async () => {
  env = await freshMachine('');
  runtimes = path.join(env['XDG_CACHE_HOME'] ?? '', 'bn-train/runtime');
});
afterAll(async () => {
  for (const folder of [temporary, env['HOME'] ?? '']) await rm(folder, { recursive: true, force: true });
});

/** Installs from an index on which `reply` may answer for a file. Returns what was said. */
async function install(packed: typeof nvidia, reply: (name: string) => Reply | undefined = () => undefined) {
  const index = await startCudaIndex(packed, reply);
  const notices: string[] = [];
  const notice = (line: string) => void notices.push(line);
  const told = { progress: () => undefined, notice, warn: notice };
  try {
    setEnvironment({ ...env, PIP_INDEX_URL: `${index.url}/simple`, PIP_RETRIES: '0' });
    await installBuild(buildOf(packed), { listener: told });
  } finally {
    setEnvironment(before);
    await index.close();
  }
  return notices;
}

function setEnvironment(to: Env): void {
  process.env = { ...before, ...to };
}

test('the pinned builds are those of their own lists: TensorFlow, and for CUDA twelve wheels of NVIDIA’s', () => {
  expect(VERSIONS).toEqual(['2.18.1', '2.21.0']);
  for (const { device, version, wheels } of BUILDS) {
    expect(wheels[0]).toMatchObject({ name: device === 'cuda' ? 'tensorflow' : 'tensorflow-cpu', version });
    expect(wheels.length).toBe(device === 'cuda' ? 13 : 1);
    expect(new Set(wheels.map(({ name }) => name)).size).toBe(wheels.length);
    for (const { size, sha256 } of wheels) {
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(size).toBeGreaterThan(800_000);
    }
  }
});

const cudnn = 'nvidia_cudnn_cu12-12.5.0-py3-none-manylinux2014_x86_64.whl';
const other = (name: string, reply: Reply) => (asked: string) => (asked === name ? reply : undefined);
const sha256 = nvidia.find(({ file }) => path.basename(file) === cudnn)?.wheel.sha256 ?? '';

test.each<{ what: string; reply: (name: string) => Reply | undefined; message: RegExp; hint: RegExp }>([
  {
    what: 'of another hash',
    reply: other(cudnn, { body: 'not a wheel' }),
    message: new RegExp(
      `^Cannot install TensorFlow: expected the nvidia-cudnn-cu12 12.5.0 wheel with SHA-256 ${sha256}, got another file, or only a part of it, from the package index$`,
    ),
    hint: /^bn-train setup --cuda tries again; .*python3 -m pip config list$/,
  },
  {
    what: 'cut off',
    reply: other(cudnn, { file: path.join(temporary, cudnn), cutAfter: 2000 }),
    message: /^Cannot install TensorFlow: expected (pip to reach its package index|the nvidia-cudnn-cu12 12.5.0 wheel)/,
    hint: /bn-train setup/,
  },
])('a wheel of NVIDIA’s $what is told, and nothing is kept', async ({ reply, message, hint }) => {
  const failing = install([hollow, ...nvidia], reply);
  await expect(failing).rejects.toMatchObject({
    message: expect.stringMatching(message) as string,
    hint: expect.stringMatching(hint) as string,
    exitCode: 1,
  });
  expect(readdirSync(runtimes)).toEqual([]);
});

test('an index without one of them is told', async () => {
  const build = [hollow, ...nvidia.filter(({ file }) => path.basename(file) !== cudnn)];
  const index = await startCudaIndex(build, () => undefined);
  setEnvironment({ ...env, PIP_INDEX_URL: `${index.url}/simple`, PIP_RETRIES: '0' });
  const installing = installBuild(buildOf([hollow, ...nvidia]), { listener: silent }).finally(() =>
    setEnvironment(before),
  );
  await expect(installing).rejects.toThrow(
    'Cannot install TensorFlow: expected nvidia-cudnn-cu12 12.5.0 in the package index, got an index without it, or none that answers',
  );
  await index.close();
});

const builds: {
  what: string;
  change: (contents: ReturnType<typeof nvidiaContents>) => void;
  got: string;
  hint: string;
}[] = [
  {
    what: 'lacks a library and its assembler',
    change: (contents) => {
      contents['cufft'] = { 'lib/other.so': '' };
      delete contents['cuda_nvcc']?.['bin/ptxas'];
    },
    got: 'these do not: libcufft.so.11 (libcufft.so.11: cannot open shared object file: No such file or directory); ptxas (no such program)',
    hint: 'bn-train setup --cuda tries again',
  },
  {
    what: 'has a library that is none',
    change: (contents) => (contents['cusolver'] = { 'lib/libcusolver.so.11': 'text that is no library' }),
    got: 'libcusolver.so.11: file too short)',
    hint: 'bn-train setup --cuda tries again',
  },
  {
    what: 'needs zlib where there is none',
    change: (contents) => (contents['cudnn'] = { 'lib/libcudnn.so.9': library(temporary, 'libz.so.77') }),
    got: 'these do not: libcudnn.so.9 (libz.so.77: cannot open shared object file: No such file or directory)',
    hint: 'apt-get install zlib1g, then: bn-train setup --cuda',
  },
];

test.each(firstOf(builds, 1))('a build that $what is told, and nothing is kept', async ({ change, got, hint }) => {
  const contents = nvidiaContents(opens);
  change(contents);
  const folder = mkdtempSync(path.join(temporary, 'changed-'));
  await expect(install([hollow, ...packNvidia(folder, contents)])).rejects.toMatchObject({
    message: expect.stringContaining(got) as string,
    hint,
  });
  expect(readdirSync(runtimes)).toEqual([]);
});

/** What Node runs to install this build in a process of its own. */
function scriptFor(build: Build): string[] {
  const script = `
import { installBuild } from './dist/runtime/install/install.js';
const notice = (line) => console.error(line);
const listener = { progress: () => undefined, notice, warn: notice };
await installBuild(${JSON.stringify(build)}, { listener }).catch(({ message, hint }) => console.log(message + '|' + hint));`;
  return [process.execPath, '--input-type=module', '-e', script];
}

test('a disk that fills up while pip downloads is told', async () => {
  const index = await startCudaIndex([hollow, ...nvidia], () => undefined);
  const mount = mkdtempSync(path.join(temporary, 'small-'));
  const build = buildOf([hollow, ...nvidia]);
  const small = { ...build, disk: 1000, wheels: build.wheels.map((wheel) => ({ ...wheel, size: 1000 })) };
  const args = ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=100k tmpfs "$0" && exec "$@"', mount, ...scriptFor(small)];
  const options = { cwd: root, env: { ...env, PIP_INDEX_URL: `${index.url}/simple`, XDG_CACHE_HOME: mount } };
  const { stdout } = await start('unshare', args, options).result;
  expect(stdout).toBe(
    'Cannot install TensorFlow: expected about 22.0 kB of free disk, got no space left on the device|' +
      'free some space, or choose another cache with XDG_CACHE_HOME\n',
  );
  await index.close();
});

test('killed in the middle of a wheel of NVIDIA’s, nothing goes on and nothing is taken for finished', async () => {
  const index = await startCudaIndex(
    [hollow, ...nvidia],
    other(cudnn, { file: path.join(temporary, cudnn), stallAfter: 2000 }),
  );
  const options = { cwd: root, env: { ...env, PIP_INDEX_URL: `${index.url}/simple` } };
  const [node = '', ...args] = scriptFor(buildOf([hollow, ...nvidia]));
  const running = start(node, args, options);
  const asked = () => index.requests.some((request) => path.basename(request.path) === cudnn);
  while (!asked())
    await Promise.race([sleep(20), running.result.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  running.child.kill('SIGKILL');
  expect((await running.result).signal).toBe('SIGKILL');
  expect(running.stderr()).toMatch(/^TensorFlow 2\.18\.1 for CUDA: downloading \d+\.\d kB with pip; takes /);
  while (execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(env['HOME'] ?? '')) await sleep(50);
  await index.close();
  expect(readdirSync(runtimes).filter((name) => !name.startsWith('.') && !name.endsWith('.lock'))).toEqual([]);
});

test('setup --cuda fetches the pinned build, and says how much that is', async () => {
  const { code, stderr } = await runProgram(['setup', '--cuda'], {
    env: { ...env, PIP_INDEX_URL: 'http://127.0.0.1:1', PIP_RETRIES: '0' },
  });
  expect(stderr).toContain('TensorFlow 2.18.1 for CUDA: downloading 2.4 GB with pip; takes 4.0 GB on disk\n');
  expect(stderr).toContain('Cannot install TensorFlow: expected tensorflow 2.18.1 in the package index');
  expect(code).toBe(1);
});

/** Gives what was installed the other name that it could have in the cache, of the build for CUDA or for the CPU. */
async function takeFor(name: 'tensorflow' | 'tensorflow-cpu'): Promise<string> {
  const [made = ''] = readdirSync(runtimes).filter((entry) => !entry.endsWith('.lock'));
  const folder = path.join(runtimes, made.replace(/^tensorflow(-cpu)?/, name));
  await rename(path.join(runtimes, made), folder);
  return folder;
}

/** Opens the backend in a process of its own, with or without installing; what it said, and what came of it. */
async function open(by: 'openReady' | 'openBackend', machine: Env, options: object) {
  const script = `
import { readFileSync } from 'node:fs';
import { openReady } from './dist/runtime/open.js';
import { openBackend } from './dist/index.js';
const notice = (line) => console.error(line);
const listener = { progress: () => undefined, notice, warn: notice };
const options = { device: 'auto', ...${JSON.stringify(options)} };
const opening = { openReady: () => openReady({ backend: 'native', ...options }, { listener }), openBackend: () => openBackend('native', options) };
const info = await opening.${by}().catch(({ message, hint }) => ({ message, hint }));
const { TF_FORCE_GPU_ALLOW_GROWTH: growth, XLA_FLAGS: flags } = process.env;
const open = readFileSync('/proc/self/maps', 'utf8').match(/lib\\w+\\.so\\.1\\d$/gm) ?? [];
console.log(JSON.stringify({ ...info, growth, flags, cusolver: open.includes('libcusolver.so.11') }));`;
  const { stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    env: { ...machine, PIP_INDEX_URL: 'http://127.0.0.1:1', PIP_RETRIES: '0' },
  }).result;
  return { notices: stderr, info: JSON.parse(stdout) as Record<string, string | boolean> };
}

describe.runIf(ALL)('an installed one', () => {
  let folder: string;
  /** A machine whose driver answers and lists a GPU, and which has none. */
  let machine: Env;

  beforeAll(async () => {
    const file = await fetchWheel(mkdtempSync(path.join(temporary, 'wheel-')));
    const tensorflow = { file, wheel: pinsOf(file, 'tensorflow-cpu', '2.18.1') };
    const notices = await install([tensorflow, ...nvidia]);
    expect(notices.slice(1)).toEqual([
      'TensorFlow 2.18.1 for CUDA: unpacking',
      "TensorFlow: opening each of NVIDIA's libraries",
      'TensorFlow: building the addon',
      'TensorFlow: proving the addon',
    ]);
    folder = await takeFor('tensorflow');
    machine = { ...env, PATH: await pathWithGpus({}), CUDA_VISIBLE_DEVICES: undefined };
  });

  test('holds what TensorFlow opens, and nothing is left of the attempts before', () => {
    expect(readdirSync(runtimes).filter((name) => name.startsWith('.'))).toEqual([]);
    const parts = Object.keys(nvidiaContents(opens));
    expect(readdirSync(path.join(folder, 'nvidia')).sort()).toEqual(parts.sort());
    expect(statSync(path.join(folder, 'nvidia/cuda_nvcc/bin/ptxas')).mode & 0o111).toBe(0o111);
  });

  test('trains on the CPU too', async () => {
    expect(await trainOneStep(env)).toMatchObject({ code: 0, stderr: '' });
    expect((await open('openReady', machine, { device: 'cpu' })).info).toMatchObject({
      device: 'cpu',
      name: 'native',
      cusolver: false,
    });
  });

  test('is described by the doctor: versions, each library, the choice', async () => {
    const { stdout } = await runProgram(['doctor', '--json'], { env: machine });
    const found = JSON.parse(stdout) as Diagnosis;
    expect(found.gpus).toMatchObject([{ name: 'NVIDIA A100-SXM4-80GB', capability: '8.0', driver: '550.54.15' }]);
    for (const fact of [
      { label: 'GPU 0', value: 'NVIDIA A100-SXM4-80GB, compute capability 8.0, 84.9 GB of 85.9 GB free' },
      { label: 'driver', value: '550.54.15' },
      { label: 'CUDA', value: '12.5.0' },
      { label: 'cuDNN', value: '12.5.0' },
      { label: 'libcudnn.so.9', value: path.join(folder, 'nvidia/cudnn/lib/libcudnn.so.9') },
    ])
      expect(found.facts).toContainEqual(fact);
    const [driver, ...libraries] = found.cudaLibraries.reverse();
    expect(driver?.name).toBe('libcuda.so.1');
    expect(libraries.map(({ problem }) => problem)).toEqual(Array(12).fill(undefined));
    expect(found.choice).toEqual({
      backend: 'native',
      device: 'cuda:0',
      reason: 'TensorFlow 2.18.1 is installed, and NVIDIA A100-SXM4-80GB passes every check',
    });
  });

  test('does not take the CPU for a GPU that TensorFlow did not open', async () => {
    const unused = 'Cannot use the device cuda:0: expected TensorFlow to open NVIDIA A100-SXM4-80GB, got the CPU only';
    const auto = await open('openReady', machine, {});
    expect(auto.notices).toContain(`using the CPU: ${unused}; hint: bn-train doctor`);
    expect(auto.info).toMatchObject({
      name: 'native',
      device: 'cpu',
      growth: 'true',
      // Opened by the addon: this TensorFlow does not ask for it.
      cusolver: true,
      flags: `--xla_gpu_cuda_data_dir="${folder}/nvidia/cuda_nvcc"`,
    });
    const { info } = await open('openReady', machine, { device: 'cuda' });
    expect(info['message']).toBe(unused);
    expect(info['hint']).toMatch(/^bn-train doctor shows .*; TF_CPP_MIN_LOG_LEVEL=0 .*; or use --device cpu$/);
  });

  test('is none when a library or the assembler is damaged', async () => {
    const dnn = path.join(folder, 'nvidia/cudnn/lib/libcudnn.so.9');
    await truncate(dnn, 100);
    const { stdout } = await runProgram(['doctor'], { env: machine });
    expect(stdout).toContain('missing: the runtime for CUDA\nhint: bn-train setup --cuda\n');
    await writeFile(dnn, opens);
    const ptxas = path.join(folder, 'nvidia/cuda_nvcc/bin/ptxas');
    await rename(ptxas, `${ptxas}.away`);
    expect((await open('openBackend', machine, { device: 'cuda' })).info).toMatchObject({
      message: 'Cannot use the device cuda:0: expected a finished runtime for CUDA, got none',
      hint: 'bn-train setup --cuda',
    });
    await rename(`${ptxas}.away`, ptxas);
  });

  test('of the CPU alone serves where that for CUDA is missing and cannot be fetched, with words', async () => {
    await takeFor('tensorflow-cpu');
    const ready = await open('openReady', machine, {});
    expect(ready.notices).toContain(
      'using the CPU: Cannot install TensorFlow: expected tensorflow 2.18.1 in the package index',
    );
    expect(ready.info).toMatchObject({ name: 'native', device: 'cpu' });
    const fallback = 'NVIDIA A100-SXM4-80GB would do, but no runtime for CUDA is installed';
    const opened = await open('openBackend', machine, {});
    expect(opened.info).toMatchObject({ device: 'cpu', fallback, fix: 'bn-train setup --cuda' });
    expect(opened.notices).toBe(`using the CPU: ${fallback}; hint: bn-train setup --cuda\n`);
    expect((await open('openBackend', machine, { quiet: true })).notices).toBe('');
  });
});

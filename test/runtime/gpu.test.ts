/** Which GPU is taken, why one is not, and what TensorFlow is told: all that can be decided without a GPU. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { cannot } from '../../src/common/errors.js';
import { isCudaBuild } from '../../src/runtime/install/cuda.js';
import { prepareEnvironment } from '../../src/runtime/loadAddon.js';
import { parseGpus, queryGpus } from '../../src/runtime/gpus.js';
import {
  assertNoGpu,
  choose,
  type DeviceOptions,
  fallbacksFor,
  firstOf,
  NoGpu,
  oneLine,
} from '../../src/runtime/choose.js';
import type { Runtime } from '../../src/runtime/install/finished.js';
import { assertServes } from '../../src/runtime/install/libraries.js';
import { ALL } from '../support/amount.js';
import { pathOf } from './index.js';
import { pathWithGpus, pathWithSmi, smiLine } from './gpu.js';

const before = process.env;
beforeEach(() => {
  // Nothing is installed, so the version is the default.
  process.env = { ...before, XDG_CACHE_HOME: '/nowhere' };
  delete process.env['CUDA_VISIBLE_DEVICES'];
});

const whole: Runtime = {
  source: 'override',
  tensorflow: '2.18.1',
  libraries: '/l',
  addon: '/a',
  compiler: 'c',
  tfjs: '4',
  files: [],
};

/** The GPU that is taken, or undefined for the CPU, and what is said of that. */
async function place(device: string, options: Partial<DeviceOptions> = {}) {
  const notices: string[] = [];
  // Nothing is installed, and everything can be.
  const source = { locate: () => Promise.resolve(undefined), make: () => Promise.resolve(whole) };
  const { gpu } = await firstOf(
    fallbacksFor('native', device),
    (fallback) => choose(fallback, { device, ...options }, source),
    (_, error) => error instanceof NoGpu || notices.push(`using the CPU: ${oneLine(error)}`),
  );
  return { gpu, notices };
}

const DRIVER = "expected NVIDIA's driver and a GPU, got ";
const DRIVER_HINT =
  'install the driver, 525.60.13 or newer; in a container, give it the GPU (--gpus all); or use --device cpu';
const kepler = { name: 'Tesla K80', capability: '3.7' };
const blackwell = { name: 'NVIDIA GeForce RTX 5090', capability: '12.0', driver: '575.64' };
const full = { free: '300', memory: '8192' };
const CODE = 'expected a GPU of compute capability 6.0 to 9.x, for which TensorFlow has code that works, got ';
const CODE_HINT = 'name a folder with a TensorFlow built for it (--runtime-dir), or use --device cpu';

describe('what is tried', () => {
  it.each([
    ['auto', 'auto', 'native cuda, native cpu, wasm cpu'],
    ['native', 'auto', 'native cuda, native cpu'],
    ['auto', 'cuda:1', 'native cuda'],
    ['auto', 'cpu', 'native cpu, wasm cpu'],
    ['wasm', 'auto', 'wasm cpu'],
    ['js', 'cpu', 'js cpu'],
  ] as const)('for the backend %s on the device %s is %s', (backend, device, list) => {
    expect(
      fallbacksFor(backend, device)
        .map((each) => `${each.backend} ${each.device}`)
        .join(', '),
    ).toBe(list);
  });

  it('does not go on after wrong usage, or after what is no error of this program', async () => {
    for (const error of [cannot('a', { expected: 'b', got: 'c', exitCode: 2 }), new Error('stopped')]) {
      const tried: string[] = [];
      const attempt = ({ device }: { device: string }) => Promise.reject((tried.push(device), error));
      await expect(firstOf(fallbacksFor('auto', 'auto'), attempt, () => undefined)).rejects.toBe(error);
      expect(tried).toEqual(['cuda']);
    }
  });
});

describe('a GPU that cannot be used', () => {
  it.each<{ what: string; smi: () => Promise<string>; words: string; hint: string }>([
    {
      what: 'a driver that does not answer',
      smi: () => pathWithSmi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18'),
      words: `${DRIVER}nvidia-smi: Failed to initialize NVML: Driver/library version mismatch`,
      hint: DRIVER_HINT,
    },
    {
      what: 'a driver without GPUs',
      smi: () => pathWithSmi('echo "No devices were found"; exit 0'),
      words: `${DRIVER}nvidia-smi: No devices were found`,
      hint: DRIVER_HINT,
    },
    // Twice 5 s of waiting.
    ...(ALL
      ? [
          {
            what: 'a driver that hangs',
            smi: () => pathWithSmi('sleep 86398'),
            words: `${DRIVER}nvidia-smi: no answer within 5 s`,
            hint: DRIVER_HINT,
          },
        ]
      : []),
    {
      what: 'silence',
      smi: () => pathWithSmi('exit 0'),
      words: `${DRIVER}nvidia-smi: no GPU`,
      hint: DRIVER_HINT,
    },
    {
      what: 'a driver too old',
      smi: () => pathWithGpus({ driver: '525.60.12' }),
      words:
        "expected NVIDIA's driver 525.60.13 or newer, as CUDA 12 needs, got 525.60.12 (cuda:0, NVIDIA A100-SXM4-80GB)",
      hint: 'update the driver, or use --device cpu',
    },
    {
      what: 'one older than the code',
      smi: () => pathWithGpus(kepler),
      words: `${CODE}3.7 (cuda:0, Tesla K80)`,
      hint: CODE_HINT,
    },
    {
      what: 'one newer than the code',
      smi: () => pathWithGpus(blackwell),
      words: `${CODE}12.0 (cuda:0, NVIDIA GeForce RTX 5090)`,
      hint: CODE_HINT,
    },
    {
      what: 'a driver that cannot compile its kernels',
      smi: () => pathWithGpus({ name: 'NVIDIA H100 PCIe', capability: '9.0', driver: '535.183.01' }),
      words:
        "expected NVIDIA's driver 545.23.06 or newer, as it compiles kernels of TensorFlow 2.18.1 for this GPU, got 535.183.01 (cuda:0, NVIDIA H100 PCIe)",
      hint: 'update the driver, or use --device cpu',
    },
    {
      what: 'too little memory',
      smi: () => pathWithGpus(full),
      words:
        'expected 1.1 GB of free GPU memory: half for CUDA and its libraries, half to train, got 314.6 MB free of 8.6 GB (cuda:0, NVIDIA A100-SXM4-80GB)',
      hint: 'end what nvidia-smi shows on it, choose another with --device cuda:N, or use --device cpu',
    },
  ])('$what: an error where it was asked for, one line and the CPU under auto', async ({ smi, words, hint }) => {
    process.env['PATH'] = await smi();
    const message = `Cannot use the device cuda: ${words}`;
    await expect(place('cuda')).rejects.toMatchObject({ message, hint, exitCode: 1 });
    const notice = `using the CPU: Cannot use the GPU: ${words}; hint: ${hint}`;
    expect(await place('auto')).toEqual({ gpu: undefined, notices: [notice] });
  });

  it.each([
    [1, 'cuda:1', 'cuda:0, the only one'],
    [2, 'cuda:2', 'cuda:0 to cuda:1'],
  ])('is a number beyond the last: of %i, %s', async (count, device, expected) => {
    process.env['PATH'] = await pathWithGpus(...[{}, { index: '1' }].slice(0, count));
    await expect(place(device)).rejects.toMatchObject({
      message: `Cannot use the device ${device}: expected ${expected}, got ${device}`,
      hint: 'bn-train doctor lists them',
    });
  });

  it('with no driver, auto says so only where there is a GPU to be seen', async () => {
    const problem = 'no nvidia-smi on the PATH';
    process.env['PATH'] = await pathOf({});
    await expect(place('cuda')).rejects.toMatchObject({
      message: `Cannot use the device cuda: ${DRIVER}${problem}`,
      hint: DRIVER_HINT,
    });
    expect(await place('auto', { gpus: { problem, plain: true } })).toEqual({ gpu: undefined, notices: [] });
    expect(await place('auto', { gpus: { problem, plain: false } })).toEqual({
      gpu: undefined,
      notices: [`using the CPU: Cannot use the GPU: ${DRIVER}${problem}; hint: ${DRIVER_HINT}`],
    });
  });

  it('is one that CUDA_VISIBLE_DEVICES hides', async () => {
    process.env['PATH'] = await pathWithGpus({});
    process.env['CUDA_VISIBLE_DEVICES'] = '-1';
    await expect(place('cuda')).rejects.toMatchObject({
      message:
        'Cannot use the device cuda: expected a GPU that CUDA_VISIBLE_DEVICES shows, got CUDA_VISIBLE_DEVICES=-1',
      hint: 'unset CUDA_VISIBLE_DEVICES, or use --device cpu',
    });
  });

  it('may be one for another TensorFlow', async () => {
    process.env['PATH'] = await pathWithGpus({ capability: '9.0', driver: '550.54.15' });
    expect(await place('cuda')).toMatchObject({ gpu: { device: 'cuda:0' } });
    await expect(place('cuda', { tensorflow: '2.21.0' })).rejects.toMatchObject({
      message:
        "Cannot use the device cuda: expected NVIDIA's driver 555.42.02 or newer, as it compiles kernels of TensorFlow 2.21.0 for this GPU, got 550.54.15 (cuda:0, NVIDIA A100-SXM4-80GB)",
      hint: 'update the driver, use --tensorflow 2.18.1, or use --device cpu',
    });
  });

  it('is no matter of its capability where the user names a TensorFlow', async () => {
    process.env['PATH'] = await pathWithGpus(blackwell);
    expect(await place('cuda', { runtimeDir: '/own' })).toMatchObject({ gpu: { device: 'cuda:0' } });
    process.env['BN_TRAIN_RUNTIME_DIR'] = '/own';
    expect(await place('cuda')).toMatchObject({ gpu: { device: 'cuda:0' } });
  });
});

describe('the GPU that is used', () => {
  it.each<[string, string | undefined, string, string]>([
    ['cuda', undefined, 'cuda:0', '0'],
    ['cuda:1', undefined, 'cuda:1', '1'],
    ['cuda:1', '2,0', 'cuda:1', '0'],
    ['cuda:0', 'GPU-2', 'cuda:0', 'GPU-2'],
    ['cuda:0', '1,7,0', 'cuda:0', '1'],
    ['cuda', 'MIG-0a', 'cuda:0', 'MIG-0a'],
  ])('%s with CUDA_VISIBLE_DEVICES=%s is %s', async (device, visible, chosen, told) => {
    process.env['PATH'] = await pathWithGpus({}, { index: '1' }, { index: '2' });
    if (visible !== undefined) process.env['CUDA_VISIBLE_DEVICES'] = visible;
    expect(await place(device)).toMatchObject({ gpu: { device: chosen, visible: told }, notices: [] });
  });

  it.each([
    ['6.1', '525.60.13'],
    ['7.5', '535.183.01'],
    ['8.6', '550.54'],
    ['8.9', '570.1'],
    ['9.0', '580.95.05'],
  ])('may have the capability %s, with driver %s', async (capability, driver) => {
    process.env['PATH'] = await pathWithGpus({ capability, driver });
    expect(await place('auto')).toMatchObject({ gpu: { device: 'cuda:0' }, notices: [] });
  });

  it('is under auto the first that serves', async () => {
    process.env['PATH'] = await pathWithGpus(kepler, { ...full, index: '1' }, { index: '2' });
    expect(await place('auto')).toMatchObject({ gpu: { device: 'cuda:2', visible: '2' } });
  });

  it('may share the memory of the machine, which no figure tells', async () => {
    process.env['PATH'] = await pathWithGpus({ memory: '[N/A]', free: '[N/A]' });
    expect(await place('cuda')).toMatchObject({ gpu: { device: 'cuda:0' } });
    expect(await queryGpus()).toMatchObject({ gpus: [{ memory: undefined, free: undefined }] });
  });

  it('is read as nvidia-smi prints it', () => {
    expect(parseGpus(`${smiLine({ index: '1', name: 'Tesla V100-SXM2-16GB' })}\n`)).toEqual({
      gpus: [
        {
          index: 1,
          uuid: 'GPU-11c0e4f-aa',
          name: 'Tesla V100-SXM2-16GB',
          driver: '550.54.15',
          capability: '8.0',
          memory: 81920 * 2 ** 20,
          free: 81000 * 2 ** 20,
        },
      ],
    });
  });
});

describe('the environment', () => {
  const gpus = parseGpus(smiLine({ index: '3' }));
  const on = async () => (await place('cuda', { gpus })).gpu;

  it('on the CPU hides every GPU, and asks for nothing else', () => {
    const env = { CUDA_VISIBLE_DEVICES: '0' };
    prepareEnvironment(undefined, { deterministic: true, tf32: false, compiler: '/c' }, env);
    expect(env).toEqual({ CUDA_VISIBLE_DEVICES: '-1', TF_CPP_MIN_LOG_LEVEL: '2' });
  });

  it.each([
    { set: {}, level: '0' },
    { set: { TF_CPP_MIN_LOG_LEVEL: '1' }, level: '1' },
  ])('has TensorFlow’s own words where they are asked for: $level', ({ set, level }) => {
    const env: NodeJS.ProcessEnv = { ...set };
    prepareEnvironment(undefined, { verbose: true }, env);
    expect(env['TF_CPP_MIN_LOG_LEVEL']).toBe(level);
  });

  it('on a GPU shows this one alone, lets memory grow, and tells XLA where its compiler is', async () => {
    const env = {};
    prepareEnvironment(await on(), { compiler: '/a "b"', libraries: ['/l/libcudart.so.12', 'libcufft.so.11'] }, env);
    expect(env).toEqual({
      BN_TRAIN_CUDA_LIBRARIES: '/l/libcudart.so.12:libcufft.so.11',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      CUDA_VISIBLE_DEVICES: '3',
      TF_CPP_MIN_LOG_LEVEL: '2',
      TF_FORCE_GPU_ALLOW_GROWTH: 'true',
      XLA_FLAGS: '--xla_gpu_cuda_data_dir="/a \\"b\\""',
    });
  });

  it('keeps what the user has set, and adds determinism and full float32 where they are asked for', async () => {
    const env = { TF_FORCE_GPU_ALLOW_GROWTH: 'false', XLA_FLAGS: '--xla_dump_to=x', TF_CPP_MIN_LOG_LEVEL: '0' };
    prepareEnvironment(await on(), { compiler: '/c', deterministic: true, tf32: false }, env);
    expect(env).toMatchObject({
      NVIDIA_TF32_OVERRIDE: '0',
      TF_CPP_MIN_LOG_LEVEL: '0',
      TF_DETERMINISTIC_OPS: '1',
      TF_FORCE_GPU_ALLOW_GROWTH: 'false',
      XLA_FLAGS: '--xla_dump_to=x --xla_gpu_cuda_data_dir="/c" --xla_gpu_deterministic_ops=true',
    });
  });

  it.each(['--xla_gpu_cuda_data_dir=/mine', '/file/with/flags'])('leaves XLA_FLAGS=%s alone', async (flags) => {
    const env = { XLA_FLAGS: flags };
    prepareEnvironment(await on(), { compiler: '/c' }, env);
    expect(env.XLA_FLAGS).toBe(flags);
  });
});

describe('libraries that were built for CUDA', () => {
  it('are told by the name of the driver in them, wherever it stands', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bn-train-built-'));
    for (const [at, name, built] of [
      [0, 'libcuda.so.1', true],
      [2 ** 20 - 5, 'libcuda.so.1', true],
      [2 ** 21 - 12, 'libcuda.so.1', true],
      [7, 'libcuda.so.2', false],
    ] as const) {
      const file = Buffer.alloc(2 ** 21);
      file.write(name, at);
      writeFileSync(path.join(folder, 'libtensorflow_framework.so.2'), file);
      expect(await isCudaBuild(folder)).toBe(built);
    }
    await rm(folder, { recursive: true });
  });
});

describe('a runtime', () => {
  const cuda = { toolkit: '12.5.82', cudnn: '9.3.0.75', missing: [] };

  it('suits its own version and device', () => {
    for (const want of [{ device: 'cpu' }, { device: 'cuda', tensorflow: '2.18.1' }] as const)
      expect(assertServes({ ...whole, cuda }, want, '/l').tensorflow).toBe('2.18.1');
  });

  it.each([
    {
      runtime: whole,
      want: { device: 'cpu', tensorflow: '2.21.0' } as const,
      message: 'Cannot use the runtime folder /l: expected TensorFlow 2.21.0, got 2.18.1',
      hint: 'leave out --tensorflow',
    },
    {
      runtime: whole,
      want: { device: 'cuda' } as const,
      message:
        'Cannot use the runtime folder /l: expected a TensorFlow that was built for CUDA, got TensorFlow 2.18.1 for the CPU',
      hint: 'without --runtime-dir: bn-train setup --cuda; or use --device cpu',
    },
    {
      runtime: { ...whole, cuda: { ...cuda, missing: ['libcudnn.so.9 (no)', 'ptxas (no such program)'] } },
      want: { device: 'cuda' } as const,
      message:
        "Cannot use the runtime folder /l: expected NVIDIA's libraries in ../nvidia beside it, or where the system's loader finds them, " +
        'got these do not open: libcudnn.so.9 (no); ptxas (no such program)',
      hint: 'bn-train setup --cuda installs them all; or use --device cpu',
    },
  ])('that does not suit is told: $message', ({ runtime, want, message, hint }) => {
    expect(() => assertServes(runtime, want, '/l')).toThrow(expect.objectContaining({ message, hint, exitCode: 1 }));
  });
});

it('is not said to compute on the CPU where another thread has opened a GPU', () => {
  expect(() => assertNoGpu(false)).not.toThrow();
  expect(() => assertNoGpu(true)).toThrow(
    cannot('use the device cpu', {
      expected: 'TensorFlow to open no GPU',
      got: 'one that another thread of this process has opened',
    }).message,
  );
});

/** Where to compute: what is tried, in one list, and the decision on each from what the machine has. */
import { type BackendName, BACKENDS, type Fallback, FALLBACKS } from '../common/backends.js';
import { BnTrainError, cannot, EXIT } from '../common/errors.js';
import { option, toType } from '../common/invocation.js';
import { chooseGpu, type GpuChoice } from './gpuChoice.js';
import { type GpuQuery, queryGpus } from './gpus.js';
import type { Runtime } from './install/finished.js';
import { VERSIONS, type Want } from './install/pins.js';

/** What to try for a backend and a device. Throws a BnTrainError for names that are none, and for a device that the backend lacks. */
export function fallbacksFor(backend: BackendName, device: string): readonly [Fallback, ...Fallback[]] {
  const names: readonly BackendName[] = ['auto', ...BACKENDS];
  if (!names.includes(backend))
    throw cannot('open the backend', { expected: names.join(', '), got: backend, exitCode: EXIT.usage });
  if (!/^(auto|cpu|cuda(:\d{1,3})?)$/.test(device))
    throw cannot('open the backend', {
      expected: 'the device auto, cpu or cuda[:N]',
      got: device,
      hint: `the first GPU is ${option('device')} cuda; where it is left out, the best is taken`,
      exitCode: EXIT.usage,
    });
  const [first, ...rest] = FALLBACKS.filter(
    (each) =>
      (backend === 'auto' ? !('byNameOnly' in each) : each.backend === backend) &&
      (device === 'auto' || device.startsWith(each.device)),
  );
  if (first) return [first, ...rest];
  throw cannot(`use the device ${device}`, {
    expected: 'the native backend, which alone computes there',
    got: backend,
    hint: 'use --device cpu or leave --device out',
    exitCode: EXIT.usage,
  });
}

/** Nothing to tell anybody: no GPU is used where nobody would expect one. */
export class NoGpu extends Error {}

/** A runtime would do, and is not there. */
export class NotInstalled extends BnTrainError {}

/**
 * What the first of the fallbacks gives that can be had; `passed` is told what is tried next and why each before it cannot, which is what its
 * attempt throws: a BnTrainError, or NoGpu. Wrong usage is nothing to fall back from.
 */
export async function firstOf<T>(
  [first, ...rest]: readonly [Fallback, ...Fallback[]],
  attempt: (fallback: Fallback) => Promise<T>,
  passed: (next: Fallback, why: BnTrainError | NoGpu) => void,
): Promise<T> {
  const [next, ...others] = rest;
  try {
    return await attempt(first);
  } catch (error) {
    const nothingWrong = error instanceof NoGpu || (error instanceof BnTrainError && error.exitCode !== EXIT.usage);
    if (!next || !nothingWrong) throw error;
    passed(next, error);
    return firstOf([next, ...others], attempt, passed);
  }
}

/** The device by its whole name: "cuda" is cuda:0. */
export function wholeName(device: string): string {
  return device === 'cuda' ? 'cuda:0' : device;
}

export interface DeviceOptions extends Omit<Want, 'device'> {
  /** auto, cpu or cuda[:N]. */
  device: string;
  /** The GPUs, where they were asked for already. */
  gpus?: GpuQuery;
  signal?: AbortSignal | undefined;
}

/** What to compute with natively. */
export interface Choice {
  runtime: Runtime;
  /** Undefined for the CPU. */
  gpu: GpuChoice | undefined;
}

export interface Source {
  /** The finished runtime. */
  locate: (want: Want) => Promise<Runtime | undefined>;
  /** Makes one where there is none; where it is left out nothing is installed. */
  make?: (want: Want) => Promise<Runtime>;
}

/** The runtime for the CPU, or for a GPU and which. Throws a BnTrainError that says what cannot be had. */
export async function choose({ device }: Fallback, options: DeviceOptions, { locate, make }: Source): Promise<Choice> {
  const { tensorflow, runtimeDir } = options;
  const want = { device, tensorflow, runtimeDir };
  let looked: ReturnType<Source['locate']> | undefined;
  const located = () => (looked ??= locate(want));
  const gpu = device === 'cuda' ? await findGpu(options, async () => (await located())?.tensorflow) : undefined;
  const runtime = (await located()) ?? (await make?.(want));
  if (runtime) return { runtime, gpu };
  if (!gpu)
    throw cannot('open the native backend', { expected: 'a finished runtime', got: 'none', hint: toType('setup') });
  const hint = toType('setup --cuda');
  if (options.device === 'auto')
    throw new NotInstalled(`${gpu.gpu.name} would do, but no runtime for CUDA is installed`, { hint });
  throw cannot(`use the device ${gpu.device}`, { expected: 'a finished runtime for CUDA', got: 'none', hint });
}

/**
 * The GPU for `auto` or `cuda[:N]`, with the version of TensorFlow that is `installed`. Throws a BnTrainError that says
 * why none can be used, and under `auto` NoGpu where nobody would expect one.
 */
export async function findGpu(
  { device, gpus, tensorflow, runtimeDir = process.env['BN_TRAIN_RUNTIME_DIR'], signal }: DeviceOptions,
  installed: () => Promise<string | undefined>,
): Promise<GpuChoice> {
  const visibleDevices = process.env['CUDA_VISIBLE_DEVICES'];
  // Whoever hides every GPU needs no word on it.
  if (device === 'auto' && /^(-1)?$/.test(visibleDevices ?? '0'))
    throw new NoGpu('CUDA_VISIBLE_DEVICES hides every GPU');
  const query = gpus ?? (await queryGpus(signal));
  if (device === 'auto' && 'problem' in query && query.plain) throw new NoGpu('no NVIDIA GPU is to be seen');
  // What a folder that the user names was built for is not known.
  const known = 'gpus' in query && (runtimeDir ?? '') === '';
  const chosen = chooseGpu(query, {
    index: device === 'auto' ? undefined : Number(wholeName(device).split(':')[1]),
    visibleDevices,
    tensorflow: known ? (tensorflow ?? (await installed()) ?? VERSIONS[0]) : undefined,
  });
  if ('gpu' in chosen) return chosen;
  throw cannot(device === 'auto' ? 'use the GPU' : `use the device ${device}`, chosen);
}

/** Throws where TensorFlow uses a GPU all the same, as it is one TensorFlow for all threads of a process. */
export function assertNoGpu(usesGpu: boolean): void {
  if (!usesGpu) return;
  throw cannot('use the device cpu', {
    expected: 'TensorFlow to open no GPU',
    got: 'one that another thread of this process has opened',
    hint: 'use a process for each device',
  });
}

/** An error as one line. */
export function oneLine({ message, hint }: BnTrainError): string {
  return hint === undefined ? message : `${message}; hint: ${hint}`;
}

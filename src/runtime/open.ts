/** Opens a backend and says why this one. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { BackendName, Fallback } from '../common/backends.js';
import { assertKnown, type BnTrainError, cannot, EXIT, messageOf, shown } from '../common/errors.js';
import { printable } from '../common/format.js';
import type { Watch } from '../common/listener.js';
import { quoted, toType } from '../common/invocation.js';
import * as places from './choose.js';
import { loadNative, prepareEnvironment, type Settings } from './loadAddon.js';
import { compilerFolder, libraryFiles } from './install/cuda.js';
import { locateRuntime } from './install/libraries.js';
import { assertPinned, type Want } from './install/pins.js';

export interface BackendInfo {
  name: Fallback['backend'];
  /** "cpu", or "cuda:N". */
  device: string;
  /** One line: why this backend. */
  reason: string;
  /** TensorFlow's version, on the native backend. */
  tensorflow?: string;
  /** The GPU's name, where one is used. */
  gpu?: string;
  /** Why not the best of what was asked for: the CPU instead of a GPU that the machine has, or WASM. */
  fallback: string | null;
  /** The command that would give a faster backend. */
  fix?: string;
}

export interface BackendOptions
  extends Omit<Want, 'device'>, Pick<Settings, 'deterministic' | 'tf32' | 'threads' | 'verbose'> {
  /** auto, cpu or cuda[:N]. The native backend has one device and these settings a process: those of its first opening. */
  device?: string | undefined;
}

const OPTIONS = Object.keys({
  ...{ device: 0, tensorflow: 0, runtimeDir: 0, deterministic: 0, tf32: 0, threads: 0, verbose: 0, quiet: 0 },
} satisfies Record<keyof BackendOptions | 'quiet', 0>);

/**
 * Makes a tfjs backend the one in use: `native` is TensorFlow's C++, `wasm` and `js` ship with npm packages. `auto`
 * takes native where a finished runtime is found and wasm elsewhere; so does the device `auto` take a GPU. What is
 * slower than the best is told in one line on stderr, unless `quiet`. Installs nothing. Throws a BnTrainError for an
 * unknown name, device or option, for `native` without a runtime, and for a GPU that cannot be used.
 */
export async function openBackend(
  name: BackendName = 'auto',
  { quiet = false, ...options }: BackendOptions & { quiet?: boolean | undefined } = {},
): Promise<BackendInfo> {
  assertKnown('open the backend', options, OPTIONS);
  const { threads = 1 } = options;
  if (!(Number.isSafeInteger(threads) && threads >= 1))
    throw cannot('open the backend', { expected: 'threads to be a whole number from 1', got: shown(threads) });
  const tell = (line: string) => quiet || process.stderr.write(`${printable(line)}\n`);
  return open(name, options, { locate: locateRuntime }, tell);
}

/** As openBackend, but installs the native runtime on first need, and tells `listener`. */
export async function openReady(
  { backend, ...options }: BackendOptions & { backend: BackendName },
  { listener, signal }: Watch,
): Promise<BackendInfo> {
  const source: places.Source = {
    locate: (want) => locateRuntime(want, { signal }),
    make: async (want) => (await import('./install/install.js')).makeRuntime(want, { listener, signal }),
  };
  const info = await open(backend, { ...options, signal }, source, listener.warn);
  if (info.name === backend && info.fix !== undefined) listener.notice(slow(backend, ASKED_FOR, 'leave out --backend'));
  return info;
}

/** What the file named after a backend exports: the backend becomes tfjs's one in use. */
interface Portable {
  open: () => Promise<void>;
}

const ASKED_FOR = 'it was asked for';

const slow = (name: string, why: string, fix: string) =>
  `using the ${name} backend (${why}), which is many times slower than native; to mend it: ${fix}`;

/** `tell` hears at once of each that is passed over, as what comes next may be an install of minutes. */
async function open(
  name: BackendName,
  options: BackendOptions & { signal?: AbortSignal | undefined },
  source: places.Source,
  tell: (line: string) => void,
): Promise<BackendInfo> {
  const { device = 'auto' } = options;
  let [fallback, fix]: [string | null, string | undefined] = [null, undefined];
  const passed = ({ backend: next }: Fallback, error: BnTrainError | places.NoGpu): void => {
    if (error instanceof places.NoGpu) return;
    [fallback, fix] = [error.message, error.hint];
    tell(next === 'native' ? `using the CPU: ${places.oneLine(error)}` : slow(next, fallback, fix ?? toType('setup')));
  };
  const attempt = async (tried: Fallback): Promise<BackendInfo> => {
    const { backend } = tried;
    if (backend === 'native') {
      assertPinned(options.tensorflow);
      const info = await openNative(tried, { ...options, device }, source);
      return { ...info, fallback, ...(fix !== undefined && { fix }) };
    }
    const { open } = (await import(`./${backend}.js`)) as Portable;
    await open();
    return { name: backend, device: 'cpu', reason: fallback ?? ASKED_FOR, fallback, fix: fix ?? toType('setup') };
  };
  return places.firstOf(places.fallbacksFor(name, device), attempt, passed);
}

/** Where this process has opened TensorFlow, which reads its environment once: there it stays. */
let opened: (places.Choice & { tensorflow: string }) | undefined;

async function openNative(
  fallback: Fallback,
  options: places.DeviceOptions & Settings,
  source: places.Source,
): Promise<Omit<BackendInfo, 'fallback'>> {
  const before = opened;
  // What the environment says of GPUs after it is opened is this process's own word.
  if (before) assertStays(before.gpu, fallback, options.device);
  const { runtime, gpu, tensorflow } = before ?? openFirst(await places.choose(fallback, options, source), options);
  // Loading makes it the one in use only the first time.
  await tf.setBackend('tensorflow');
  const reason = `TensorFlow ${tensorflow} in ${runtime.libraries}`;
  const info = { name: 'native' as const, device: gpu?.device ?? 'cpu', reason, tensorflow };
  return gpu ? { ...info, gpu: gpu.gpu.name } : info;
}

/** Throws for a device that is not the one this process computes on. */
function assertStays(gpu: places.Choice['gpu'], fallback: Fallback, device: string): void {
  const [before, asked] = [gpu?.device ?? 'cpu', places.wholeName(device)];
  if (asked !== 'auto' && asked !== before)
    throw cannot(`use the device ${asked}`, {
      expected: `${before}, where this process opened TensorFlow`,
      got: asked,
      hint: 'use a process for each device',
      exitCode: EXIT.usage,
    });
  if (fallback.device === 'cuda' && !gpu) throw new places.NoGpu('this process opened TensorFlow on the CPU');
}

/** Loads TensorFlow into this process. */
function openFirst({ runtime, gpu }: places.Choice, settings: Settings): NonNullable<typeof opened> {
  const { cuda, libraries, files, addon } = runtime;
  const nvidia = cuda && { compiler: compilerFolder(libraries), libraries: libraryFiles(files) };
  prepareEnvironment(gpu, { ...settings, ...nvidia });
  const { tensorflow, usesGpu } = load(addon);
  if (!gpu) places.assertNoGpu(usesGpu);
  opened = { runtime, gpu: usesGpu ? gpu : undefined, tensorflow };
  if (!gpu || usesGpu) return opened;
  throw cannot(`use the device ${gpu.device}`, {
    expected: `TensorFlow to open ${gpu.gpu.name}`,
    got: 'the CPU only',
    hint: `${toType('doctor')} shows what it has to go by; TF_CPP_MIN_LOG_LEVEL=0 has TensorFlow say why; or use --device cpu`,
  });
}

function load(addon: string): ReturnType<typeof loadNative> {
  try {
    return loadNative(addon);
  } catch (error) {
    throw cannot('open the native backend', {
      expected: `the addon ${addon} to load`,
      got: messageOf(error),
      hint: `rm -r ${quoted(path.dirname(addon))} && ${toType('setup')}`,
      cause: error,
    });
  }
}

/** What a command that computes needs first: Ctrl-C, a runtime, a backend. */
import { BnTrainError, EXIT } from '../common/errors.js';
import type { Listener } from '../common/listener.js';
import type { BackendInfo } from '../runtime/open.js';
import type { Placement } from '../runtime/choose.js';
import type { BackendOptions } from './options.js';

/** A signal that the first Ctrl-C (or SIGTERM) aborts; the second ends the process at once. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  return controller.signal;
}

/** Whom to tell while a backend is opened, and who may stop it. */
interface Watch {
  listener: Listener;
  signal: AbortSignal;
}

/**
 * Opens the backend, installing the native runtime on first need. Under `auto` an install that fails says why, and the
 * CPU takes over from a GPU, WASM from the CPU; under `native`, or a device that was named, it is the end.
 * `tf32: false` keeps a GPU from TF32.
 */
export async function openReady(
  options: BackendOptions & { tf32?: boolean },
  listener: Listener,
  signal: AbortSignal,
): Promise<BackendInfo> {
  const [{ assertBackend, openPlaced }, { place }] = await Promise.all([
    import('../runtime/open.js'),
    import('../runtime/choose.js'),
  ]);
  assertBackend(options.backend, options.device);
  const native = options.backend === 'auto' || options.backend === 'native';
  const wished: Placement = native ? await place(options.device, options) : { kind: 'cpu' };
  const placement = native ? await install(wished, options, { listener, signal }) : wished;
  const info = await openPlaced(options.backend, placement, options);
  if (info.warning !== undefined) listener.notice(info.warning);
  if (info.name !== 'native' && info.fix !== undefined)
    listener.notice(
      `using the ${info.name} backend (${info.reason}), which is many times slower than native; to mend it: ${info.fix}`,
    );
  return info;
}

/** Installs what the place needs. Returns the place that the install leaves. */
async function install(placement: Placement, options: BackendOptions, watch: Watch): Promise<Placement> {
  const { installRuntime } = await import('../runtime/install/install.js');
  const { runtimeDir, tensorflow } = options;
  const { listener } = watch;
  try {
    await installRuntime({ runtimeDir, tensorflow, device: placement.kind, ...watch });
    return placement;
  } catch (error) {
    const gpuIsOptional = placement.kind === 'cuda' && !placement.required;
    const mayGoOn = gpuIsOptional || (options.backend === 'auto' && placement.kind === 'cpu');
    if (!mayGoOn || !(error instanceof BnTrainError) || error.exitCode === EXIT.usage) throw error;
    listener.notice(error.message);
    if (error.hint !== undefined) listener.notice(`hint: ${error.hint}`);
    if (!gpuIsOptional) return placement;
    listener.notice(`using the CPU instead of ${placement.choice.gpu.name}`);
    return install({ kind: 'cpu' }, options, watch);
  }
}

/** What a command that computes needs first: Ctrl-C, a runtime, a backend. */
import { BnTrainError, EXIT } from '../errors.js';
import type { Listener } from '../progress.js';
import type { BackendInfo } from '../runtime/backend.js';
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

/**
 * Opens the backend, installing the native runtime on first need. Under `auto` an install that fails says why and the
 * WASM backend takes over; under `native` it is the end.
 */
export async function openReady(
  options: BackendOptions,
  listener: Listener,
  signal: AbortSignal,
): Promise<BackendInfo> {
  const { assertDevice, openBackend } = await import('../runtime/backend.js');
  assertDevice(options.device);
  if (options.backend === 'auto' || options.backend === 'native') {
    const { installRuntime } = await import('../runtime/install.js');
    try {
      await installRuntime({ runtimeDir: options.runtimeDir, listener, signal });
    } catch (error) {
      if (options.backend === 'native' || !(error instanceof BnTrainError) || error.exitCode === EXIT.usage)
        throw error;
      listener.notice(error.message);
      if (error.hint !== undefined) listener.notice(`hint: ${error.hint}`);
    }
  }
  const info = await openBackend(options.backend, options);
  if (info.name !== 'native' && info.fix !== undefined)
    listener.notice(
      `using the ${info.name} backend (${info.reason}), which is many times slower than native; to mend it: ${info.fix}`,
    );
  return info;
}

/** A command's session: the one place that draws, is interrupted, and turns how a command ends into words and an exit status. */
import { BnTrainError, EXIT, type ExitCode, messageOf } from '../common/errors.js';
import type { Listener } from '../common/listener.js';
import { Terminal } from '../report/terminal.js';
import type { Placement } from '../runtime/choose.js';
import type { BackendInfo } from '../runtime/open.js';
import type { BackendOptions } from './options.js';

export interface Session {
  terminal: Terminal;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  signal: AbortSignal;
}

const interruption = new AbortController();
let terminal = new Terminal();

/** The first signal asks the command to end, the second ends the process. To be called before anything else is loaded. */
export function catchSignals(): void {
  const interrupt = () => {
    if (interruption.signal.aborted) end(EXIT.interrupted);
    interruption.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, interrupt);
  // A reader that closes the pipe early (head, less) has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') end(EXIT.done);
    throw error;
  });
}

/** Runs a command's action to its end, and sets the process's exit status. */
export async function withSession(
  { quiet = false }: { quiet?: boolean },
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const { signal } = interruption;
  terminal = new Terminal({ quiet });
  try {
    await action({ terminal, signal });
    process.exitCode = signal.aborted ? EXIT.interrupted : EXIT.done;
  } catch (error) {
    process.exitCode = tell(error);
  } finally {
    terminal.close();
  }
}

function end(status: ExitCode): never {
  terminal.close();
  process.exit(status);
}

/** Says what was thrown. Returns the exit status that goes with it. */
function tell(error: unknown): ExitCode {
  if (error instanceof BnTrainError) {
    terminal.warn(error.message, ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]));
    return error.exitCode;
  }
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  terminal.warn(...(error instanceof Error ? (error.stack ?? error.message) : messageOf(error)).split('\n'));
  return EXIT.failed;
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

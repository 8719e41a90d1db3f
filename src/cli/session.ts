/** What a command that takes its time needs first: Ctrl-C. */
import { EXIT } from '../common/errors.js';

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

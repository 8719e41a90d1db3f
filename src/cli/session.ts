/** A command's session: the one place that draws, is interrupted, and turns how a command ends into words and an exit status. */
import { BnTrainError, EXIT, type ExitCode, messageOf } from '../common/errors.js';
import { Terminal } from '../report/terminal.js';

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

/** A command's session: the one place that draws, is interrupted, and turns how a command ends into words and an exit status. */
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { inspect } from 'node:util';
import { BnTrainError, cannot, EXIT, type ExitCode } from '../common/errors.js';
import { describeFileError } from '../common/files.js';
import { Terminal } from '../report/terminal.js';
import type { SessionFlags } from './options.js';

export interface Session {
  terminal: Terminal;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  signal: AbortSignal;
  /** From now on the action is waited for however long it takes to stop: it saves what is done. */
  saves: () => void;
}

/** How long an action that was asked to stop may tidy up. */
const GRACE_MS = 500;

const interruption = new AbortController();
let terminal = new Terminal();
let isVerbose = false;
let isInterrupted = false;
/** Why what was printed did not arrive. */
let unprinted: NodeJS.ErrnoException | undefined;
/** Those of stdin, stdout and stderr that are a terminal. */
let terminals: number[] = [];

/** The first signal asks the command to end, the second ends the process. To be called before anything else is loaded. */
export function catchSignals(): void {
  terminals = [0, 1, 2].filter(isatty);
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (!interruption.signal.aborted) return interrupt();
      terminal.close({ typed: true });
      end(EXIT.interrupted);
    });
  // A shell passes on what its window has told everyone already, so that this one comes twice by itself.
  process.on('SIGHUP', interrupt);
  process.on('SIGCONT', () => terminal.redraw());
  process.on('uncaughtException', (error) => end(tell(error)));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    unprinted ??= error;
    interruption.abort();
  });
  // Nobody listens any more; the work is still wanted.
  process.stderr.on('error', () => undefined);
}

function interrupt(): void {
  if (interruption.signal.aborted) return;
  isInterrupted = true;
  terminal.close({ typed: true });
  terminal.notice('stopping after this step; again to stop now');
  interruption.abort();
}

/** Runs a command's action and ends the process with the status that is due. */
export async function withSession(
  { quiet = false, verbose = false, yes = false }: SessionFlags,
  action: (session: Session) => Promise<void>,
): Promise<never> {
  const { signal } = interruption;
  terminal = new Terminal({ quiet, yes });
  isVerbose = verbose;
  const state = { saves: false };
  const overdue = new Promise<never>((_, reject) => {
    const stop = () => setTimeout(() => state.saves || reject(signal.reason as Error), GRACE_MS);
    signal.addEventListener('abort', stop);
  });
  try {
    signal.throwIfAborted();
    await Promise.race([action({ terminal, signal, saves: () => (state.saves = true) }), overdue]);
    return await conclude(signal.aborted ? EXIT.interrupted : EXIT.done);
  } catch (error) {
    // What had nothing to save was stopped, in whatever words.
    return await conclude(signal.aborted && !state.saves ? EXIT.interrupted : tell(error));
  }
}

/** Ends the process when what was printed has gone out, whatever else may still be under way. */
export async function conclude(status: ExitCode): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
  const isStopped = status === EXIT.interrupted && !isInterrupted;
  if (!unprinted || (status !== EXIT.done && !isStopped)) return end(status);
  // A reader that closes the pipe early (head, less) has what it wanted; a window that was closed wants nothing.
  const isClosed = unprinted.code === 'EPIPE' || (unprinted.code === 'EIO' && terminals.includes(1));
  return end(isClosed ? EXIT.done : tell(cannotPrint(unprinted)));
}

function end(status: ExitCode): never {
  terminal.close();
  // Node puts back the settings of its terminals, and aborts where one is gone, as long as it is open here.
  for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  process.exit(status);
}

/** Says what was thrown. Returns the exit status that goes with it. */
function tell(error: unknown): ExitCode {
  const known = error instanceof BnTrainError;
  const isAbort = error instanceof Error && error.name === 'AbortError';
  if (known) terminal.warn(error.message, ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]));
  if (isVerbose || !(known || isAbort)) terminal.warn(...inspect(error).split('\n'));
  return known ? error.exitCode : isAbort ? EXIT.interrupted : EXIT.failed;
}

function cannotPrint(error: unknown): BnTrainError {
  return cannot('print the result', {
    expected: 'room where stdout goes',
    got: describeFileError(error),
    hint: 'free some space there, or send it elsewhere',
    cause: error,
  });
}

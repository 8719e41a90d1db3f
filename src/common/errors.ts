/** The one error type of the project: what could not be done, what was expected and got, and the command that helps. */
import { printable } from './format.js';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Reason {
  /** What would have been right. */
  expected: string;
  /** What was found instead. */
  got: string;
  /** The command or change that mends it. */
  hint?: string;
  /** The error underneath, kept for `--verbose` readers and stack traces. */
  cause?: unknown;
  exitCode?: ExitCode;
}

export class BnTrainError extends Error {
  override readonly name = 'BnTrainError';
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, { hint, exitCode = EXIT.failed, cause }: Partial<Reason> = {}) {
    super(message, { cause });
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** Builds "Cannot {action}: expected {expected}, got {got}". */
export function cannot(action: string, reason: Reason): BnTrainError {
  return new BnTrainError(printable(`Cannot ${action}: expected ${reason.expected}, got ${reason.got}`), reason);
}

/** A value out of a file, as JSON, as far as a message has room for it. */
export function shown(value: unknown): string {
  try {
    // JSON knows neither undefined nor Infinity.
    const text = value === undefined || typeof value === 'number' ? String(value) : JSON.stringify(value);
    return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  } catch (error) {
    if (error instanceof RangeError) return 'a value nested too deeply';
    throw error;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

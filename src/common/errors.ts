/** The one error type of the project: what could not be done, what was expected and got, and the command that helps. */
import { printable } from './format.js';

export const EXIT = { done: 0, failed: 1, usage: 2, waits: 75, interrupted: 130 } as const;
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

/** A value, as JSON if it is any, as far as a message has room for it. */
export function shown(value: unknown): string {
  try {
    // JSON knows neither undefined nor Infinity.
    const text =
      typeof value === 'number' ? String(value) : ((JSON.stringify(value) as string | undefined) ?? kindOf(value));
    return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  } catch (error) {
    if (error instanceof RangeError) return 'a value nested too deeply';
    // A big integer, or what holds itself.
    if (error instanceof TypeError) return kindOf(value);
    throw error;
  }
}

/** "null", "a string", "an object". */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const kind = value instanceof Promise ? 'promise' : Array.isArray(value) ? 'array' : typeof value;
  return `${/^[aou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws a BnTrainError for an option of another name than the known ones: a misspelt one would be passed over in silence. */
export function assertKnown(action: string, options: object, known: readonly string[]): void {
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const meant = nearest(option, known);
    throw cannot(action, {
      expected: 'an option that it has',
      got: shown(option),
      hint: meant === undefined ? `it has ${known.join(', ')}` : `did you mean ${meant}?`,
    });
  }
}

/** The known name that a misspelt one is most likely to mean, or undefined where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const near = known.map((candidate) => ({ candidate, edits: editsBetween(name, candidate) }));
  const [best] = near.sort((a, b) => a.edits - b.edits);
  return best && best.edits <= Math.max(1, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

/** How many characters are to be added, dropped or changed (Levenshtein's distance), whatever their case. */
function editsBetween(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const changed = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

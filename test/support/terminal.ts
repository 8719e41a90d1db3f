/** Runs the built program in a pseudo-terminal of its own, and plays the user in front of it. */
import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { PLAIN, program, root } from './program.js';

/** What the user does when the terminal shows `until` (or, for "stopped", when the job has stopped). */
export interface Step {
  until: string;
  /** Seconds to wait before it. */
  after?: number;
  /** Keys; "\u0003" is Ctrl-C, "\u001a" Ctrl-Z. */
  type?: string;
  signal?: 'SIGINT' | 'SIGTERM' | 'SIGHUP';
  /** Columns that the window has from then on. */
  resize?: number;
  /** Closes the window. */
  hangup?: true;
  /** What a shell's `fg` does. */
  continue?: true;
}

export interface Shown {
  /** All that the terminal was sent. */
  output: string;
  /** What it showed at the end, line by line; the last is where the cursor was left. */
  lines: string[];
  ended: { code?: number; signal?: number } | null;
  /** From the last step to the end. */
  seconds: number;
  /** Steps whose moment never came. */
  left: Step[];
  /** Whether the terminal's settings (stty) are those from before; null where it was closed. */
  same: boolean | null;
}

interface Options {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Wide by default, so that what is asserted stands in lines of its own. */
  columns?: number;
  /** Words before the program's arguments: another program, flags of Node. */
  command?: string[];
}

export async function onTerminal(
  args: string[],
  steps: Step[],
  { env = {}, cwd = root, columns = 250, command = [process.execPath, program] }: Options = {},
): Promise<Shown> {
  const ask = JSON.stringify({ command: [...command, ...args], columns, steps });
  const driver = path.join(import.meta.dirname, 'terminal.py');
  const { stdout } = await promisify(execFile)('python3', [driver, ask], {
    cwd,
    env: { ...process.env, ...PLAIN, ...env },
    maxBuffer: 2 ** 28,
  });
  const shown = JSON.parse(stdout) as Omit<Shown, 'lines'>;
  return { ...shown, lines: linesOf(shown.output) };
}

const ESCAPE = '\u001b';
const SEQUENCE_OR_CHARACTER = new RegExp(`${ESCAPE}([78])|${ESCAPE}\\[(\\d*)([AGJKm])|[^]`, 'gu');
/** Lines that the terminal has room for. */
const ROWS = 24;

/**
 * What a terminal makes of carriage returns, of moves within the line and up, of clearing it or what is right of the cursor or
 * after it, of colours, and of keeping the cursor's place on the screen and going back there. Throws for any other control sequence, such as those
 * that change a mode, and where the cursor is not left in the last line.
 */
function linesOf(output: string): string[] {
  const lines: (string | undefined)[][] = [[]];
  const top = () => Math.max(0, lines.length - ROWS);
  let [row, column] = [0, 0];
  let kept = { row, column };
  for (const [part, place, number = '', move] of output.matchAll(SEQUENCE_OR_CHARACTER)) {
    const line = (lines[row] ??= []);
    if (part === '\r') column = 0;
    else if (part === '\n') lines[++row] ??= [];
    else if (place === '7') kept = { row: row - top(), column };
    else if (place === '8') [row, column] = [top() + kept.row, kept.column];
    else if (move === 'm') continue;
    else if (move === 'A') row = Math.max(0, row - Number(number));
    else if (move === 'J') [line.length, lines.length] = [Math.min(line.length, column), row + 1];
    else if (move === 'G') column = Number(number) - 1;
    else if (move === 'K' && number === '2') line.length = 0;
    else if (move === 'K' && Number(number) === 0) line.length = Math.min(line.length, column);
    else if (part < ' ') throw new Error(`a control character: ${JSON.stringify(output)}`);
    else line[column++] = part;
  }
  if (row !== lines.length - 1) throw new Error(`the cursor stands above the last line: ${JSON.stringify(output)}`);
  // What was skipped is empty.
  return lines.map((line) => Array.from(line, (character) => character ?? ' ').join(''));
}

/** Runs the built program in a pseudo-terminal of its own, and plays the user in front of it. */
import { execFile } from 'node:child_process';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { program, root } from './program.js';

/** What the user does when the terminal shows `until` (or, for "stopped", when the job has stopped). */
export interface Step {
  until: string;
  /** Seconds to wait before it. */
  after?: number;
  /** Keys; "\u0003" is Ctrl-C, "\u001a" Ctrl-Z. */
  type?: string;
  signal?: 'SIGINT' | 'SIGTERM' | 'SIGHUP';
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
  columns?: number;
  /** Words before the program's arguments: another program, flags of Node. */
  command?: string[];
}

export async function onTerminal(
  args: string[],
  steps: Step[],
  { env = {}, cwd = root, columns = 80, command = [process.execPath, program] }: Options = {},
): Promise<Shown> {
  const ask = JSON.stringify({ command: [...command, ...args], columns, steps });
  const driver = path.join(import.meta.dirname, 'terminal.py');
  const { stdout } = await promisify(execFile)('python3', [driver, ask], {
    cwd,
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 28,
  });
  const shown = JSON.parse(stdout) as Omit<Shown, 'lines'>;
  return { ...shown, lines: linesOf(shown.output) };
}

const CLEAR = '\u001b[K';
const CLEAR_OR_CHARACTER = new RegExp(`${CLEAR.replace('[', '\\[')}|[^]`, 'gu');

/** What a terminal makes of carriage returns and of "clear to the end of the line". Throws for any other control sequence. */
function linesOf(output: string): string[] {
  const lines: string[][] = [[]];
  let column = 0;
  for (const [part] of output.matchAll(CLEAR_OR_CHARACTER)) {
    const line = lines.at(-1) ?? [];
    if (part === '\r') column = 0;
    else if (part === '\n') lines.push([]);
    else if (part === CLEAR) line.length = Math.min(line.length, column);
    else if (part < ' ') throw new Error(`a control character: ${JSON.stringify(output)}`);
    else line[column++] = part;
  }
  return lines.map((line) => line.join(''));
}

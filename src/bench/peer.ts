/** A program in a process of its own, asked for its turns over its standard input and output. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cannot } from '../common/errors.js';
import type { Program } from './program.js';
import { parseHello, parseTurn, requestLine } from './protocol.js';

/** A program file and its arguments, and how messages call it. */
export interface Command {
  label: string;
  file: string;
  args: string[];
}

/** A command line as the shell reads it; the shell gives its process to the command. */
export function shellCommand(line: string, args: string[]): Command {
  return { label: line, file: 'sh', args: ['-c', `exec ${line} "$@"`, 'sh', ...args] };
}

/**
 * Starts a program and waits for its first line; what it writes on stderr goes to this process's. Throws a BnTrainError,
 * then and at each of its turns, when it ends or says something else.
 */
export async function startPeer({ label, file, args }: Command, signal?: AbortSignal): Promise<Program> {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], signal });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<Error | string>((resolve) => {
    child.on('error', resolve);
    child.on('close', (code, signal) => resolve(signal ?? `exit status ${code ?? ''}`));
  });
  // Writing to a process that is gone is told by its answer that does not come.
  child.stdin.on('error', () => undefined);

  const receive = async (): Promise<string> => {
    const line = await lines.next();
    if (!line.done) return line.value;
    const ending = await ended;
    if (typeof ending !== 'string') throw ending;
    const hint = 'what it said itself stands above';
    throw cannot(`measure ${label}`, { expected: 'a line of JSON', got: `its end (${ending})`, hint });
  };
  // Without further questions a program ends.
  const close = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  try {
    const hello = parseHello(await receive(), label);
    const run = async (name: string, steps: number) => {
      child.stdin.write(requestLine({ name, steps }));
      return parseTurn(await receive(), label);
    };
    return { hello, run, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts all commands, has `action` use them, and ends them whatever happens. */
export async function withPeers<T>(
  commands: Command[],
  signal: AbortSignal | undefined,
  action: (peers: Program[]) => Promise<T>,
): Promise<T> {
  const peers: Program[] = [];
  try {
    for (const command of commands) peers.push(await startPeer(command, signal));
    return await action(peers);
  } finally {
    for (const peer of peers) await peer.close();
  }
}

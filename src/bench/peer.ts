/** A program in a process of its own, asked for its turns over its standard input and output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cannot } from '../common/errors.js';
import type { Hello, Program, Turn } from './program.js';
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

type Ending = { error: Error } | { code: number | null; signal: NodeJS.Signals | null };

/** Talks to a program that runs; what it writes on stderr goes to this process's. */
export class Peer implements Program {
  private constructor(
    private readonly connection: Connection,
    readonly hello: Hello,
  ) {}

  /** Starts a program and waits for its first line. Throws a BnTrainError when it ends or says something else. */
  static async start(command: Command, signal?: AbortSignal): Promise<Peer> {
    const connection = new Connection(command, signal);
    try {
      return new Peer(connection, parseHello(await connection.receive(), command.label));
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async run(name: string, steps: number): Promise<Turn> {
    this.connection.send(requestLine({ name, steps }));
    return parseTurn(await this.connection.receive(), this.connection.label);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** Starts all commands, has `action` use them, and ends them whatever happens. */
export async function withPeers<T>(
  commands: Command[],
  signal: AbortSignal | undefined,
  action: (peers: Peer[]) => Promise<T>,
): Promise<T> {
  const peers: Peer[] = [];
  try {
    for (const command of commands) peers.push(await Peer.start(command, signal));
    return await action(peers);
  } finally {
    for (const peer of peers) await peer.close();
  }
}

/** Lines to a process and lines from it. */
class Connection {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string, undefined>;
  private readonly ended: Promise<Ending>;

  readonly label: string;

  constructor({ label, file, args }: Command, signal: AbortSignal | undefined) {
    this.label = label;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], signal });
    this.child = child;
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => resolve({ error }));
      child.on('close', (code, signal) => resolve({ code, signal }));
    });
    // Writing to a process that is gone is told by its answer that does not come.
    child.stdin.on('error', () => undefined);
  }

  send(line: string): void {
    this.child.stdin?.write(line);
  }

  async receive(): Promise<string> {
    const line = await this.lines.next();
    if (!line.done) return line.value;
    const ending = await this.ended;
    if ('error' in ending) throw ending.error;
    throw cannot(`measure ${this.label}`, {
      expected: 'a line of JSON',
      got: `its end (${ending.signal ?? `exit status ${ending.code ?? ''}`})`,
      hint: 'what it said itself stands above',
    });
  }

  /** Without further questions a program ends. */
  async close(): Promise<void> {
    this.child.stdin?.end();
    await this.ended;
  }
}

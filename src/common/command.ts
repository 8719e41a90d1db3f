/** Runs a program to its end and keeps what it said, without stopping this one; it never outlives this process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { codeOf } from './files.js';

export interface Outcome {
  /** Exit status; above 128 where a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
  /** It was ended because its time was up. */
  late?: boolean;
}

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
  /** In ms; for ever where it is left out. */
  timeout?: number;
}

/**
 * A child that outlives this process would go on filling the folder that the next try cleans. `exit` handlers do not
 * run on SIGKILL, but descriptor 3, a pipe from this process, closes then too: the watcher's `read` ends and it kills
 * the whole group, grandchildren included (python3 may be a shell wrapper, a compiler is several processes).
 */
const GUARDED = `
command -v "$1" >/dev/null || exit 127
{ read -r _; kill -9 0; } <&3 >/dev/null 2>&1 &
exec 3<&-
"$@"
code=$?
kill $! 2>/dev/null
exit $code`;

// The dynamic loader's status for a missing symbol, too: only in silence does it mean that there is no such program.
const NOT_FOUND = 127;

/** The most characters that are kept of what a command says, its last ones: one that never stops must not fill the memory. */
const KEPT = 100_000;

/** The outcome of a command, or undefined where there is no such program. */
export async function runCommand(
  command: string,
  args: string[],
  { cwd, env, signal, timeout }: CommandOptions = {},
): Promise<Outcome | undefined> {
  signal?.throwIfAborted();
  const child = spawn('/bin/sh', ['-c', GUARDED, 'sh', command, ...args], {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const stop = () => killGroup(child);
  process.once('exit', stop);
  signal?.addEventListener('abort', stop);
  let late = false;
  const expire = () => {
    late = true;
    stop();
  };
  const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
  try {
    const outcome = await outcomeOf(child);
    signal?.throwIfAborted();
    return outcome.code === NOT_FOUND && outcome.stderr === '' ? undefined : { ...outcome, late };
  } finally {
    clearTimeout(timer);
    process.off('exit', stop);
    signal?.removeEventListener('abort', stop);
  }
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const [, out, err, guard] = child.stdio as unknown as Readable[];
  out?.setEncoding('utf8').on('data', (text: string) => (stdout = (stdout + text).slice(-KEPT)));
  err?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-KEPT)));
  guard?.on('error', () => undefined).resume();
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 137, stdout, stderr };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself a moment ago.
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** The last line of a program's complaint that says something. */
export function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '') ?? '';
}

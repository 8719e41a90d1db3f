/** Runs the built program as a user would: a process with its own environment. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import * as path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');
/** A link to bin/bn-train.js, as an installed command is, so that hints name it as one. */
export const program = path.join(import.meta.dirname, 'bn-train');

/** The looks that tests expect, whatever terminal they are started from. */
export const PLAIN = {
  LC_ALL: 'C.UTF-8',
  TERM: 'xterm',
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
  XTERM_VERSION: undefined,
};

export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** What it printed on stderr so far. */
  stderr: () => string;
  result: Promise<Result>;
}

/** Starts any command; `env` is merged over this process's environment, where undefined removes a name. */
export function start(command: string, args: string[], { env, ...options }: SpawnOptions = {}): Running {
  const merged = { ...process.env, ...PLAIN, ...env };
  const child = spawn(command, args, { ...options, env: merged, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = new Promise<Result>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, stderr: () => stderr, result };
}

/** `bn-train ...args`, started. */
export function startProgram(args: string[], options: SpawnOptions = {}): Running {
  return start(process.execPath, [program, ...args], options);
}

/** `bn-train ...args`, run to its end. */
export function runProgram(args: string[], options: SpawnOptions = {}): Promise<Result> {
  return startProgram(args, options).result;
}

/** Runs a program to its end and keeps what it said, without stopping this one. */
import { spawn } from 'node:child_process';
import { codeOf } from '../files.js';

export interface Outcome {
  /** Exit status; -1 where a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  env?: Record<string, string | undefined>;
  signal?: AbortSignal | undefined;
}

/** The outcome of a command, or undefined where there is no such program. */
export async function runCommand(command: string, args: string[], { env, signal }: CommandOptions = {}): Promise<Outcome | undefined> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  // A child that outlives this process would go on filling the folder that the next try cleans.
  const stop = () => child.kill('SIGKILL');
  process.once('exit', stop);
  try {
    return await new Promise<Outcome | undefined>((resolve, reject) => {
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-20_000)));
      child.on('error', (error) => (codeOf(error) === 'ENOENT' ? resolve(undefined) : reject(error)));
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
  } finally {
    process.off('exit', stop);
  }
}

/** The last line of a program's complaint that says something. */
export function lastLine(text: string): string {
  return text.trim().split('\n').filter((line) => line.trim() !== '').at(-1)?.trim() ?? '';
}

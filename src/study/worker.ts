/** A process of its own that computes trials, one after the other, as seen from the study that started it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { BnTrainError, type ExitCode } from '../common/errors.js';
import type { Trial, TrialRecord } from './trial.js';

/** A script that answers messages, and what it is told first. */
export interface WorkerScript {
  file: URL;
  /** Which backend and which data to open; plain data. */
  opening: object;
}

export type Request = { open: object } | { trial: Trial };
export type Answer = { ready: true } | { record: TrialRecord } | { error: Failure };

/** An error as it goes from one process to another. */
export interface Failure {
  message: string;
  /** Of a BnTrainError; any other kept its stack. */
  known?: { hint?: string | undefined; exitCode: ExitCode };
  stack?: string | undefined;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof BnTrainError)
    return { message: error.message, known: { hint: error.hint, exitCode: error.exitCode } };
  return error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error) };
}

function thrown({ message, known, stack }: Failure): Error {
  return known ? new BnTrainError(message, known) : Object.assign(new Error(message), { stack });
}

/** A worker's process ended though nobody asked it to. */
export class WorkerEnded extends Error {
  /** "SIGKILL", "exit status 1: …". */
  readonly how: string;

  constructor(how: string) {
    super(`a worker ended: ${how}`);
    this.how = how;
  }
}

/** The most characters that are kept of what a worker says, its last ones. */
const KEPT = 2_000;

export class Worker {
  private readonly child: ChildProcess;
  private readonly opening: object;
  private opened: Promise<unknown> | undefined;
  private said = '';

  /** Starts the process; what it opens it opens for its first trial. */
  constructor({ file, opening }: WorkerScript) {
    this.opening = opening;
    this.child = fork(file, {
      execArgv: ['--max-semi-space-size=1'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-KEPT);
    });
    // A message to a process that is gone is told by its end.
    this.child.on('error', () => undefined);
  }

  /** Throws the worker's error, or WorkerEnded. */
  async compute(trial: Trial): Promise<TrialRecord> {
    await (this.opened ??= this.ask({ open: this.opening }));
    const answer = await this.ask({ trial });
    if ('record' in answer) return answer.record;
    throw new WorkerEnded('an answer that is no record');
  }

  /** At once: it writes nothing, so that nothing can be left half done. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  private ask(request: Request): Promise<Exclude<Answer, { error: Failure }>> {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        child.off('message', onMessage).off('close', onClose);
        act();
      };
      const onMessage = (answer: Answer) =>
        settle(() => ('error' in answer ? reject(thrown(answer.error)) : resolve(answer)));
      const onClose = () => settle(() => reject(new WorkerEnded(this.ending())));
      child.on('message', onMessage).on('close', onClose);
      if (child.exitCode !== null || child.signalCode !== null) onClose();
      else child.send(request);
    });
  }

  private ending(): string {
    const { exitCode, signalCode } = this.child;
    const last = this.said.trim().split('\n').at(-1) ?? '';
    return `${signalCode ?? `exit status ${exitCode ?? ''}`}${last === '' ? '' : `: ${last}`}`;
  }
}

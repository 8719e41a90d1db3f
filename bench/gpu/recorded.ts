/** What bench/gpu.sh wrote down of each command that it ran: how it ended, and what it said. */
import { readdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';

export interface Step {
  command: string;
  /** Exit status; 124 where it ran out of time. */
  code: number;
  seconds: number;
  stdout: string;
  stderr: string;
}

/** Steps by name, in the order in which they were run. */
export type Recording = Record<string, Step>;

/** Reads NAME.step, NAME.stdout and NAME.stderr of a folder. */
export async function readRecording(folder: string): Promise<Recording> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.step')).map((name) => name.slice(0, -5));
  const steps = await Promise.all(names.map(async (name) => ({ name, ...(await readStep(path.join(folder, name))) })));
  steps.sort((a, b) => a.started - b.started);
  return Object.fromEntries(steps.map(({ name, started: _, ...step }) => [name, step]));
}

async function readStep(file: string): Promise<Step & { started: number }> {
  const [facts, stdout, stderr] = await Promise.all(
    ['step', 'stdout', 'stderr'].map((kind) => readFile(`${file}.${kind}`, 'utf8')),
  );
  const [command = '', code, started, ended] = (facts ?? '').split('\n');
  const seconds = Number(ended) - Number(started);
  return { command, code: Number(code), seconds, started: Number(started), stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Undefined where the step was not run or said no JSON: `errorsOf` tells of both. A step that failed may have said some. */
export function jsonOf(step: Step | undefined): unknown {
  try {
    return step && JSON.parse(step.stdout);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export interface StepError {
  step: string;
  command: string;
  code: number;
  /** The end of what it said. */
  said: string;
}

/** Which steps failed, and how; `mayFail` names those whose failure is a finding. */
export function errorsOf(recording: Recording, mayFail: string[]): StepError[] {
  return Object.entries(recording).flatMap(([name, step]) => {
    const said = mayFail.includes(name) ? undefined : failureOf(step);
    return said === undefined ? [] : [{ step: name, command: step.command, code: step.code, said }];
  });
}

function failureOf(step: Step): string | undefined {
  if (step.code !== 0) return endOf(step.stderr || step.stdout);
  const speaksJson = step.command.split(' ').includes('--json');
  return speaksJson && jsonOf(step) === undefined ? `no JSON on stdout: ${endOf(step.stdout)}` : undefined;
}

/** The last lines of what a program said; of Python's, the last says what went wrong. */
export function endOf(said: string): string {
  return said.trim().split('\n').slice(-4).join('\n');
}

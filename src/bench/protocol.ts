/** The lines between a serving program and the one that measures it: `RUN norm/mode steps` in, one line of JSON out. */
import { cannot } from '../common/errors.js';
import type { Hello, Turn } from './program.js';

export interface Request {
  name: string;
  steps: number;
}

export function requestLine({ name, steps }: Request): string {
  return `RUN ${name} ${steps}\n`;
}

/** Throws a BnTrainError for a line that asks for nothing, or for a contestant that is not among `contestants`. */
export function parseRequest(line: string, contestants: string[]): Request {
  const [, name = '', steps = ''] = /^RUN (\S+) ([1-9]\d*)$/.exec(line) ?? [];
  if (contestants.includes(name)) return { name, steps: Number(steps) };
  throw cannot('serve', {
    expected: `RUN, one of ${contestants.join(', ')}, and a number of steps`,
    got: JSON.stringify(line),
  });
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isPositive: Check = (value) => typeof value === 'number' && value > 0;

const HELLO: Record<keyof Hello, Check> = {
  program: isText,
  versions: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
  threads: isPositive,
  contestants: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
};
const TURN: Record<keyof Turn, Check> = {
  steps: isPositive,
  examples: isPositive,
  seconds: isPositive,
  loss: isNumber,
  accuracy: isNumber,
  peakMemory: isPositive,
};

/** A program's first line; `command` names the program in messages. */
export function parseHello(line: string, command: string): Hello {
  return parse<Hello>(line, command, HELLO);
}

/** Its answer to a request. */
export function parseTurn(line: string, command: string): Turn {
  return parse<Turn>(line, command, TURN);
}

function parse<T>(line: string, command: string, checks: Record<keyof T & string, Check>): T {
  const value = parseJson(line);
  for (const [name, holds] of Object.entries<Check>(checks))
    if (!holds(value?.[name]))
      throw cannot(`measure ${command}`, {
        expected: `a line of JSON with a valid ${name}`,
        got: line.slice(0, 200),
        hint: 'src/bench/program.ts says what a program answers',
      });
  return value as T;
}

function parseJson(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The lines between a serving program and the one that measures it: `RUN norm/mode steps` in, one line of JSON out. */
import { cannot } from '../common/errors.js';
import { check, type Shape } from '../common/shape.js';
import { HELLO, TURN } from './program.js';

interface Request {
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

/** A program's first line; `command` names the program in messages. */
export const parseHello = parserOf(HELLO);

/** Its answer to a request. */
export const parseTurn = parserOf(TURN);

function parserOf<T>(shape: Shape<T>): (line: string, command: string) => T {
  return (line, command) => {
    // What is no object lacks its first field.
    const result = check(shape, Object(parseJson(line)));
    if ('value' in result) return result.value;
    throw cannot(`measure ${command}`, {
      expected: `a line of JSON with a valid ${result.problem.field.replace(/\..*/, '')}`,
      got: line.slice(0, 200),
      hint: 'src/bench/program.ts says what a program answers',
    });
  };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

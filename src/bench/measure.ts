/** Measures programs turn by turn, all of them in each turn, so that a machine that slows down does so for all. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cannot } from '../common/errors.js';
import type { Program, Turn } from './program.js';

/** Enough to meet an epoch's smaller last batch, and for compilers to have done what they do. */
const LEAST_WARM_UP = 10;

interface MeasureOptions {
  /** Training steps in a turn. */
  steps: number;
  /** Turns that count, after one that warms up. */
  turns: number;
  /** Milliseconds before each contestant's turn, for threads of the one before that still spin. */
  pause?: number;
  signal?: AbortSignal | undefined;
}

export interface Measured {
  program: string;
  name: string;
  /** 0 for the warm-up. */
  turn: number;
  result: Turn;
}

/** One contestant's turns, the warm-up left out. */
export interface Series {
  program: string;
  name: string;
  turns: Turn[];
}

/**
 * Yields each result as it comes. The order moves on by one contestant a turn. Throws a BnTrainError when two programs
 * have one name.
 */
export async function* measure(
  programs: Program[],
  { steps, turns, pause = 0, signal }: MeasureOptions,
): AsyncGenerator<Measured> {
  assertDistinct(programs.map(({ hello }) => hello.program));
  const contestants = programs.flatMap((program) => program.hello.contestants.map((name) => ({ program, name })));
  for (let turn = 0; turn <= turns; turn++)
    for (const { program, name } of rotate(contestants, turn)) {
      await sleep(pause, undefined, { signal });
      yield {
        program: program.hello.program,
        name,
        turn,
        result: await program.run(name, turn === 0 ? Math.max(steps, LEAST_WARM_UP) : steps),
      };
    }
}

function assertDistinct(names: string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw cannot('measure', { expected: 'programs of different names', got: `${twice} twice`, hint: 'leave one out' });
}

/** What was measured, contestant by contestant, in the order of the programs. */
export function collect(programs: Program[], measured: Measured[]): Series[] {
  return programs.flatMap(({ hello: { program, contestants } }) =>
    contestants.map((name) => ({
      program,
      name,
      turns: measured.filter((one) => one.program === program && one.name === name && one.turn > 0).map(resultOf),
    })),
  );
}

const resultOf = ({ result }: Measured): Turn => result;

function rotate<T>(items: T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** Measures programs turn by turn, all of them in each turn, so that a machine that slows down does so for all. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cannot } from '../common/errors.js';
import type { Pace, Program } from './program.js';

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
  /** Hears of each turn before it is taken; 0 is the warm-up. */
  onTurn?: (turn: number) => void;
}

/** One contestant's turns, the warm-up left out. */
export interface Series {
  program: string;
  name: string;
  turns: Pace[];
}

/** In the order of the programs; their turns move on by one contestant each. Throws a BnTrainError when two have one name. */
export async function measure(
  programs: Program<Pace>[],
  { steps, turns, pause = 0, signal, onTurn }: MeasureOptions,
): Promise<Series[]> {
  assertDistinct(programs.map(({ hello }) => hello.program));
  const measured = programs.flatMap((program) =>
    program.hello.contestants.map((name) => ({ program, name, turns: [] as Pace[] })),
  );
  for (let turn = 0; turn <= turns; turn++) {
    onTurn?.(turn);
    for (const { program, name, turns: taken } of rotate(measured, turn)) {
      await sleep(pause, undefined, { signal });
      const result = await program.run(name, turn === 0 ? Math.max(steps, LEAST_WARM_UP) : steps);
      if (turn > 0) taken.push(result);
    }
  }
  return measured.map(({ program, ...series }) => ({ program: program.hello.program, ...series }));
}

function assertDistinct(names: string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw cannot('measure', { expected: 'programs of different names', got: `${twice} twice`, hint: 'leave one out' });
}

function rotate<T>(items: T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

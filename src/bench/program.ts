/** What is measured: a program with its contestants, each of which trains some steps when it is its turn. */
import * as v from 'valibot';
import { numberThat, text } from '../common/shape.js';

const positive = numberThat('a number above 0', (value) => value > 0);
const number = numberThat('a number', () => true);

/** Who a program is: the first line that it prints when it serves. */
export const HELLO = v.object({
  /** "bn-train", "pytorch". */
  program: text(),
  versions: v.record(v.string(), text()),
  threads: positive,
  /** "norm/mode" each, as in "scratch/eager". */
  contestants: v.pipe(v.array(text()), v.nonEmpty()),
  /** Why not on the best of what was asked for, where it fell back. */
  fallback: v.optional(text()),
});
export type Hello = v.InferOutput<typeof HELLO>;

/** What came of one turn. */
export const TURN = v.object({
  steps: positive,
  examples: positive,
  /** Wall clock over all steps: shuffling, training, and reading loss and correct count back after each step. */
  seconds: positive,
  /** Mean softmax cross-entropy of the turn's examples, in nats, and the share that was classified correctly. */
  loss: number,
  accuracy: number,
  /** Largest resident set of the process up to now, in bytes. */
  peakMemory: positive,
});
export type Turn = v.InferOutput<typeof TURN>;

/** What speeds are made of. */
export type Pace = Pick<Turn, 'steps' | 'examples' | 'seconds'>;

export interface Program<Result extends Pace = Turn> {
  readonly hello: Hello;
  /** Trains the contestant `name` for so many steps more; it is built when it first runs. */
  run(name: string, steps: number): Promise<Result>;
  close(): Promise<void>;
}

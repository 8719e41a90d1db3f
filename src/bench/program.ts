/** What is measured: a program with its contestants, each of which trains some steps when it is its turn. */

/** Who a program is: the first line that it prints when it serves. */
export interface Hello {
  /** "bn-train", "pytorch". */
  program: string;
  versions: Record<string, string>;
  threads: number;
  /** "norm/mode" each, as in "scratch/eager". */
  contestants: string[];
}

/** What came of one turn. */
export interface Turn {
  steps: number;
  examples: number;
  /** Wall clock over all steps: shuffling, training, and reading loss and correct count back after each step. */
  seconds: number;
  /** Mean softmax cross-entropy of the turn's examples, in nats, and the share that was classified correctly. */
  loss: number;
  accuracy: number;
  /** Largest resident set of the process up to now, in bytes. */
  peakMemory: number;
}

export interface Program {
  readonly hello: Hello;
  /** Trains the contestant `name` for so many steps more; it is built when it first runs. */
  run(name: string, steps: number): Promise<Turn>;
  close(): Promise<void>;
}

/** What the code of a region's jobs is written with, and what it leaves for those that come later. */
import type { Steps } from './loops.js';
import type { Memory } from './memory.js';
import type { Step } from './fusedStep.js';

export interface Place {
  readonly time: number;
  readonly job: 'rows' | 'all' | 'share';
}

/** A value that is read or written in place, and how. */
export interface Access extends Place {
  readonly id: number;
  /** The loop's number. */
  readonly loop: number;
  /** Element i in the turn that makes element i. */
  readonly direct: boolean;
  /** A row of it for each row of the batch. */
  readonly moves: boolean;
}

/** What jobs of one region have in common. */
export interface Setting {
  readonly known: Steps;
  readonly memory: Memory;
  /** The region's steps, by what they make. */
  readonly made: ReadonlyMap<number, Step>;
  /** Whether a value is whole in memory before `time`, or is to be when it is made. */
  readonly isStored: (id: number) => boolean;
  readonly reads: Access[];
  readonly writes: Access[];
  /** Sums that chunks leave: how the one of a chunk is addressed. */
  readonly partial: Map<Step, (of: string) => string>;
}

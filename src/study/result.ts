/** What a study found: verdicts, their numbers and the data of their pictures; plain data, ready for JSON. */
import type { Machine } from '../common/machine.js';

export type Verdict = 'holds' | 'does not hold' | 'undecided';

export interface Interval {
  low: number;
  high: number;
  /** Such as 0.995. */
  level: number;
}

/** One criterion held against one effect; a claim with several holds where all hold. */
export interface Part {
  /** Such as "ratio of steps, none ÷ batch normalization". */
  measure: string;
  unit: string;
  /** The mean over seeds (geometric for ratios). Null where no seed gave a number. */
  effect: number | null;
  /** The effect is a bound, as runs without normalization never got there: it is this or more. */
  bound: boolean;
  interval: Interval | null;
  /** Drawn beside it. */
  interval95: Interval | null;
  /** Such as "interval wholly above 1.5". */
  criterion: string;
  /** What the criterion's ends are, for the picture. */
  margins: number[];
  verdict: Verdict;
  seeds: { seed: number; value: number; bound: boolean }[];
}

export interface Literature {
  text: string;
  /** In the unit of the claim's first part, where the paper has such a number. */
  value: number | null;
  /** Authors, year, identifier, section. */
  source: string;
}

/** A chart's data; how it is drawn is the report's. */
export type Picture =
  | { kind: 'lines'; name: string; x: Axis; y: Axis; series: Line[]; references: { name: string; y: number }[] }
  | {
      kind: 'dots';
      name: string;
      y: Axis;
      groups: { name: string; values: number[] }[];
      references: { name: string; y: number }[];
    }
  | { kind: 'heat'; name: string; x: Axis; y: Axis; columns: string[]; rows: string[]; cells: HeatCell[] };

export interface Axis {
  name: string;
  unit: string;
  logarithmic: boolean;
}

/** The mean over seeds, and each seed. */
export interface Line {
  name: string;
  x: number[];
  y: (number | null)[];
  seeds: { seed: number; y: (number | null)[] }[];
}

export interface HeatCell {
  column: number;
  row: number;
  value: number | null;
  seeds: number[];
}

export interface ClaimResult {
  /** As it is asked for: "moving-average". */
  claim: string;
  /** The claim itself, a sentence. */
  text: string;
  question: string;
  hypothesis: string;
  verdict: Verdict;
  /** Those of the first part, which decides first. */
  effect: number | null;
  interval: Interval | null;
  unit: string;
  criterion: string;
  parts: Part[];
  literature: Literature;
  /** Shown, without a verdict. */
  secondary: { name: string; value: number | null; unit: string; interval: Interval | null }[];
  pictures: Picture[];
  /** What a reader should know before believing it: bounds, edges of the grid, checks that failed. */
  remarks: string[];
  /** Names of the trials' files that it stands on. */
  trials: string[];
}

export interface StudyResult {
  /** SHA-256 of the registration's file. */
  registration: string;
  quick: boolean;
  claims: ClaimResult[];
  /** Left out of a quick study, and why. */
  left: { claim: string; why: string }[];
  machine: Machine;
  versions: Record<string, string>;
  data: { name: string; sha256: string };
  /** Of all trials together, in seconds of wall time. */
  seconds: number;
  /** ISO 8601, UTC. */
  finished: string;
}

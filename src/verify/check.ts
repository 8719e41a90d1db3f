/** What a check is: a name and a run that returns numbers which must agree, each with how far apart they may be. */
import type * as tf from '@tensorflow/tfjs';
import type { InputSpec, StepFunction } from '../graph/record/record.js';
import type { batchNorm } from '../nn/batchNorm.js';
import type { BatchNormConfig } from '../nn/layer.js';
import type { Bounded } from './bounds/bounded.js';

/** What is checked; a test passes one broken on purpose. */
export interface Subject {
  batchNorm: typeof batchNorm;
  BatchNorm: new (config: BatchNormConfig) => tf.layers.Layer;
  /** Where the backend runs recorded graphs. */
  compileSteps?: CompileSteps;
  /** Why their regions do not become code of their own here, if so. */
  unfused?: string | undefined;
}

/** What the checks use of src/graph/compile.ts. */
export type CompileSteps = (
  steps: Readonly<Record<string, { step: StepFunction; inputs: readonly InputSpec[] }>>,
  options: { variables: readonly tf.Variable[]; fuse: boolean },
) => Promise<{ run(name: string, ...inputs: tf.Tensor[]): tf.Tensor[]; dispose(): void }>;

/** What `use` makes of compiled steps, which are disposed of after it. */
export async function withCompiled<T>(
  compileSteps: CompileSteps,
  [steps, options]: Parameters<CompileSteps>,
  use: (compiled: Awaited<ReturnType<CompileSteps>>) => T,
): Promise<T> {
  const compiled = await compileSteps(steps, options);
  try {
    return use(compiled);
  } finally {
    compiled.dispose();
  }
}

/** Numbers that must agree one by one; the tolerance is absolute, one for all or one each. */
export interface Comparison {
  of: string;
  expected: ArrayLike<number>;
  got: ArrayLike<number>;
  tolerance: number | ArrayLike<number>;
}

export interface Check {
  name: string;
  /** Where its values are from, if another project states them. */
  source?: string;
  /** Why the check says nothing about this subject, if so. */
  notApplicable?: (subject: Subject) => string | undefined;
  run: (subject: Subject) => Comparison[] | Promise<Comparison[]>;
}

/** The pair of numbers that came closest to its tolerance, or went farthest beyond it. */
export interface Worst {
  of: string;
  expected: number;
  got: number;
  error: number;
  tolerance: number;
}

/** Numbers computed by one or two that round, each within the sum of the bounds that analysis gives it. */
export function within(
  of: string,
  expected: ArrayLike<number>,
  got: ArrayLike<number>,
  ...bounds: [Bounded[], ...Bounded[][]]
): Comparison {
  const tolerance = bounds[0].map((_, i) => bounds.reduce((sum, each) => sum + (each[i]?.error ?? NaN), 0));
  return { of, expected, got, tolerance };
}

/** The worst pair of all; another number of values than expected is a failure like any other. */
export function worst(comparisons: Comparison[]): Worst {
  const [first = pairOf('values compared', 1, 0, 0), ...rest] = comparisons.flatMap(pairsOf);
  return rest.reduce((most, pair) => (excess(pair) > excess(most) ? pair : most), first);
}

function pairsOf({ of, expected, got, tolerance }: Comparison): Worst[] {
  if (expected.length !== got.length) return [pairOf(`number of values of ${of}`, expected.length, got.length, 0)];
  const allowed = (i: number) => (typeof tolerance === 'number' ? tolerance : (tolerance[i] ?? NaN));
  return Array.from(expected, (value, i) => pairOf(of, value, got[i] ?? NaN, allowed(i)));
}

function pairOf(of: string, expected: number, got: number, tolerance: number): Worst {
  return { of, expected, got, error: Math.abs(got - expected), tolerance };
}

/** The error in tolerances: at most 1 is within, and what is not a number is beyond all. */
function excess({ error, tolerance }: Worst): number {
  if (error === 0) return 0;
  const ratio = error / tolerance;
  return Number.isNaN(ratio) ? Infinity : ratio;
}

/** What a check is: a name and a run that returns numbers which must agree, each with how far apart they may be. */
import type * as tf from '@tensorflow/tfjs';
import type { CompiledStep } from '../graph/compile.js';
import type { InputSpec, StepFunction } from '../graph/record/record.js';
import type { batchNorm } from '../nn/batchNorm.js';
import type { BatchNormConfig } from '../nn/layer.js';
import type { Bounded } from './bounds/bounded.js';

/** What is checked; a test passes one broken on purpose. */
export interface Subject {
  batchNorm: typeof batchNorm;
  BatchNorm: new (config: BatchNormConfig) => tf.layers.Layer;
  /** Where the backend runs recorded graphs. */
  compileStep?: CompileStep;
}

/** What the checks use of src/graph/compile.ts. */
export type CompileStep = (
  step: StepFunction,
  options: { inputs: readonly InputSpec[]; variables: readonly tf.Variable[] },
) => Promise<Pick<CompiledStep, 'run' | 'read' | 'dispose'>>;

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

/** Numbers against a reference, each within the bound that analysis gives it. */
export function within(of: string, expected: ArrayLike<number>, got: ArrayLike<number>, bounds: Bounded[]): Comparison {
  return { of, expected, got, tolerance: bounds.map(({ error }) => error) };
}

/** The worst pair of all; another number of values than expected is a failure like any other. */
export function worst(comparisons: Comparison[]): Worst {
  let found: Worst | undefined;
  let most = -1;
  const consider = (of: string, expected: number, got: number, error: number, tolerance: number) => {
    const beyond = excess(error, tolerance);
    if (beyond <= most) return;
    most = beyond;
    found = { of, expected, got, error, tolerance };
  };
  for (const { of, expected, got, tolerance } of comparisons) {
    const [wanted, given] = [expected.length, got.length];
    if (wanted !== given) consider(`number of values of ${of}`, wanted, given, Math.abs(wanted - given), 0);
    else
      for (let i = 0; i < wanted; i++) {
        const [value, other] = [expected[i] ?? NaN, got[i] ?? NaN];
        const allowed = typeof tolerance === 'number' ? tolerance : (tolerance[i] ?? NaN);
        consider(of, value, other, Math.abs(other - value), allowed);
      }
  }
  return found ?? { of: 'values compared', expected: 1, got: 0, error: 1, tolerance: 0 };
}

/** The error in tolerances: at most 1 is within, and what is not a number is beyond all. */
function excess(error: number, tolerance: number): number {
  if (error === 0) return 0;
  const ratio = error / tolerance;
  return Number.isNaN(ratio) ? Infinity : ratio;
}

/** Says which regions save more than they cost. */
import { sizeOf, type Value } from '../graph.js';
import type { Step } from './fusedStep.js';

/** What TensorFlow could move in memory in the time that it takes to begin with an op, in bytes. */
const OP = 1 << 14;

/** Two ops: small values stay in the CPU's cache, and ops run side by side; but a recurrent layer has thousands of them. */
const LEAST = 2 * OP;

/** It saves ops, and values that are not stored; and TensorFlow is slow to add up rows, or lacks the op. */
export function isWorthIt(steps: readonly Step[], outputs: readonly Value[]): boolean {
  if (steps.some(({ kind }) => kind !== 'map' && kind !== 'spread')) return true;
  const stored = new Set(outputs.map(({ id }) => id));
  const saved = steps.map(({ output }) => OP + (stored.has(output.id) ? 0 : 4 * sizeOf(output.shape)));
  return steps.length > 1 && saved.reduce((sum, bytes) => sum + bytes, 0) >= LEAST;
}

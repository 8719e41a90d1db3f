/** Two ways to run steps: op by op on any backend, or each as one graph on the native one, of which a call may take several. */
import { nativeBackend } from '../graph/binding.js';

export type Mode = 'eager' | 'graph';

/** Graphs need the native backend. */
export function defaultMode(): Mode {
  return nativeBackend() ? 'graph' : 'eager';
}

/** Steps a call on a GPU. */
export const MANY = 64;

/**
 * On a GPU the host launches ops ahead of it, but waits for it at the end of each call; 64 steps of a millisecond or less
 * are a wait that is not felt, and progress four times an epoch. On the CPU a call costs under 1 % of a step, and one
 * step at a time shows progress and takes Ctrl-C at once.
 */
export function defaultStepsPerCall(mode: Mode): number {
  return mode === 'graph' && nativeBackend()?.isUsingGpuDevice === true ? MANY : 1;
}

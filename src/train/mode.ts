/** Ways to run steps: op by op on any backend, or each as one graph on the native one, of which a call may take several. */
import { nativeBackend } from '../graph/binding.js';

/** The fastest first: `fused` is a graph with generated code in it. */
export const MODES = ['fused', 'graph', 'eager'] as const;
export type Mode = (typeof MODES)[number];

/** Graphs need the native backend, generated code its CPU, and XLA makes code of its own. */
export function defaultMode({ xla = false, fuse = true }: { xla?: boolean; fuse?: boolean } = {}): Mode {
  const native = nativeBackend();
  if (!native) return 'eager';
  return fuse && !xla && !native.isUsingGpuDevice ? 'fused' : 'graph';
}

/** Steps a call on a GPU. */
export const MANY = 64;

/**
 * On a GPU the host launches ops ahead of it, but waits for it at the end of each call; 64 steps of a millisecond or less
 * are a wait that is not felt, and progress four times an epoch. On the CPU a call costs under 1 % of a step, and one
 * step at a time shows progress and takes Ctrl-C at once.
 */
export function defaultStepsPerCall(mode: Mode): number {
  return mode !== 'eager' && nativeBackend()?.isUsingGpuDevice === true ? MANY : 1;
}

/** Two ways to run steps: op by op on any backend, or each as one graph on the native one. */
import * as tf from '@tensorflow/tfjs';
import { compileSteps, type StepDefinition } from '../graph/compile.js';
import { nativeBackend } from '../graph/binding.js';

export type Mode = 'eager' | 'graph';

export interface Runner<Name extends string> {
  /** The caller owns the outputs. */
  run: (step: Name, ...inputs: tf.Tensor[]) => tf.Tensor[];
  /** As many runs as the first axis of the inputs and outputs is long. */
  runMany: (step: Name, ...stacks: tf.Tensor[]) => tf.Tensor[];
  /** Makes the variables those of the moment; before, they may lag behind. */
  read: () => void;
  /** To be called after variables were assigned to outside the steps. */
  write: () => void;
  dispose: () => void;
}

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

export interface RunnerOptions {
  mode: Mode;
  variables: readonly tf.Variable[];
  /** In graph mode. */
  xla: boolean;
}

export async function openRunner<Name extends string>(
  steps: Readonly<Record<Name, StepDefinition>>,
  { mode, variables, xla }: RunnerOptions,
): Promise<Runner<Name>> {
  if (mode === 'eager') return eagerRunner(steps);
  return compileSteps(steps, { variables, xla });
}

function eagerRunner<Name extends string>(steps: Readonly<Record<Name, StepDefinition>>): Runner<Name> {
  const nothing = () => undefined;
  const run = (step: Name, ...inputs: tf.Tensor[]) => tf.tidy(() => steps[step].step(...inputs));
  const runMany = (step: Name, ...stacks: tf.Tensor[]) =>
    tf.tidy(() => {
      const inputs = stacks.map((stack) => tf.unstack(stack));
      const count = inputs[0]?.length ?? 0;
      const runs = Array.from({ length: count }, (_, i) => run(step, ...inputs.map((all) => all[i] as tf.Tensor)));
      return (runs[0] ?? []).map((_, output) => tf.stack(runs.map((outputs) => outputs[output] as tf.Tensor)));
    });
  return { run, runMany, read: nothing, write: nothing, dispose: nothing };
}

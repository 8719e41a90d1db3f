/** Two ways to run steps: op by op on any backend, or each as one graph on the native one. */
import * as tf from '@tensorflow/tfjs';
import { compileSteps, type StepDefinition } from '../graph/compile.js';
import { nativeBackend } from '../graph/native.js';

export type Mode = 'eager' | 'graph';

export interface Runner<Name extends string> {
  /** The caller owns the outputs. */
  run: (step: Name, ...inputs: tf.Tensor[]) => tf.Tensor[];
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

export async function openRunner<Name extends string>(
  mode: Mode,
  steps: Readonly<Record<Name, StepDefinition>>,
  variables: readonly tf.Variable[],
): Promise<Runner<Name>> {
  if (mode === 'eager') return eagerRunner(steps);
  return compileSteps(steps, { variables });
}

function eagerRunner<Name extends string>(steps: Readonly<Record<Name, StepDefinition>>): Runner<Name> {
  const nothing = () => undefined;
  const run = (step: Name, ...inputs: tf.Tensor[]) => tf.tidy(() => steps[step].step(...inputs));
  return { run, read: nothing, write: nothing, dispose: nothing };
}

/** Calls a recorded step again, on nothing: whether the graph is still what it would be. */
import * as tf from '@tensorflow/tfjs';
import { type NativeBackend, nativeTensor, withFunctions } from '../binding.js';
import type { Constant, Value } from '../graph.js';
import type { Written } from './rate.js';

/** Whether the nth values that a step writes may be others than the constant that the graph has. */
export type Accepted = (constant: Constant, written: Written, nth: number) => boolean;

/** Whether a step does the same as when it was recorded, but for what is accepted. */
export type Again = (accepted: Accepted) => boolean;

interface Given {
  readonly inputs: readonly Value[];
  readonly variables: ReadonlyMap<tf.Variable, Value>;
}

/** Inputs, and what variables have meanwhile. */
export type Tensors = readonly [readonly tf.Tensor[], ReadonlyMap<tf.Variable, tf.Tensor>];

/** Tensors that are gone stand for those that the step was recorded with: `replay` computes nothing. */
export function isStill(backend: NativeBackend, given: Given, replay: (tensors: Tensors) => void): boolean {
  const { binding } = backend;
  const gone = new Set([...given.inputs, ...given.variables.values()].map(({ id }) => id));
  backend.binding = withFunctions(binding, {
    deleteTensor: (id) => {
      if (!gone.has(id)) binding.deleteTensor(id);
    },
  });
  const inputs = given.inputs.map((value) => nativeTensor(backend, value));
  const variables = new Map([...given.variables].map(([one, value]) => [one, nativeTensor(backend, value)]));
  try {
    replay([inputs, variables]);
    return true;
  } catch {
    // Whatever it is, it comes again where the step is recorded or runs op by op.
    return false;
  } finally {
    tf.dispose([inputs, ...variables.values()]);
    backend.binding = binding;
  }
}

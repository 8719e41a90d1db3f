/** Why a step cannot be compiled, said in one form. */
import { type BnTrainError, cannot } from '../errors.js';

/** The hint for a variable that was forgotten. */
export const LIST_IT = "list it in variables; an optimizer's own are given by optimizerVariables(optimizer, trainable)";

/** "Cannot compile the step: expected a step of TensorFlow ops on its inputs and variables alone, got …". */
export function refuse(got: string, hint: string): BnTrainError {
  return cannot('compile the step', {
    expected: 'a step of TensorFlow ops on its inputs and variables alone',
    got,
    hint,
  });
}

/** For a step that is not the same at every call. */
export function differs(what: string): BnTrainError {
  return refuse(
    `${what} at a second call, as with randomness or a counter on the host`,
    'make what changes an input of the step; give a random op a seed',
  );
}

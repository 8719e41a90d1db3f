/** Why a step cannot be compiled, said in one form. */
import { type BnTrainError, cannot } from '../../common/errors.js';

/** The hint for a variable that was forgotten. */
export const LIST_IT = "list it in variables; an optimizer's own are given by optimizerVariables(optimizer, trainable)";

/** The hint for what a graph would repeat. */
export const FREEZE_HINT =
  'make what changes an input of the step; draw by random.generator(seed) of bn-train/graph; build layers before';

/** "Cannot compile the step: expected a step of TensorFlow ops on its inputs and variables alone, got …". */
export function refuse(got: string, hint: string, cause?: unknown): BnTrainError {
  return cannot('compile the step', {
    expected: 'a step of TensorFlow ops on its inputs and variables alone',
    got,
    hint,
    cause,
  });
}

/** For a step that is not the same at every call. */
export function differs(what: string): BnTrainError {
  return refuse(`${what} at a second call, as with a clock, a counter or randomness on the host`, FREEZE_HINT);
}

const perhapsDrawn = new WeakSet<object>();

/** For what may be right once layers draw in the graph: a draw on the host, a tensor from outside that is an old mask. */
export function unlessDrawn(refusal: BnTrainError): BnTrainError {
  perhapsDrawn.add(refusal);
  return refusal;
}

export function isUnlessDrawn(error: unknown): boolean {
  return error instanceof Error && perhapsDrawn.has(error);
}

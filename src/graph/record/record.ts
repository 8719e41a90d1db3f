/** Records a step: runs it once, for real, while every op that reaches TensorFlow is written down; then checks it. */
import * as tf from '@tensorflow/tfjs';
import type { Constant, Graph, Value } from '../graph.js';
import { guarded } from './guard.js';
import { aliasOf, type Binding, type NativeBackend, nativeValue } from '../binding.js';
import { differs, refuse } from './refusal.js';
import { Tape } from './tape.js';

/** Takes inputs, gives outputs; the variables that it assigns to are its state. */
export type StepFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

/** Shape and type of an input; a tensor has both. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

/**
 * The graph of `step`; its inputs are zeros while it is recorded, and so may be what it computes. Variables and tensors
 * are afterwards as they were.
 *
 * Throws a BnTrainError naming the op or the call for what a graph cannot hold: values read inside the step, tensors
 * made outside it, variables that are not declared, shapes that follow from values, and whatever differs between two
 * calls.
 */
export function record(
  backend: NativeBackend,
  step: StepFunction,
  signature: readonly InputSpec[],
  variables: readonly tf.Variable[],
): Graph {
  const inputs = signature.map(({ shape, dtype }) => tf.zeros([...shape], dtype));
  const standIns = new Map(variables.map((variable) => [variable, aliasOf(backend, variable)]));
  try {
    const given = inputs.map((tensor) => nativeValue(backend, tensor));
    const before = variables.map((variable) => nativeValue(backend, standIns.get(variable) as tf.Tensor));
    const tape = new Tape(backend, [...given, ...before]);
    const run = (binding: Binding) =>
      guarded(backend, { binding, variables: standIns, written: tape.written }, () => {
        const outputs = assertTensors(step(...inputs)).map((tensor) => nativeValue(backend, tensor));
        return { outputs, after: variables.map((variable) => nativeValue(backend, variable)) };
      });
    const { outputs, after } = run(tape.recorder());
    tape.assertKnown([...outputs, ...after]);
    // No op is run again: this only finds what differs.
    const again = run(tape.replayer());
    tape.assertReplayed();
    if (JSON.stringify(again) !== JSON.stringify({ outputs, after })) throw differs('other results');
    return { inputs: given, variables: before, outputs, updates: updated(before, after), ...contents(tape) };
  } finally {
    tf.dispose([inputs, ...standIns.values()]);
  }
}

function assertTensors(outputs: unknown): tf.Tensor[] {
  if (Array.isArray(outputs) && outputs.every((output): output is tf.Tensor => output instanceof tf.Tensor))
    return outputs;
  if (!(outputs instanceof Promise)) throw refuse('a step that returns something else than tensors', RETURN_TENSORS);
  // Whatever becomes of it, it is refused here.
  outputs.catch(() => undefined);
  throw refuse('an async function', `${RETURN_TENSORS}, and await outside`);
}

const RETURN_TENSORS = 'return an array of tensors, such as [loss]';

function updated(before: readonly Value[], after: readonly Value[]): Map<number, Value> {
  return new Map([...after.entries()].filter(([i, { id }]) => id !== before[i]?.id));
}

function contents(tape: Tape): Pick<Graph, 'constants' | 'nodes'> {
  const constants = new Map<number, Constant>();
  for (const { constant } of tape.entries) if (constant) constants.set(constant.id, constant);
  return { constants, nodes: tape.entries.flatMap(({ node }) => node ?? []) };
}

/** Records a step: runs it once, for real, while every op that reaches TensorFlow is written down; then checks it. */
import * as tf from '@tensorflow/tfjs';
import { DTYPE, type Graph, sizeOf, type Value } from '../graph.js';
import { guarded } from './guard.js';
import { aliasOf, type Binding, execute, type NativeBackend, nativeValue } from '../binding.js';
import type { Draws } from './layers.js';
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
 * The graph of `step`, in which layers may draw by `draws`, whose state is among the variables. Its inputs are
 * zeros while it is recorded, and so may be what it computes. Variables and tensors are afterwards as they were.
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
  draws?: Draws,
): Graph {
  const inputs = tf.tidy(() => signature.map(({ shape, dtype }) => tf.zeros([...shape], dtype)));
  const standIns = new Map<tf.Variable, tf.Tensor>();
  try {
    for (const variable of new Set(variables)) standIns.set(variable, aliasOf(backend, variable));
    const given = inputs.map((tensor) => nativeValue(backend, tensor));
    const before = variables.map((variable) => nativeValue(backend, standIns.get(variable) as tf.Tensor));
    const tape = new Tape(backend, [...given, ...before]);
    const run = (binding: Binding, { isReplay }: { isReplay: boolean }) =>
      guarded(backend, { binding, variables: standIns, written: tape.written, draws, isReplay }, () => {
        const outputs = assertTensors(step(...inputs)).map((tensor) => nativeValue(backend, tensor));
        return { outputs, after: variables.map((variable) => nativeValue(backend, variable)) };
      });
    const { outputs, after } = run(tape.recorder(leanBinding(backend.binding)), { isReplay: false });
    tape.assertKnown([...outputs, ...after]);
    // No op is run again: this only finds what differs.
    const again = run(tape.replayer(), { isReplay: true });
    tape.assertReplayed();
    if (JSON.stringify(again) !== JSON.stringify({ outputs, after })) throw differs('other results');
    return { inputs: given, variables: before, outputs, updates: updated(before, after), ...tape.contents() };
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

/** Elements; smaller results are worth less than the calls that would free them. */
const LARGE = 2 ** 14;

/**
 * Frees each large float32 result as soon as its shape is known, and has zeros of that shape read in its place: a step
 * that is recorded takes the memory of its largest op instead of that of the whole step. `deleteTensor` may still be
 * called on what is gone. Integers stay as they are, as they may be positions.
 */
export function leanBinding(binding: Binding): Pick<Binding, 'executeOp' | 'deleteTensor'> {
  const gone = new Map<number, readonly number[]>();
  return {
    executeOp: (op, attributes, inputs, count) => {
      const zeros = new Map<number, number>();
      try {
        for (const id of inputs) {
          const shape = gone.get(id);
          if (shape && !zeros.has(id)) zeros.set(id, fillZeros(binding, shape));
        }
        const read = inputs.map((id) => zeros.get(id) ?? id);
        const outputs = binding.executeOp(op, attributes, read, count);
        for (const { id, shape } of outputs.filter(isLarge)) {
          binding.deleteTensor(id);
          gone.set(id, shape);
        }
        return outputs;
      } finally {
        for (const id of zeros.values()) binding.deleteTensor(id);
      }
    },
    deleteTensor: (id) => {
      if (!gone.has(id)) binding.deleteTensor(id);
    },
  };
}

function isLarge({ shape, dtype }: Value): boolean {
  return dtype === DTYPE.float32 && sizeOf(shape) >= LARGE;
}

function fillZeros(binding: Binding, shape: readonly number[]): number {
  const dims = binding.createTensor([shape.length], DTYPE.int32, Int32Array.from(shape));
  const zero = binding.createTensor([], DTYPE.float32, Float32Array.of(0));
  const { id } = execute(binding, 'Fill', { T: DTYPE.float32, index_type: DTYPE.int32 }, [dims, zero]);
  for (const input of [dims, zero]) binding.deleteTensor(input);
  return id;
}

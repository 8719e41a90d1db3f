/** Records a step: runs it once, for real, while every op that reaches TensorFlow is written down; then checks it. */
import * as tf from '@tensorflow/tfjs';
import { DTYPE, type Graph, sizeOf, type Value } from '../graph.js';
import { assertTensors, guarded } from './guard.js';
import { aliasOf, type Binding, execute, type NativeBackend, nativeValue } from '../binding.js';
import { type Accepted, type Again, isStill, type Tensors } from './again.js';
import type { Draws } from './layers.js';
import type { StandIns } from './rate.js';
import { differs } from './refusal.js';
import { type Executor, Tape } from './tape.js';

/** Takes inputs, gives outputs; the variables that it assigns to are its state. */
export type StepFunction = (...inputs: tf.Tensor[]) => tf.Tensor[];

/** Shape and type of an input; a tensor has both. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

export interface RecordedGraph extends Graph {
  readonly again: Again;
}

interface Given {
  draws?: Draws | undefined;
  /** Their variables are among those of the step. */
  standIns?: readonly StandIns[];
}

/**
 * The graph of `step`, in which layers may draw by `draws`. Its inputs are zeros while it is recorded, and so may be what
 * it computes. Variables and tensors are afterwards as they were.
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
  { draws, standIns = [] }: Given = {},
): RecordedGraph {
  const inputs = tf.tidy(() => signature.map(({ shape, dtype }) => tf.zeros([...shape], dtype)));
  const aliases = new Map<tf.Variable, tf.Tensor>();
  try {
    for (const variable of new Set(variables)) aliases.set(variable, aliasOf(backend, variable));
    const given = inputs.map((tensor) => nativeValue(backend, tensor));
    const before = variables.map((variable) => nativeValue(backend, aliases.get(variable) as tf.Tensor));
    const tape = new Tape(backend, [...given, ...before], (...written) => {
      const by = standIns.map((those) => those.standsFor(...written)).find((variable) => variable !== undefined);
      return by && before[variables.indexOf(by)]?.id;
    });
    const run = (binding: Binding, [tensors, values]: Tensors, { isReplay }: { isReplay: boolean }) =>
      guarded(backend, { binding, variables: values, written: tape.written, draws, isReplay }, () => {
        // Clones: a step may dispose of what it is given, as a stock kernel does.
        const outputs = assertTensors(step(...tensors.map((tensor) => tensor.clone()))).map((tensor) =>
          nativeValue(backend, tensor),
        );
        return { outputs, after: variables.map((variable) => nativeValue(backend, variable)) };
      });
    const executor = leanBinding(backend.binding, [...given, ...before]);
    const results = run(tape.recorder(executor), [inputs, aliases], { isReplay: false });
    const { outputs, after } = results;
    tape.assertKnown([...outputs, ...after]);
    // No op is run again: this only finds what differs.
    const replay = (all: Tensors, accepted?: Accepted) => {
      const others = run(tape.replayer(accepted), all, { isReplay: true });
      tape.assertReplayed();
      if (JSON.stringify(others) !== JSON.stringify(results)) throw differs('other results');
    };
    replay([inputs, aliases]);
    const values = new Map(variables.map((variable, i) => [variable, before[i] as Value]));
    const again: Again = (accepted) =>
      isStill(backend, { inputs: given, variables: values }, (all) => replay(all, accepted));
    return { inputs: given, variables: before, outputs, updates: updated(before, after), ...tape.contents(), again };
  } finally {
    tf.dispose([inputs, ...aliases.values()]);
  }
}

function updated(before: readonly Value[], after: readonly Value[]): Map<number, Value> {
  return new Map([...after.entries()].filter(([i, { id }]) => id !== before[i]?.id));
}

/** Elements; smaller results are worth less than the calls that would free them. */
const LARGE = 2 ** 14;

/** What computed integers are taken for, one after the other, until an op works: no divisor is 0, and no position too far. */
const INTEGERS = [undefined, 1, 0];

/** Of so many elements a constant may say which shape a result has, as axes do. */
const SMALL = 16;

/** Ids of values that never were; TensorFlow's count from 0. */
const MADE_UP = 2 ** 30;

/**
 * Executes for the sake of shapes, with whatever values an op takes; not again what was asked of values of the same shapes
 * before, as every time step of a sequence does.
 *
 * It frees each large float32 result as soon as its shape is known, and has zeros of that shape read in its place: a step
 * that is recorded takes the memory of its largest op instead of that of the whole step. `deleteTensor` may still be
 * called on what is gone.
 */
export function leanBinding(binding: Binding, given: readonly Value[]): Executor {
  const gone = new Map<number, Value>();
  const integers = new Map(given.filter(isInteger).map((value) => [value.id, value]));
  /** All that the shapes of results may follow from; of integers that are computed, or are many, that is not known. */
  const known = new Map<number, string>();
  const results = new Map<string, readonly Value[]>();
  let madeUp = MADE_UP;
  const learn = (value: Value, values?: ArrayLike<number>) => {
    const { id, dtype, shape } = value;
    const few = values && values.length <= SMALL ? Array.from(values) : undefined;
    if (few ?? isMeasured(value)) known.set(id, JSON.stringify([dtype, shape, few]));
  };
  for (const value of given) learn(value);
  const attempt: Binding['executeOp'] = (op, attributes, inputs, count) => {
    const lenient = attributes.map((one) => (one.name === 'validate_indices' ? { ...one, value: false } : one));
    let failure: unknown;
    for (const integer of INTEGERS) {
      const standIns = new Map<number, number>();
      try {
        for (const id of new Set(inputs)) {
          const [large, computed] = [gone.get(id), integers.get(id)];
          if (large) standIns.set(id, fill(binding, large, 0));
          if (computed && integer !== undefined) standIns.set(id, fill(binding, computed, integer));
        }
        const read = inputs.map((id) => standIns.get(id) ?? id);
        return binding.executeOp(op, lenient, read, count);
      } catch (error) {
        failure ??= error;
      } finally {
        for (const id of standIns.values()) binding.deleteTensor(id);
      }
    }
    throw failure;
  };
  const again = (result: readonly Value[]) => {
    const outputs = result.map(({ shape, dtype }) => ({ id: madeUp++, shape: [...shape], dtype }));
    for (const output of outputs) gone.set(output.id, output);
    return outputs;
  };
  const first: Binding['executeOp'] = (...asked) => {
    const outputs = attempt(...asked);
    for (const output of outputs)
      if (isInteger(output)) integers.set(output.id, output);
      else if (isLarge(output)) {
        binding.deleteTensor(output.id);
        gone.set(output.id, output);
      }
    return outputs;
  };
  return {
    createTensor: (shape, dtype, values) => {
      const id = binding.createTensor(shape, dtype, values);
      learn({ id, shape, dtype }, values as Float32Array);
      return id;
    },
    executeOp: (op, attributes, inputs, count) => {
      const from = inputs.map((id) => known.get(id));
      const key = from.includes(undefined) ? undefined : JSON.stringify([op, attributes, from, count]);
      const before = key === undefined ? undefined : results.get(key);
      const outputs = before ? again(before) : first(op, attributes, inputs, count);
      if (key !== undefined && outputs.every(isMeasured)) results.set(key, outputs);
      for (const output of outputs) learn(output);
      return outputs;
    },
    deleteTensor: (id) => {
      if (!gone.has(id)) binding.deleteTensor(id);
    },
  };
}

const isInteger = ({ dtype }: Value) => dtype === DTYPE.int32;
/** No shape follows from its elements. */
const isMeasured = ({ dtype }: Value) => dtype === DTYPE.float32 || dtype === DTYPE.bool;
const isLarge = ({ shape, dtype }: Value) => dtype === DTYPE.float32 && sizeOf(shape) >= LARGE;

/** One value all over. */
function fill(binding: Binding, { shape, dtype }: Value, value: number): number {
  const dims = binding.createTensor([shape.length], DTYPE.int32, Int32Array.from(shape));
  const list = dtype === DTYPE.float32 ? Float32Array : dtype === DTYPE.bool ? Uint8Array : Int32Array;
  const one = binding.createTensor([], dtype, list.of(value));
  const { id } = execute(binding, 'Fill', { T: dtype, index_type: DTYPE.int32 }, [dims, one]);
  for (const input of [dims, one]) binding.deleteTensor(input);
  return id;
}

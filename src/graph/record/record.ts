/** Records a step: runs it once, for real, while every op that reaches TensorFlow is written down; then checks it. */
import * as tf from '@tensorflow/tfjs';
import { DTYPE, type Graph, sizeOf, type Value } from '../graph.js';
import { guarded } from './guard.js';
import { aliasOf, type Binding, execute, type NativeBackend, nativeValue } from '../binding.js';
import { Exchange } from './host.js';
import { type Accepted, type Again, isStill } from './again.js';
import type { Draws } from './layers.js';
import type { StandIns } from './rate.js';
import { differs, refuse } from './refusal.js';
import { Tape } from './tape.js';

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
    const run: Run = (binding, [tensors, values], { isReplay }) =>
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
    replay(tape, { run, results }, [inputs, aliases]);
    const updates = updated(before, after);
    const again: Again = (accepted) =>
      isStill(
        backend,
        { inputs: given, variables: new Map(variables.map((one, i) => [one, before[i] as Value])) },
        (all) => replay(tape, { run, results }, all, accepted),
      );
    return { inputs: given, variables: before, outputs, updates, ...tape.contents(), again };
  } finally {
    tf.dispose([inputs, ...aliases.values()]);
  }
}

type Tensors = readonly [inputs: readonly tf.Tensor[], variables: ReadonlyMap<tf.Variable, tf.Tensor>];
type Run = (binding: Binding, given: Tensors, as: { isReplay: boolean }) => { outputs: Value[]; after: Value[] };

/** Runs no op: it only throws for what differs. */
function replay(
  tape: Tape,
  { run, results }: { run: Run; results: ReturnType<Run> },
  given: Tensors,
  accepted?: Accepted,
): void {
  const again = run(tape.replayer(accepted), given, { isReplay: true });
  tape.assertReplayed();
  if (JSON.stringify(again) !== JSON.stringify(results)) throw differs('other results');
}

/** A step, and how many steps of its own each optimizer took in its last call, which the optimizer does not count. */
export function countingSteps(step: StepFunction): { step: StepFunction; taken: ReadonlyMap<tf.Optimizer, number> } {
  const taken = new Map<tf.Optimizer, number>();
  const counting: StepFunction = (...inputs) => {
    const host = new Exchange();
    taken.clear();
    // Each of tfjs's optimizers calls it at the end of a step.
    host.put(tf.Optimizer.prototype, 'incrementIterations', function (this: tf.Optimizer) {
      taken.set(this, (taken.get(this) ?? 0) + 1);
    });
    try {
      return step(...inputs);
    } finally {
      host.putBack();
    }
  };
  return { step: counting, taken };
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

/** What computed integers are taken for, one after the other, until an op works: no divisor is 0, and no position too far. */
const INTEGERS = [undefined, 1, 0];

/**
 * Executes for the sake of shapes, with whatever values an op takes.
 *
 * It frees each large float32 result as soon as its shape is known, and has zeros of that shape read in its place: a step
 * that is recorded takes the memory of its largest op instead of that of the whole step. `deleteTensor` may still be
 * called on what is gone.
 */
export function leanBinding(binding: Binding, given: readonly Value[]): Pick<Binding, 'executeOp' | 'deleteTensor'> {
  const gone = new Map<number, Value>();
  const integers = new Map(given.filter(isInteger).map((value) => [value.id, value]));
  const attempt: Binding['executeOp'] = (op, attributes, inputs, count) => {
    const lenient = attributes.map((one) => (one.name === 'validate_indices' ? { ...one, value: false } : one));
    let failure: unknown;
    for (const integer of INTEGERS) {
      const standIns = new Map<number, number>();
      try {
        for (const id of new Set(inputs)) {
          const [large, computed] = [gone.get(id), integers.get(id)];
          if (large) standIns.set(id, fill(binding, large, Float32Array.of(0)));
          if (computed && integer !== undefined) standIns.set(id, fill(binding, computed, Int32Array.of(integer)));
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
  return {
    executeOp: (...asked) => {
      const outputs = attempt(...asked);
      for (const output of outputs)
        if (isInteger(output)) integers.set(output.id, output);
        else if (isLarge(output)) {
          binding.deleteTensor(output.id);
          gone.set(output.id, output);
        }
      return outputs;
    },
    deleteTensor: (id) => {
      if (!gone.has(id)) binding.deleteTensor(id);
    },
  };
}

const isInteger = ({ dtype }: Value) => dtype === DTYPE.int32;
const isLarge = ({ shape, dtype }: Value) => dtype === DTYPE.float32 && sizeOf(shape) >= LARGE;

/** One value all over. */
function fill(binding: Binding, { shape, dtype }: Value, value: Float32Array | Int32Array): number {
  const dims = binding.createTensor([shape.length], DTYPE.int32, Int32Array.from(shape));
  const one = binding.createTensor([], dtype, value);
  const { id } = execute(binding, 'Fill', { T: dtype, index_type: DTYPE.int32 }, [dims, one]);
  for (const input of [dims, one]) binding.deleteTensor(input);
  return id;
}

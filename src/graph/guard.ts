/** While a step is recorded: another binding under tfjs, no reading of values, and all as it was when the step is over. */
import * as tf from '@tensorflow/tfjs';
import type { Binding, NativeBackend } from './native.js';
import { LIST_IT, refuse } from './refusal.js';

export interface Guarded {
  binding: Binding;
  /** Those that the step may assign to. */
  variables: readonly tf.Variable[];
  /** Gets every array of values that becomes a tensor during the step. */
  written: WeakSet<object>;
}

/** Runs `action` on the replacement binding. Variables are put back, and tensors that the action kept are disposed of. */
export function guarded<T>(backend: NativeBackend, { binding, variables, written }: Guarded, action: () => T): T {
  const original = backend.binding;
  const before = new Map(registeredVariables().map((variable) => [variable, variable.clone()]));
  const kept = new Set<tf.Tensor>();
  const { readSync, write, keep } = hooks(backend, written, (tensor) => kept.add(tensor));
  backend.binding = binding;
  Object.assign(backend, { readSync, write });
  Object.assign(tf.engine(), { keep });
  const random = Math.random;
  // tfjs draws its seeds and numbers from here; a graph would repeat them.
  Math.random = () => {
    throw refuse('randomness on the host (Math.random)', 'make it an input of the step; give a random op a seed');
  };
  try {
    const result = tf.tidy(action as unknown as () => tf.TensorContainer) as T;
    assertDeclared(before, new Set(variables));
    return result;
  } finally {
    Math.random = random;
    putBack(before);
    for (const tensor of kept) if (!tensor.isDisposed) tensor.dispose();
    backend.binding = original;
    for (const name of ['readSync', 'write']) Reflect.deleteProperty(backend, name);
    Reflect.deleteProperty(tf.engine(), 'keep');
    for (const old of before.values()) old.dispose();
  }
}

function hooks(backend: NativeBackend, written: WeakSet<object>, onKeep: (tensor: tf.Tensor) => void) {
  const engine = tf.engine();
  const firstId = tf.tidy(() => tf.scalar(0).id);
  const [keep, write, read] = [engine.keep.bind(engine), backend.write.bind(backend), backend.readSync.bind(backend)];
  return {
    keep: <T extends tf.Tensor>(tensor: T): T => {
      if (tensor.id > firstId) onKeep(tensor);
      return keep(tensor);
    },
    write: (...given: Parameters<typeof write>): object => {
      written.add(given[0]);
      return write(...given);
    },
    readSync: (dataId: object): ReturnType<typeof read> => {
      // tfjs itself looks at tensors that it has just made, such as axes; any others would be frozen.
      const { values } = backend.tensorMap.get(dataId);
      if (values !== null && written.has(values)) return read(dataId);
      throw refuse("a read of a tensor's values (data, dataSync, array or print)", 'return the tensor instead');
    },
  };
}

export function registeredVariables(): tf.Variable[] {
  return Object.values(tf.engine().state.registeredVariables);
}

function assertDeclared(before: Map<tf.Variable, tf.Tensor>, declared: Set<tf.Variable>): void {
  for (const variable of registeredVariables()) {
    const old = before.get(variable);
    if (!old || (old.dataId !== variable.dataId && !declared.has(variable)))
      throw refuse(
        `the variable ${variable.name}, which it ${old ? 'assigns to' : 'makes'} but does not declare`,
        LIST_IT,
      );
  }
}

function putBack(before: Map<tf.Variable, tf.Tensor>): void {
  for (const variable of registeredVariables()) {
    const old = before.get(variable);
    if (!old) variable.dispose();
    else if (old.dataId !== variable.dataId) variable.assign(old);
  }
}

/** While a step is recorded: another binding under tfjs, no reading of values, and all as it was when the step is over. */
import * as tf from '@tensorflow/tfjs';
import type { Binding, NativeBackend } from '../binding.js';
import { Exchange, exchangeHost, refuseDraw } from './host.js';
import type { Draws } from './layers.js';
import { LIST_IT, refuse } from './refusal.js';

export interface Guarded {
  binding: Binding;
  /** What the step may read and assign to, and the value that each has meanwhile. */
  variables: ReadonlyMap<tf.Variable, tf.Tensor>;
  /** Gets every array of values that becomes a tensor during the step. */
  written: WeakSet<object>;
  /** Without, layers may not draw. */
  draws: Draws | undefined;
  /** Whether this is the second run, which only finds what differs. */
  isReplay: boolean;
}

let recording = false;

/** Whether a step is being recorded, or a gradient is to be taken of what is computed. */
export const isWatched = () => recording || tf.engine().state.gradientDepth > 0;

/** Runs `action` on the replacement binding. Variables are put back, and tensors that the action kept are disposed of. */
export function guarded<T>(backend: NativeBackend, given: Guarded, action: () => T): T {
  const { binding, variables, written, draws } = given;
  const original = backend.binding;
  const before = new Map(registeredVariables().map((variable) => [variable, variable.clone()]));
  const hooks = new Hooks(backend, written);
  const host = new Exchange();
  try {
    recording = true;
    draws?.exchange(host);
    exchangeHost(host, given);
    for (const [variable, value] of variables) variable.assign(value);
    backend.binding = binding;
    hooks.set();
    const result = tf.tidy(action as unknown as () => tf.TensorContainer) as T;
    if (hooks.refusal) throw hooks.refusal;
    assertDeclared(before, variables);
    return result;
  } finally {
    recording = false;
    host.putBack();
    putBack(before);
    for (const tensor of hooks.kept) if (!tensor.isDisposed) tensor.dispose();
    backend.binding = original;
    hooks.unset();
    for (const old of before.values()) old.dispose();
  }
}

const DRAWING = /^(rand\w*|truncatedNormal)__op$/;
const DROPPING = /^(dropout)__op$/;

/** What tfjs calls on its way to a tensor's values, watched. */
class Hooks {
  readonly kept = new Set<tf.Tensor>();
  /** For a read that could not be refused where it was made. */
  refusal: Error | undefined;
  private readonly firstId = tf.tidy(() => tf.scalar(0).id);
  private readonly gather = tf.getKernel('GatherV2', 'tensorflow');
  private readonly stockGather = this.gather.kernelFunc;
  /** Indices that a kernel looks at for nothing but their bounds, which the graph checks when it runs. */
  private indices: object | undefined;

  constructor(
    private readonly backend: NativeBackend,
    private readonly written: WeakSet<object>,
  ) {}

  set(): void {
    const { backend, written } = this;
    const engine = tf.engine();
    const [keep, write, read] = [engine.keep.bind(engine), backend.write.bind(backend), backend.readSync.bind(backend)];
    const startScope = engine.startScope.bind(engine);
    Object.assign(engine, {
      // Each function of tfjs begins with it. Those that draw do so on the host, and with a seed the same every time.
      startScope: (name?: string) => {
        const [, drawing] = DRAWING.exec(name ?? '') ?? [];
        const [, dropping] = DROPPING.exec((engine.state.activeScope as { name?: string } | null)?.name ?? '') ?? [];
        if (drawing !== undefined) throw refuseDraw(`tf.${dropping ?? drawing}`);
        startScope(name);
      },
      keep: <T extends tf.Tensor>(tensor: T): T => {
        if (tensor.id > this.firstId) this.kept.add(tensor);
        return keep(tensor);
      },
    });
    Object.assign(backend, {
      write: (...given: Parameters<typeof write>) => {
        written.add(given[0]);
        return write(...given);
      },
      readSync: (dataId: object) => {
        // tfjs itself looks at tensors that it has just made, such as axes; any others would be frozen.
        const { values } = backend.tensorMap.get(dataId);
        if (values !== null && written.has(values)) return read(dataId);
        if (dataId === this.indices) return new Int32Array();
        throw refuseRead();
      },
      // A rejection might be seen by nobody, and the step would go on later: it never settles.
      read: () => {
        this.refusal ??= refuseRead();
        return new Promise(() => undefined);
      },
    });
    this.gather.kernelFunc = (given) => {
      this.indices = given.inputs['indices']?.dataId;
      try {
        return this.stockGather(given);
      } finally {
        this.indices = undefined;
      }
    };
  }

  unset(): void {
    this.gather.kernelFunc = this.stockGather;
    for (const name of ['readSync', 'read', 'write']) Reflect.deleteProperty(this.backend, name);
    for (const name of ['keep', 'startScope']) Reflect.deleteProperty(tf.engine(), name);
  }
}

function refuseRead(): Error {
  return refuse("a read of a tensor's values (data, dataSync, array or print)", 'return the tensor instead');
}

export function registeredVariables(): tf.Variable[] {
  return Object.values(tf.engine().state.registeredVariables);
}

/** `before`: the value that each variable had; of one that is not declared it is still its own. */
function assertDeclared(before: Map<tf.Variable, tf.Tensor>, declared: ReadonlyMap<tf.Variable, unknown>): void {
  for (const variable of registeredVariables()) {
    const old = before.get(variable);
    if (!old)
      throw refuse(
        `the variable ${variable.name}, which it makes at its first call`,
        `call it once, or build the layer, before compiling, and ${LIST_IT}`,
      );
    if (old.dataId !== variable.dataId && !declared.has(variable))
      throw refuse(`the variable ${variable.name}, which it assigns to but does not declare`, LIST_IT);
  }
}

function putBack(before: Map<tf.Variable, tf.Tensor>): void {
  for (const variable of registeredVariables()) {
    const old = before.get(variable);
    if (!old) variable.dispose();
    else if (old.dataId !== variable.dataId) variable.assign(old);
  }
}

/** Throws where these are no outputs of a step. */
export function assertTensors(outputs: unknown): tf.Tensor[] {
  if (Array.isArray(outputs) && outputs.every((output): output is tf.Tensor => output instanceof tf.Tensor))
    return outputs;
  if (!(outputs instanceof Promise)) throw refuse('a step that returns something else than tensors', RETURN_TENSORS);
  // Whatever becomes of it, it is refused here.
  outputs.catch(() => undefined);
  throw refuse('an async function', `${RETURN_TENSORS}, and await outside`);
}

const RETURN_TENSORS = 'return an array of tensors, such as [loss]';

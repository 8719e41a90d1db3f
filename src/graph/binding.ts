/** What this project uses of TensorFlow's native backend beneath tfjs: its binding, typed, and sessions on graphs. */
import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot, messageOf } from '../common/errors.js';
import { temporaryFolder } from '../common/files.js';
import { toType } from '../common/invocation.js';
import { DTYPE, type Value } from './graph.js';

export interface OpAttribute {
  readonly name: string;
  /** One of the binding's TF_ATTR_ constants. */
  readonly type: number;
  readonly value: unknown;
}

/** The addon's own functions; constants are TensorFlow's enums. */
export interface Binding {
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_UINT8: number;
  readonly TF_INT64: number;
  createTensor: (shape: number[], dtype: number, values: ArrayBufferView) => number;
  deleteTensor: (id: number) => void;
  executeOp: (op: string, attributes: OpAttribute[], inputs: number[], outputs: number) => Value[];
  loadSavedModel: (folder: string, tags: string) => number;
  /** Names are separated by commas; every output is a new tensor. */
  runSavedModel: (session: number, inputs: number[], inputNames: string, outputNames: string) => Value[];
  deleteSavedModel: (session: number) => void;
}

/** What the backend knows of a tensor's data: its native id, or values that are not uploaded yet, when the id is -1. */
export interface DataRecord {
  id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly values: ArrayBufferView | null;
  /** How many tensors share it. */
  refCount: number;
}

export interface NativeBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
  binding: Binding;
  readonly tensorMap: { get: (dataId: object) => DataRecord; set: (dataId: object, record: DataRecord) => void };
  getInputTensorIds: (tensors: tf.Tensor[]) => number[];
}

/** The native backend if it is the one in use, else undefined. */
export function nativeBackend(): NativeBackend | undefined {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as NativeBackend) : undefined;
}

/** The native backend. Throws a BnTrainError that says what was to be done, where another one is in use. */
export function requireNative(doing: string): NativeBackend {
  const backend = nativeBackend();
  if (backend) return backend;
  throw cannot(doing, {
    expected: 'the native backend',
    got: `the ${tf.getBackend()} backend`,
    hint: `await openBackend('native') first; ${toType('setup')} installs it`,
  });
}

/** The native value behind a tensor, uploaded first if it still waits on the host. */
export function nativeValue(backend: NativeBackend, tensor: tf.Tensor): Value {
  const [id = -1] = backend.getInputTensorIds([tensor]);
  const { dtype } = backend.tensorMap.get(tensor.dataId);
  return { id, shape: tensor.shape, dtype };
}

/** Runs an op with one output, a native tensor that the caller owns; of attributes it needs only those that name types. */
export function execute(binding: Binding, op: string, types: Record<string, number>, inputs: number[]): Value {
  const attributes = Object.entries(types).map(([name, value]) => ({ name, type: binding.TF_ATTR_TYPE, value }));
  return binding.executeOp(op, attributes, inputs, 1)[0] as Value;
}

/** The binding with some functions exchanged, as an object before it: the addon's own is read-only. */
export function withFunctions(binding: Binding, functions: Partial<Binding>): Binding {
  return Object.create(binding, Object.getOwnPropertyDescriptors(functions)) as Binding;
}

/** tfjs's names for TensorFlow's types. It has none for the others: such a tensor calls itself int32. */
const NAMED = new Map<number, tf.DataType>([
  [DTYPE.float32, 'float32'],
  [DTYPE.bool, 'bool'],
  [7, 'string'],
  [8, 'complex64'],
]);

/** A tensor of a native value, on the native backend even while another one is in use. */
export function nativeTensor(backend: NativeBackend, { id, shape, dtype }: Value): tf.Tensor {
  const dataId = {};
  backend.tensorMap.set(dataId, { id, shape, dtype, values: null, refCount: 1 });
  const info = { dataId, shape: [...shape], dtype: NAMED.get(dtype) ?? 'int32' };
  return tf.engine().makeTensorFromTensorInfo(info, backend);
}

/**
 * Gives a variable other data, as `assign` does, which would bring the data to whichever backend is in use. What shares
 * the old data keeps it.
 */
export function replaceData(backend: NativeBackend, variable: tf.Variable, record: DataRecord): void {
  const engine = tf.engine();
  engine.disposeTensor(variable);
  variable.dataId = {};
  backend.tensorMap.set(variable.dataId, record);
  engine.trackTensor(variable, backend);
}

/** The same value under a native id that nothing else has: in tfjs, clones and other variables may share a tensor's own. */
export function aliasOf(backend: NativeBackend, tensor: tf.Tensor): tf.Tensor {
  const { id, dtype } = nativeValue(backend, tensor);
  return nativeTensor(backend, execute(backend.binding, 'Identity', { T: dtype }, [id]));
}

function load({ binding }: NativeBackend, folder: string, tag: string): number {
  try {
    return binding.loadSavedModel(folder, tag);
  } catch (cause) {
    const [expected, hint] = ['a graph that TensorFlow takes', 'do without this op, or do it outside'];
    throw cannot('compile the step', { expected, got: whereFrom(cause), hint, cause });
  }
}

/** "GatherV2: indices[0] = 7 is not in [0, 7)", where TensorFlow names one of the graph's nodes. */
function whereFrom(error: unknown): string {
  const message = messageOf(error);
  const [, op] = /\/op\d+_(\w+)/.exec(message) ?? [];
  const [, reason = message] = /(?:with error|SavedModel): (.*?)\s*(?:\[\[|$)/s.exec(message) ?? [];
  return op === undefined ? reason : `${op}: ${reason}`;
}

function explained(cause: unknown): unknown {
  const message = messageOf(cause);
  const [, op] = /unsupported operations .*?: (\w+) \(No registered/s.exec(message) ?? [];
  if (op !== undefined)
    return cannot('compile the step with XLA', { expected: 'ops that it has', got: op, hint: XLA_HINT, cause });
  if (!message.startsWith('Session fail')) return cause;
  const [expected, hint] = ['values that its ops take', 'look at its inputs: op by op it fails for them, too'];
  return cannot('run the compiled step', { expected, got: whereFrom(cause), hint, cause });
}

export const XLA_HINT = 'leave xla out for this step';

/** A TensorFlow session that holds a SavedModel's graphs and their variables. */
export class Session {
  /** The addon's own, which works while a step is recorded, too. */
  private readonly binding: Binding;

  private constructor(
    private readonly backend: NativeBackend,
    private readonly id: number,
  ) {
    this.binding = backend.binding;
  }

  /** Opens a session on the bytes of a saved_model.pb; nothing is left on disk. */
  static open(backend: NativeBackend, savedModel: Uint8Array, tag: string): Session {
    const folder = temporaryFolder();
    try {
      writeFileSync(path.join(folder, 'saved_model.pb'), savedModel);
      return new Session(backend, load(backend, folder, tag));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** New tensors, which the caller owns, of what nothing needs to be fed for; while a step is recorded, too. */
  fetch(names: readonly string[]): Value[] {
    return this.binding.runSavedModel(this.id, [], '', listed(names));
  }

  /**
   * Feeds native tensors by name and fetches new ones, which the caller owns. Throws a BnTrainError naming the op that
   * fails, such as one that looks up a row that is not there; XLA compiles a graph when it first runs, and then lacks it.
   */
  run(feeds: ReadonlyMap<string, number>, fetches: readonly string[]): Value[] {
    try {
      return this.backend.binding.runSavedModel(this.id, [...feeds.values()], listed(feeds.keys()), listed(fetches));
    } catch (error) {
      throw explained(error);
    }
  }

  close(): void {
    this.binding.deleteSavedModel(this.id);
  }
}

function listed(names: Iterable<string>): string {
  return Array.from(names, (name) => `${name}:0`).join(',');
}

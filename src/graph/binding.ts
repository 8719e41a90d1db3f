/** What this project uses of TensorFlow's native backend beneath tfjs: its binding, typed. */
import * as tf from '@tensorflow/tfjs';

export interface OpAttribute {
  readonly name: string;
  /** One of the binding's TF_ATTR_ constants. */
  readonly type: number;
  readonly value: unknown;
}

export interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
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
  executeOp: (op: string, attributes: OpAttribute[], inputs: number[], outputs: number) => TensorMetadata[];
  loadSavedModel: (folder: string, tags: string) => number;
  /** Names are separated by commas; every output is a new tensor. */
  runSavedModel: (session: number, inputs: number[], inputNames: string, outputNames: string) => TensorMetadata[];
  deleteSavedModel: (session: number) => void;
}

/** What the backend knows of a tensor: its native id, or values that are not uploaded yet. */
interface TensorRecord {
  id: number;
  shape: number[];
  dtype: number;
  values: ArrayBufferView | null;
}

export interface NativeBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
  binding: Binding;
  readonly tensorMap: { get: (dataId: object) => TensorRecord };
  createOutputTensor: (metadata: TensorMetadata) => tf.Tensor;
  executeSingleOutput: (op: string, attributes: OpAttribute[], inputs: tf.Tensor[]) => tf.Tensor;
  getInputTensorIds: (tensors: tf.Tensor[]) => number[];
}

/** The native backend if it is the one in use, else undefined. */
export function nativeBackend(): NativeBackend | undefined {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as NativeBackend) : undefined;
}

/** The native value behind a tensor, uploaded first if it still waits on the host. */
export function nativeValue(backend: NativeBackend, tensor: tf.Tensor): TensorMetadata {
  const [id = -1] = backend.getInputTensorIds([tensor]);
  const { dtype } = backend.tensorMap.get(tensor.dataId);
  return { id, shape: tensor.shape, dtype };
}

/** A tensor of a native value. tfjs has no int64 and would say so: such a tensor calls itself int32. */
export function nativeTensor(backend: NativeBackend, { dtype, ...rest }: TensorMetadata): tf.Tensor {
  const { TF_INT64, TF_INT32 } = backend.binding;
  const tensor = backend.createOutputTensor({ ...rest, dtype: dtype === TF_INT64 ? TF_INT32 : dtype });
  backend.tensorMap.get(tensor.dataId).dtype = dtype;
  return tensor;
}

/** The same value under a native id that nothing else has: in tfjs, clones and other variables may share a tensor's own. */
export function aliasOf(backend: NativeBackend, tensor: tf.Tensor): tf.Tensor {
  const { id, dtype } = nativeValue(backend, tensor);
  const { binding } = backend;
  const [copy] = binding.executeOp('Identity', [{ name: 'T', type: binding.TF_ATTR_TYPE, value: dtype }], [id], 1);
  return nativeTensor(backend, copy as TensorMetadata);
}

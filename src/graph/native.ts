/** What this project uses of TensorFlow's native backend beneath tfjs: its binding, typed. */
import * as tf from '@tensorflow/tfjs';

export interface OpAttribute {
  name: string;
  type: number;
  value: unknown;
}

interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** The addon's own functions; constants are TensorFlow's enums. */
export interface Binding {
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_UINT8: number;
  createTensor(shape: number[], dtype: number, values: ArrayBufferView): number;
}

export interface NativeBackend extends tf.KernelBackend {
  readonly binding: Binding;
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.Tensor[]): tf.Tensor;
}

/** The native backend if it is the one in use, else undefined. */
export function nativeBackend(): NativeBackend | undefined {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as NativeBackend) : undefined;
}

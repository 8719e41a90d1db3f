/** Byte tensors: data kept as uint8 on the backend, a quarter of float32's memory, and read from there row by row. */
import * as tf from '@tensorflow/tfjs';
import { nativeBackend } from './native.js';

/**
 * Uploads bytes once. tfjs has no uint8, so the tensor calls itself int32; on the native backend TensorFlow holds bytes
 * all the same, and only `gatherBytes` may read it. Elsewhere it is an ordinary int32 tensor.
 */
export function byteTensor(bytes: Uint8Array, shape: number[]): tf.Tensor {
  const native = nativeBackend();
  if (!native) return tf.tensor(bytes, shape, 'int32');
  const { binding } = native;
  const id = binding.createTensor(shape, binding.TF_UINT8, bytes);
  return native.createOutputTensor({ id, shape, dtype: binding.TF_UINT8 });
}

/** Rows of a byte tensor, as float32 in [0, 255]: [rows.size, ...rest of its shape]. `rows` is int32 of rank 1. */
export function gatherBytes(bytes: tf.Tensor, rows: tf.Tensor1D): tf.Tensor {
  const native = nativeBackend();
  if (!native) return tf.tidy(() => bytes.gather(rows).toFloat());
  const { binding } = native;
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  return tf.tidy(() => {
    const axis = tf.scalar(0, 'int32');
    const gathered = native.executeSingleOutput(
      'GatherV2',
      [
        { name: 'batch_dims', type: binding.TF_ATTR_INT, value: 0 },
        type('Tparams', binding.TF_UINT8),
        type('Tindices', binding.TF_INT32),
        type('Taxis', binding.TF_INT32),
      ],
      [bytes, rows, axis],
    );
    const truncate = { name: 'Truncate', type: binding.TF_ATTR_BOOL, value: false };
    const types = [type('SrcT', binding.TF_UINT8), type('DstT', binding.TF_FLOAT), truncate];
    return native.executeSingleOutput('Cast', types, [gathered]);
  });
}

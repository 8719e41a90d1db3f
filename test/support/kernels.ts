/** Kernels of a backend, changed for a while. */
import * as tf from '@tensorflow/tfjs';

/** Runs `action` with another function for a kernel, made of the one that it has. */
export async function withKernel<T>(
  [kernelName, backend]: [kernelName: string, backend: string],
  change: (before: tf.KernelFunc) => tf.KernelFunc,
  action: () => T | Promise<T>,
): Promise<T> {
  const kernel = tf.getKernel(kernelName, backend);
  const before = kernel.kernelFunc;
  kernel.kernelFunc = change(before);
  try {
    return await action();
  } finally {
    kernel.kernelFunc = before;
  }
}

/** A kernel whose first output has its numbers changed: by a thousandth, or by one where they are whole. */
export function broken(before: tf.KernelFunc): tf.KernelFunc {
  return (given) => {
    const output = before(given) as tf.TensorInfo;
    const backend = given.backend as tf.KernelBackend;
    const { dataId, shape, dtype } = output;
    const values = Array.from(backend.readSync(dataId) as ArrayLike<number>, (value) =>
      dtype === 'float32' ? value * 1.001 : dtype === 'bool' ? 1 - value : value + 1,
    );
    return { dataId: backend.write(tf.tensor1d(values, dtype).dataSync(), shape, dtype), shape, dtype };
  };
}

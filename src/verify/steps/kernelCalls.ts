/** What a piece of work asks of a backend: each kernel that ran, with its inputs and outputs. */
import * as tf from '@tensorflow/tfjs';
import { fromTidy } from '../apply.js';

export interface Value {
  /** The same for all that share their numbers, as a tensor does with its reshaped self. */
  id: object;
  shape: number[];
  dtype: tf.DataType;
  numbers: Numbers;
}

export type Numbers = Float32Array | Int32Array | Uint8Array;

export type Attributes = Parameters<tf.KernelFunc>[0]['attrs'];

export interface Call {
  kernel: string;
  inputs: Record<string, Value>;
  attributes: Attributes;
  outputs: Value[];
}

/** Runs `work` on the backend in use and writes down its kernels, in order; not those that a kernel of its own calls. */
export function recordKernels<T>(work: () => T): { result: T; calls: Call[] } {
  const calls: Call[] = [];
  const kernels = tf.getKernelsForBackend(tf.getBackend());
  const stock = kernels.map(({ kernelFunc }) => kernelFunc);
  let depth = 0;
  for (const kernel of kernels) {
    const { kernelName, kernelFunc } = kernel;
    kernel.kernelFunc = (given) => {
      depth++;
      try {
        const outputs = kernelFunc(given);
        if (depth > 1) return outputs;
        // An input that was left out stands there as null or undefined.
        const inputs = Object.entries(given.inputs).flatMap(([name, input]) => (input ? [[name, valueOf(input)]] : []));
        calls.push({
          kernel: kernelName,
          inputs: Object.fromEntries(inputs) as Record<string, Value>,
          attributes: given.attrs,
          outputs: [outputs].flat().map(valueOf),
        });
        return outputs;
      } finally {
        depth--;
      }
    };
  }
  try {
    return { result: work(), calls };
  } finally {
    for (const [i, kernel] of kernels.entries()) kernel.kernelFunc = stock[i] as tf.KernelFunc;
  }
}

/** A tensor's identity and numbers. */
export function valueOf({ dataId, shape, dtype }: tf.TensorInfo): Value {
  return { id: dataId, shape, dtype, numbers: tf.backend().readSync(dataId) as Numbers };
}

/** The output of a kernel on the backend in use, for a call's inputs or what `change` makes of each of their numbers. */
export function rerun(call: Call, change?: (value: number, input: string) => number): Numbers {
  return fromTidy(() => {
    const inputs = Object.entries(call.inputs).map(([name, value]) => {
      const { numbers } = value;
      // Indices and conditions stay what they are.
      const changed = change && value.dtype === 'float32' ? numbers.map((number) => change(number, name)) : numbers;
      return [name, tensorOf({ ...value, numbers: changed })];
    });
    const result = tf.engine().runKernel(call.kernel, Object.fromEntries(inputs) as tf.NamedTensorMap, call.attributes);
    return (result as tf.Tensor).dataSync();
  });
}

/** A tensor on the backend in use. */
export function tensorOf({ numbers, shape, dtype }: Value): tf.Tensor {
  return tf.tensor(numbers, shape, dtype);
}

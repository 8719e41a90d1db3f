/** A binding that keeps no large results, for a run of which only the shapes matter. */
import { DTYPE, sizeOf } from '../graph.js';
import type { Binding, TensorMetadata } from '../binding.js';

/** Elements; smaller results are worth less than the calls that would free them. */
const LARGE = 2 ** 14;

/**
 * Frees each large float32 result as soon as its shape is known, and has zeros of that shape read in its place: a step
 * that is recorded takes the memory of its largest op instead of that of the whole step. `deleteTensor` may still be
 * called on what is gone. Integers stay as they are, as they may be positions.
 */
export function leanBinding(binding: Binding): Pick<Binding, 'executeOp' | 'deleteTensor'> {
  const gone = new Map<number, readonly number[]>();
  return {
    executeOp: (op, attributes, inputs, count) => {
      const zeros = new Map<number, number>();
      try {
        for (const id of inputs) {
          const shape = gone.get(id);
          if (shape && !zeros.has(id)) zeros.set(id, fillZeros(binding, shape));
        }
        const read = inputs.map((id) => zeros.get(id) ?? id);
        const outputs = binding.executeOp(op, attributes, read, count);
        for (const { id, shape } of outputs.filter(isLarge)) {
          binding.deleteTensor(id);
          gone.set(id, shape);
        }
        return outputs;
      } finally {
        for (const id of zeros.values()) binding.deleteTensor(id);
      }
    },
    deleteTensor: (id) => {
      if (!gone.has(id)) binding.deleteTensor(id);
    },
  };
}

function isLarge({ shape, dtype }: TensorMetadata): boolean {
  return dtype === DTYPE.float32 && sizeOf(shape) >= LARGE;
}

function fillZeros(binding: Binding, shape: readonly number[]): number {
  const [dims, zero] = [
    binding.createTensor([shape.length], DTYPE.int32, Int32Array.from(shape)),
    binding.createTensor([], DTYPE.float32, Float32Array.of(0)),
  ];
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const types = [type('T', DTYPE.float32), type('index_type', DTYPE.int32)];
  const [filled] = binding.executeOp('Fill', types, [dims, zero], 1);
  for (const id of [dims, zero]) binding.deleteTensor(id);
  return filled?.id ?? -1;
}

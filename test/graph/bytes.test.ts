import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type NativeBackend, nativeBackend, withFunctions } from '../../src/graph/binding.js';
import { ByteRows } from '../../src/graph/byteRows.js';

describe('ByteRows', () => {
  it.each([
    { name: 'a byte', shape: [] },
    { name: 'a whole number of words', shape: [4, 4] },
    { name: 'some words and a part of one', shape: [3, 5, 1] },
  ])('gives the rows asked for, in any order and twice, be each $name', ({ shape }) => {
    const [count, size] = [5, shape.reduce((product, length) => product * length, 1)];
    // Of an odd offset, as in a file behind its header.
    const bytes = Uint8Array.from({ length: 1 + count * size }, (_, i) => (i * 37) % 256).subarray(1);
    const data = new ByteRows(bytes, [count, ...shape]);
    const order = [4, 0, 4];
    const rows = tf.tidy(() => data.gather(tf.tensor1d(order, 'int32')));
    expect([rows.dtype, ...rows.shape]).toEqual(['float32', 3, ...shape]);
    expect([...rows.dataSync()]).toEqual(order.flatMap((row) => [...bytes.subarray(row * size, (row + 1) * size)]));
    rows.dispose();
    data.dispose();
  });

  // Where an array may be shared with TensorFlow, which takes whole words of a megabyte at an address of 64 bytes.
  const offsets = [0, 16, 32, 48];
  const [rows, size] = [1 << 17, 8];

  it('keeps its rows where their memory is sent to another thread', () => {
    for (const offset of offsets) {
      const buffer = new ArrayBuffer(offset + rows * size);
      const data = new ByteRows(new Uint8Array(buffer, offset).fill(7), [rows, size]);
      try {
        structuredClone(buffer, { transfer: [buffer] });
      } catch (error) {
        // Older Node copies instead.
        expect(error).toMatchObject({ name: 'DataCloneError' });
      }
      expect(buffer.byteLength).toBe(offset + rows * size);
      data.dispose();
    }
  });

  it('has rows of its own where their memory may shrink', () => {
    for (const offset of offsets) {
      const length = offset + rows * size;
      const buffer = Reflect.construct(ArrayBuffer, [length, { maxByteLength: length }]) as ArrayBuffer;
      const bytes = new Uint8Array(buffer, offset).fill(7);
      const data = new ByteRows(bytes, [rows, size]);
      bytes.fill(9);
      const last = tf.tidy(() => data.gather(tf.tensor1d([rows - 1], 'int32')).dataSync());
      expect([...last]).toEqual(Array.from({ length: size }, () => 7));
      data.dispose();
    }
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    const data = new ByteRows(new Uint8Array(30), [2, 15]);
    tf.tidy(() => void data.gather(tf.tensor1d([1], 'int32')));
    data.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('frees what it has made when a later op fails', () => {
    const backend = nativeBackend() as NativeBackend;
    const { binding } = backend;
    const data = new ByteRows(new Uint8Array(30), [2, 15]);
    const alive = new Set<number>();
    backend.binding = withFunctions(binding, {
      executeOp: (op, ...rest) => {
        if (op === 'Cast') throw new Error('no memory left');
        const outputs = binding.executeOp(op, ...rest);
        for (const { id } of outputs) alive.add(id);
        return outputs;
      },
      deleteTensor: (id) => {
        binding.deleteTensor(id);
        alive.delete(id);
      },
    });
    try {
      expect(() => tf.tidy(() => data.gather(tf.tensor1d([1], 'int32')))).toThrow('no memory left');
      expect([...alive]).toEqual([]);
    } finally {
      backend.binding = binding;
      data.dispose();
    }
  });
});

/** Rows of bytes: data kept on the backend in a quarter of float32's memory, and read from there row by row. */
import { markAsUntransferable } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { sizeOf } from './graph.js';
import { execute, type NativeBackend, nativeBackend, nativeTensor } from './binding.js';

/** Bytes of an int64. */
const WORD = 8;

/**
 * Uploads bytes once. tfjs has neither uint8 nor int64, so the variable calls itself int32, and only `gather` may read it.
 * On the native backend it holds the bytes as int64: for uint8 TensorFlow's gather has no kernel on a GPU, and would bring
 * the whole data set to the host at every step. Elsewhere it is an ordinary int32 tensor.
 */
export class ByteRows {
  /** To be listed among the variables of a compiled step that gathers, which keeps its own reference to it. */
  readonly variable: tf.Variable;

  constructor(
    bytes: Uint8Array,
    private readonly shape: readonly [rows: number, ...rest: number[]],
  ) {
    const native = nativeBackend();
    this.variable = tf.tidy(() =>
      tf.variable(native ? upload(native, bytes, shape[0]) : tf.tensor(bytes, [...shape], 'int32'), false),
    );
  }

  /** The given rows, as float32 in [0, 255]: [rows.size, ...rest of the shape]. `rows` is int32 of rank 1. */
  gather(rows: tf.Tensor1D): tf.Tensor {
    const native = nativeBackend();
    if (!native) return tf.tidy(() => this.variable.gather(rows).toFloat());
    const [, ...rest] = this.shape;
    const width = sizeOf(rest);
    return tf.tidy(() => {
      const padded = gatherBytes(native, this.variable, rows);
      const flat = padded.reshape<tf.Tensor2D>([rows.size, -1]);
      return (flat.shape[1] === width ? flat : flat.slice([0, 0], [-1, width])).reshape([rows.size, ...rest]);
    });
  }

  dispose(): void {
    this.variable.dispose();
  }
}

/** int64 [rows, words]; a row is filled up with zeros where it does not end with a word. */
function upload(native: NativeBackend, bytes: Uint8Array, rows: number): tf.Tensor {
  const { binding } = native;
  const width = bytes.length / rows;
  const words = Math.ceil(width / WORD);
  const { buffer, byteOffset, length } = alignedRows(bytes, width, words * WORD);
  // The binding takes an int64 as two int32.
  const halves = new Int32Array(buffer, byteOffset, length / Int32Array.BYTES_PER_ELEMENT);
  // The addon may share the memory (ownedTensor.cc): it is not to go to another thread.
  markAsUntransferable(buffer);
  const [shape, dtype] = [[rows, words], binding.TF_INT64];
  return nativeTensor(native, { id: binding.createTensor(shape, dtype, halves), shape, dtype });
}

/** Rows of `to` bytes at an address for int32: without a copy where they are, in memory that stays as large as it is. */
function alignedRows(bytes: Uint8Array, width: number, to: number): Uint8Array {
  const { resizable } = bytes.buffer as ArrayBufferLike & { resizable?: boolean };
  if (width === to && bytes.byteOffset % Int32Array.BYTES_PER_ELEMENT === 0 && resizable !== true) return bytes;
  const padded = new Uint8Array((bytes.length / width) * to);
  for (let row = 0; row * width < bytes.length; row++)
    padded.set(bytes.subarray(row * width, (row + 1) * width), row * to);
  return padded;
}

/** Rows of int64 [rows, words], as the float32 values of their bytes: [rows.size, words, 8]. */
function gatherBytes(native: NativeBackend, words: tf.Tensor, rows: tf.Tensor): tf.Tensor {
  const { TF_UINT8, TF_INT64, TF_INT32, TF_FLOAT } = native.binding;
  // A tensor each, so that tf.tidy frees them, too, when a later op fails.
  const run = (op: string, types: Record<string, number>, inputs: tf.Tensor[]) =>
    nativeTensor(native, execute(native.binding, op, types, native.getInputTensorIds(inputs)));
  const gathering = { Tparams: TF_INT64, Tindices: TF_INT32, Taxis: TF_INT32 };
  const gathered = run('GatherV2', gathering, [words, rows, tf.scalar(0, 'int32')]);
  const bytes = run('Bitcast', { T: TF_INT64, type: TF_UINT8 }, [gathered]);
  return run('Cast', { SrcT: TF_UINT8, DstT: TF_FLOAT }, [bytes]);
}

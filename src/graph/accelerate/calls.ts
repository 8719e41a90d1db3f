/** What a model's functions are called with, batch by batch, and of which shapes the batches to come are. */
import * as tf from '@tensorflow/tfjs';
import type { InputSpec } from '../record/record.js';

/** Inputs, targets and weights of examples, of which some may be missing. */
export type Data = readonly (tf.Tensor | null | undefined)[];

/** Shapes and types; null for what is missing. */
export type Specs = readonly (InputSpec | null)[];

export type ModelFunction = (data: Data) => tf.Tensor[];

/** A model's functions that are compiled. */
export type Kind = 'train' | 'test' | 'predict';

/** A function and the batch that it is called with. */
export interface Call {
  readonly kind: Kind;
  readonly specs: Specs;
}

/** What calls a model's functions. */
export interface Runner {
  run: (kind: Kind, data: Data) => tf.Tensor[];
  /** Is told of calls that are to come. */
  prepare: (calls: readonly Call[]) => Promise<void>;
}

/** Those of a batch of so many rows of these. */
export const specsOf = (data: Data, rows?: number): Specs =>
  data.map((tensor) => {
    if (tensor == null) return null;
    const [own = 1, ...rest] = tensor.shape;
    return { shape: tensor.rank === 0 ? [] : [rows ?? own, ...rest], dtype: tensor.dtype };
  });

/** The sizes of the batches that data is cut into: the last one may be smaller. */
export function sizesOf(data: Data, batchSize: number): number[] {
  const rows = data[0]?.shape[0] ?? 0;
  return [Math.min(batchSize, rows), rows > batchSize ? rows % batchSize : 0].filter((size) => size > 0);
}

/** Slices of the same rows of all. */
export function batchesOf(data: readonly tf.Tensor[], batchSize: number): tf.Tensor[][] {
  const rows = data[0]?.shape[0] ?? 0;
  if (rows <= batchSize) return [[...data]];
  return Array.from({ length: Math.ceil(rows / batchSize) }, (_, i) => {
    const from = i * batchSize;
    return data.map((tensor) => tensor.slice([from], [Math.min(batchSize, rows - from)]));
  });
}

interface Iterator {
  next: () => Promise<{ value: unknown; done: boolean }>;
}

type Names = Readonly<Record<'xs' | 'ys', readonly string[]>>;

/** A data set, or an iterator, that has each batch looked at before it is handed on. */
export function preparing(dataset: object, names: Names, look: (data: Data) => Promise<void>): object {
  const watched = (iterator: Iterator): Iterator => ({
    next: async () => {
      const result = await iterator.next();
      const data = dataIn(result.value, names);
      if (data) await look(data);
      return result;
    },
  });
  if ('next' in dataset) return watched(dataset as Iterator);
  const { iterator } = dataset as { iterator: () => Promise<Iterator> };
  return Object.create(dataset, {
    iterator: { value: async () => watched(await iterator.call(dataset)) },
  }) as object;
}

/** In the order of the model's inputs and outputs; undefined for what tfjs will refuse. */
function dataIn(value: unknown, names: Names): Data | undefined {
  const given = (value ?? {}) as Record<'xs' | 'ys', unknown>;
  const data = (['xs', 'ys'] as const).flatMap((side) => {
    const part = given[side];
    if (part instanceof tf.Tensor || Array.isArray(part)) return part as tf.Tensor | tf.Tensor[];
    return names[side].map((name) => (part as Record<string, tf.Tensor> | undefined)?.[name]);
  });
  return data.every((tensor) => tensor instanceof tf.Tensor) ? data : undefined;
}

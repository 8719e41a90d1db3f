/** A recorded step as data: TensorFlow ops on numbered values, with constants, inputs, variables and their updates. */

/** TensorFlow's numbers for the types that a step may use. */
export const DTYPE = { float32: 1, int32: 3, uint8: 4, bool: 10 } as const;

/** The result of an op, or what it starts from; `id` is unique within its graph. */
export interface Value {
  readonly id: number;
  readonly shape: readonly number[];
  /** TensorFlow's number. */
  readonly dtype: number;
}

export interface Constant extends Value {
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** An attribute of an op, by TensorFlow's name for it. */
export type Attribute = { readonly name: string } & (
  | { readonly kind: 'type' | 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: number | readonly number[] }
  | { readonly kind: 'types'; readonly value: readonly number[] }
  | { readonly kind: 'shapes'; readonly value: readonly (readonly number[])[] }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
);

/** Attributes that name types. */
export function types(named: Readonly<Record<string, number>>): Attribute[] {
  return Object.entries(named).map(([name, value]) => ({ name, kind: 'type', value }));
}

export interface Node {
  readonly op: string;
  readonly attributes: readonly Attribute[];
  /** Ids of values. */
  readonly inputs: readonly number[];
  readonly outputs: readonly Value[];
}

export interface Graph {
  readonly inputs: readonly Value[];
  /** Their values before the step; shared by all graphs of one session, in the same order. */
  readonly variables: readonly Value[];
  readonly constants: ReadonlyMap<number, Constant>;
  /** Each one after those it needs. */
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  /** Variables, by index, that have another value after the step. */
  readonly updates: ReadonlyMap<number, Value>;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** An attribute's value, or undefined where the op was recorded without it. */
export function attribute(node: Node, name: string): Attribute['value'] | undefined {
  return node.attributes.find((candidate) => candidate.name === name)?.value;
}

/** A graph under construction: emits ops, each only once, and knows how every value was made. */
import { createHash } from 'node:crypto';
import {
  attribute,
  type Attribute,
  type Constant,
  DTYPE,
  type Graph,
  type Node,
  sizeOf,
  types,
  type Value,
} from '../graph.js';

const { float32, int32 } = DTYPE;

/** Two calls of it are not one: each draws other numbers. tfjs has no other such op; what else is random, the host draws. */
export const RANDOM = 'Multinomial';

const flag = (name: string, value: boolean): Attribute => ({ name, kind: 'bool', value });
const whole = (name: string, value: number | readonly number[]): Attribute => ({ name, kind: 'int', value });

/** A recurrent layer has thousands of small constants. */
function digest({ buffer, byteOffset, byteLength }: Constant['values']): string {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  return byteLength <= 64 ? bytes.toString('hex') : createHash('sha1').update(bytes).digest('base64');
}

const texts = new WeakMap<readonly Attribute[], string>();

/** A node's attributes stay the same from pass to pass. */
function textOf(attributes: readonly Attribute[]): string {
  const text = texts.get(attributes) ?? JSON.stringify(attributes);
  texts.set(attributes, text);
  return text;
}

export class Editor {
  readonly nodes: Node[] = [];
  readonly constants = new Map<number, Constant>();
  private readonly values = new Map<number, Value>();
  /** The node that made a value. */
  readonly producers = new Map<number, Node>();
  /** Old ids of what was replaced. */
  private readonly replaced = new Map<number, number>();
  private readonly emitted = new Map<string, number[]>();
  /** By what they read, of the graph that is rewritten; undefined stands for its results. */
  private readonly readers = new Map<number, (Node | undefined)[]>();
  /** Each value's place in the order of the nodes. */
  private readonly places = new Map<number, number>();
  private nextId: number;

  constructor(graph: Graph) {
    const made = [...graph.constants.values(), ...graph.nodes.flatMap(({ outputs }) => outputs)];
    this.nextId = made.reduce((least, { id }) => Math.min(least, id), 0) - 1;
    for (const value of [...graph.inputs, ...graph.variables]) this.values.set(value.id, value);
    for (const constant of graph.constants.values()) this.replace(constant.id, this.constant(constant));
    const results = [...graph.outputs, ...graph.updates.values()].map(({ id }) => id);
    const reads = (id: number, reader?: Node) => {
      const others = this.readers.get(id);
      if (others) others.push(reader);
      else this.readers.set(id, [reader]);
    };
    for (const node of graph.nodes) for (const id of node.inputs) reads(id, node);
    for (const id of results) reads(id);
  }

  /** Who reads a value in the graph as it was given, where undefined stands for its results; nobody what is new. */
  readersOf(id: number): readonly (Node | undefined)[] {
    return this.readers.get(id) ?? [];
  }

  value(id: number): Value {
    const value = this.values.get(id);
    if (!value) throw new Error(`value ${id} is used before it is made`);
    return value;
  }

  shape(id: number): readonly number[] {
    return this.value(id).shape;
  }

  /** Where a value stands among all that nodes make; -1 for what is given. */
  placeOf(id: number): number {
    return this.places.get(id) ?? -1;
  }

  /** What stands for an old id now. */
  current(id: number): number {
    return this.replaced.get(id) ?? id;
  }

  replace(id: number, by: number): void {
    this.replaced.set(id, by);
  }

  constant({ shape, dtype, values }: Omit<Constant, 'id'>): number {
    return this.once(`${dtype} ${shape.join()} ${digest(values)}`, () => {
      const constant = { id: this.nextId--, shape, dtype, values };
      this.constants.set(constant.id, constant);
      this.values.set(constant.id, constant);
      return [constant.id];
    })[0] as number;
  }

  /** Emits an op with one output, unless the same was emitted before. */
  op(op: string, attributes: Attribute[], inputs: number[], shape: readonly number[], dtype: number = float32): number {
    return this.add({ op, attributes, inputs, outputs: [{ id: this.nextId--, shape, dtype }] })[0] as number;
  }

  /** Emits a node, unless the same was emitted before. Returns its outputs' ids. */
  add(node: Node): number[] {
    const emit = () => {
      this.nodes.push(node);
      for (const output of node.outputs) {
        this.values.set(output.id, output);
        this.producers.set(output.id, node);
        this.places.set(output.id, this.places.size);
      }
      return node.outputs.map(({ id }) => id);
    };
    if (node.op === RANDOM) return emit();
    return this.once(`${node.op} ${node.inputs.join()} ${textOf(node.attributes)}`, emit);
  }

  // What rules emit; on float32 values.

  ints(values: readonly number[], shape: readonly number[] = [values.length]): number {
    return this.constant({ shape, dtype: int32, values: Int32Array.from(values) });
  }

  floats(values: readonly number[], shape: readonly number[]): number {
    return this.constant({ shape, dtype: float32, values: Float32Array.from(values) });
  }

  /** `x` in another shape; of two reshapes in a row only the last is left. */
  reshape(x: number, shape: readonly number[]): number {
    const producer = this.producers.get(x);
    const source = producer?.op === 'Reshape' ? (producer.inputs[0] ?? x) : x;
    const { dtype, shape: old } = this.value(source);
    if (old.join() === shape.join()) return source;
    return this.op('Reshape', types({ T: dtype, Tshape: int32 }), [source, this.ints(shape)], shape, dtype);
  }

  /** Elementwise; the result has the shape of `a` unless another one is given. */
  elementwise(op: string, a: number, b: number, shape = this.shape(a)): number {
    return this.op(op, types({ T: float32 }), [a, b], shape);
  }

  /** Of matrices, each transposed first where that is asked for. */
  matMul(a: number, b: number, transposed: { a: boolean; b: boolean }): number {
    const flags = [flag('transpose_a', transposed.a), flag('transpose_b', transposed.b)];
    const shape = [this.shape(a)[transposed.a ? 1 : 0] ?? 0, this.shape(b)[transposed.b ? 0 : 1] ?? 0];
    return this.op('MatMul', [...types({ T: float32 }), ...flags], [a, b], shape);
  }

  /** Over axis 0, unless others are given and the shape that is left. */
  reduce(op: string, x: number, over = [0], shape: readonly number[] = this.shape(x).slice(1)): number {
    const isKept = shape.length === this.shape(x).length;
    const attributes = [flag('keep_dims', isKept), ...types({ T: float32, Tidx: int32 })];
    return this.op(op, attributes, [x, this.ints(over)], shape);
  }

  /** Matrices of one width under each other. */
  stack(parts: readonly number[]): number {
    const unpacked = this.producers.get(parts[0] ?? 0);
    const isWhole = unpacked?.op === 'Unpack' && attribute(unpacked, 'axis') === 0;
    const width = this.shape(parts[0] ?? 0)[1] ?? 0;
    const rows = parts.reduce((sum, part) => sum + (this.shape(part)[0] ?? 0), 0);
    if (isWhole && unpacked.outputs.map(({ id }) => id).join() === parts.join())
      return this.reshape(unpacked.inputs[0] ?? 0, [rows, width]);
    return this.concat(parts, 0, [rows, width]);
  }

  /** Of matrices that `stack` put under each other: each. */
  unpack(stacked: number, count: number): number[] {
    const [rows = 0, width = 0] = this.shape(stacked);
    const shape = [rows / count, width];
    const outputs = Array.from({ length: count }, () => ({ id: this.nextId--, shape, dtype: float32 }));
    const attributes = [...types({ T: float32 }), whole('num', count), whole('axis', 0)];
    return this.add({ op: 'Unpack', attributes, inputs: [this.reshape(stacked, [count, ...shape])], outputs });
  }

  concat(parts: readonly number[], axis: number, shape: readonly number[]): number {
    const attributes = [whole('N', parts.length), ...types({ T: float32, Tidx: int32 })];
    return this.op('ConcatV2', attributes, [...parts, this.ints([axis], [])], shape);
  }

  /** Slices of `x` along `axis`, at constant positions, in the order of `indices`. */
  gather(x: number, indices: readonly number[], axis: number): number {
    const attributes = [whole('batch_dims', 0), ...types({ Tparams: float32, Tindices: int32, Taxis: int32 })];
    const inputs = [x, this.ints(indices), this.ints([axis], [])];
    return this.op('GatherV2', attributes, inputs, this.shape(x).with(axis, indices.length));
  }

  /**
   * Rows of `x` [rows, width] at constant positions, where undefined stands for a row of zeros: a matrix with known zeros,
   * such as a convolution's filter laid out along its image, is made of these.
   */
  gatherOrZero(x: number, indices: readonly (number | undefined)[]): number {
    const [rows = 0, width = 0] = this.shape(x);
    const zero = this.floats(new Array<number>(width).fill(0), [1, width]);
    const extended = this.concat([x, zero], 0, [rows + 1, width]);
    const positions = indices.map((index) => index ?? rows);
    return this.gather(extended, positions, 0);
  }

  /** `x` [width] repeated `times`: [times · width]. */
  tile(x: number, times: number): number {
    const shape = [sizeOf(this.shape(x)) * times];
    return this.op('Tile', types({ T: float32, Tmultiples: int32 }), [x, this.ints([times])], shape);
  }

  /** Axes swapped: result axis i is axis `order[i]` of `x`. */
  transpose(x: number, order: readonly number[]): number {
    const shape = order.map((axis) => this.shape(x)[axis] ?? 0);
    return this.op('Transpose', types({ T: float32, Tperm: int32 }), [x, this.ints(order)], shape);
  }

  private once(key: string, make: () => number[]): number[] {
    const ids = this.emitted.get(key) ?? make();
    this.emitted.set(key, ids);
    return ids;
  }
}

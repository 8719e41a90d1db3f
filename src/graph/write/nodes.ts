/** Turns values and nodes into TensorFlow's NodeDefs. */
import { type Attribute, type Constant, DTYPE, type Graph, type Value } from '../graph.js';
import { bytes, each, float, int, map, message, text } from './wire.js';

type Typed = Pick<Value, 'dtype' | 'shape'>;
type Attributes = Record<string, string>;

/** -1 stands for a size that is only known at run time. */
export const dims = (shape: readonly number[]) => each(shape, (size) => message(2, int(1, size)));
export const typeAttr = (dtype: number) => int(6, dtype);
export const shapeAttr = (shape: readonly number[]) => message(7, dims(shape));
export const intAttr = (value: number) => int(3, value);
export const flagAttr = (value: boolean) => int(5, value);
export const textAttr = (value: string) => text(2, value);

function encodeAttribute({ kind, value }: Attribute): string {
  switch (kind) {
    case 'type':
      return typeAttr(value);
    case 'string':
      return textAttr(value);
    case 'float':
      return float(4, value);
    case 'bool':
      return flagAttr(value);
    case 'int':
      return typeof value === 'number' ? intAttr(value) : message(1, each(value, intAttr));
  }
}

/** Whether all values have the same bits; -0 is not 0. */
function areEqual(content: Uint8Array, size: number): boolean {
  return content.length > size && Buffer.compare(content.subarray(size), content.subarray(0, -size)) === 0;
}

/** Where a graph's nodes are written, and what stands for the values that it starts from. */
export interface Place {
  prefix: string;
  inputs: readonly string[];
  variables: readonly string[];
  /** A node that the constants come after, which puts them where it is: TensorFlow's loops need that. */
  after?: string;
  /** The name of the XLA program that the nodes become; without it TensorFlow runs them one by one. */
  cluster?: string | undefined;
}

export class GraphWriter {
  readonly nodes: string[] = [];

  /** Returns what the nodes' names are for the graph's values. */
  body(graph: Graph, { prefix, inputs, variables, after, cluster }: Place): (value: Value) => string {
    const names = new Map<number, string>();
    for (const [i, { id }] of graph.inputs.entries()) names.set(id, inputs[i] ?? '');
    for (const [i, { id }] of graph.variables.entries()) names.set(id, variables[i] ?? '');
    const outer = new Set(names.keys());
    const marks: Attributes = cluster === undefined ? {} : { _xla_compile_id: textAttr(cluster) };
    const own = (name: string) => `${prefix}/${name}`;
    for (const constant of graph.constants.values())
      names.set(constant.id, this.constant(own(`const${names.size}`), constant, after, marks));
    const nameOf = ({ id }: Pick<Value, 'id'>) => {
      const name = names.get(id);
      if (name === undefined) throw new Error(`the graph ${prefix} uses value ${id} before it is made`);
      return name;
    };
    for (const [i, node] of graph.nodes.entries()) {
      const name = own(`op${i}_${node.op}`);
      const attributes = node.attributes.map((given) => [given.name, encodeAttribute(given)]);
      const from = node.inputs.map((id) => nameOf({ id }));
      this.add(node.op, name, from, { ...(Object.fromEntries(attributes) as Attributes), ...marks });
      for (const [j, { id }] of node.outputs.entries()) names.set(id, j === 0 ? name : `${name}:${j}`);
    }
    if (cluster !== undefined) this.results(graph, names, outer, own);
    return nameOf;
  }

  placeholder(name: string, { dtype, shape }: Typed): string {
    return this.add('Placeholder', name, [], { dtype: typeAttr(dtype), shape: shapeAttr(shape) });
  }

  constant(
    name: string,
    { dtype, shape, values }: Omit<Constant, 'id'>,
    after?: string,
    marks: Attributes = {},
  ): string {
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const size = values.BYTES_PER_ELEMENT;
    // One value stands for many equal ones, such as the ones and zeros of gradients.
    const isOne = dtype === DTYPE.float32 && areEqual(content, size);
    const filled = isOne ? bytes(5, content.subarray(0, size)) : bytes(4, content);
    const tensor = int(1, dtype) + message(2, dims(shape)) + filled;
    const inputs = after === undefined ? [] : [`^${after}`];
    return this.add('Const', name, inputs, { dtype: typeAttr(dtype), value: message(8, tensor), ...marks });
  }

  whole(name: string, values: number | readonly number[], after?: string): string {
    const list = [values].flat();
    const shape = typeof values === 'number' ? [] : [list.length];
    return this.constant(name, { dtype: DTYPE.int32, shape, values: Int32Array.from(list) }, after);
  }

  add(op: string, name: string, inputs: readonly string[], attributes: Attributes): string {
    const attrs = map(5, Object.entries(attributes));
    this.nodes.push(message(1, text(1, name) + text(2, op) + each(inputs, (input) => text(3, input)) + attrs));
    return name;
  }

  /** What leaves an XLA program has to be told. */
  private results(graph: Graph, names: Map<number, string>, outer: Set<number>, own: (name: string) => string): void {
    const leaving = new Map([...graph.outputs, ...graph.updates.values()].map((value) => [value.id, value]));
    for (const [i, [id, { dtype }]] of [...leaving].entries()) {
      if (outer.has(id)) continue;
      const inside = names.get(id) ?? '';
      names.set(id, this.add('XlaClusterOutput', own(`result${i}`), [inside], { T: typeAttr(dtype) }));
    }
  }
}

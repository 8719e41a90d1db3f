/** Writes TensorFlow's nodes and signatures, in protocol buffers' wire format. */
import { each, float, int, map, message, text, type Wire } from '../../common/wire.js';
import { type Attribute, type Constant, DTYPE, type Graph, type Value } from '../graph.js';

type Typed = Pick<Value, 'dtype' | 'shape'>;
type Attributes = Record<string, Wire>;
type NamedValues = readonly (readonly [name: string, value: Typed])[];

/** -1 stands for a size that is only known at run time. */
const dims = (shape: readonly number[]) => each(shape, (size) => message(2, int(1, size)));
export const typeAttr = (dtype: number) => int(6, dtype);
export const shapeAttr = (shape: readonly number[]) => message(7, dims(shape));
export const intAttr = (value: number) => int(3, value);
export const flagAttr = (value: boolean) => int(5, value);
export const textAttr = (value: string) => text(2, value);

function encodeAttribute({ kind, value }: Attribute): string {
  switch (kind) {
    case 'type':
      return typeAttr(value);
    case 'types':
      return message(1, each(value, typeAttr));
    case 'shapes':
      return message(1, each(value, shapeAttr));
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
function areEqual(content: Buffer, size: number): boolean {
  return content.length > size && content.subarray(size).equals(content.subarray(0, -size));
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

/** By the names' last parts. */
function tensorInfos(field: number, values: NamedValues): Wire {
  const info = (name: string, { dtype, shape }: Typed) =>
    text(1, `${name}:0`) + int(2, dtype) + message(3, dims(shape));
  return map(
    field,
    values.map(([name, value]) => [name.replace(/^.*\//, ''), info(name, value)] as const),
  );
}

/**
 * TensorFlow takes (a - b) + c with a constant c for a - (b - c), and XLA does so, too: of a small c that is to keep a root
 * or a logarithm away from 0, nothing is left. Neither looks through these ops, which do nothing to a value.
 */
const BARRIER = { op: 'Snapshot', type: typeAttr };
const XLA_BARRIER = { op: 'XlaOptimizationBarrier', type: (dtype: number) => message(1, typeAttr(dtype)) };
const SUMS: readonly string[] = ['Add', 'AddV2', 'AddN', 'Sub'];

export class GraphWriter {
  private readonly nodes: Wire[] = [];
  private readonly signatures: [string, Wire][] = [];

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
    const barrier = cluster === undefined ? BARRIER : XLA_BARRIER;
    const sums = new Set<number>();
    for (const [i, node] of graph.nodes.entries()) {
      const name = own(`op${i}_${node.op}`);
      const attributes = node.attributes.map((given) => [given.name, encodeAttribute(given)]);
      const keepsOrder = SUMS.includes(node.op) && node.inputs.some((id) => graph.constants.has(id));
      const from = node.inputs.map((id, j) => {
        const input = nameOf({ id });
        if (!keepsOrder || !sums.has(id)) return input;
        return this.add(barrier.op, `${name}_in${j}`, [input], { T: barrier.type(DTYPE.float32), ...marks });
      });
      for (const { id, dtype } of node.outputs) if (SUMS.includes(node.op) && dtype === DTYPE.float32) sums.add(id);
      this.add(node.op, name, from, { ...(Object.fromEntries(attributes) as Attributes), ...marks });
      for (const [j, { id }] of node.outputs.entries()) names.set(id, j === 0 ? name : `${name}:${j}`);
    }
    if (cluster !== undefined) this.results(graph, names, outer, own);
    return nameOf;
  }

  placeholder(name: string, { dtype, shape }: Typed): string {
    return this.add('Placeholder', name, [], { dtype: typeAttr(dtype), shape: shapeAttr(shape) });
  }

  constant(name: string, { dtype, shape, values }: Omit<Constant, 'id'>, after?: string, marks = {}): string {
    const content = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const size = values.BYTES_PER_ELEMENT;
    // One value stands for many equal ones, such as the ones and zeros of gradients.
    const isOne = dtype === DTYPE.float32 && areEqual(content, size);
    const filled = isOne ? message(5, content.toString('latin1', 0, size)) : message(4, content.toString('latin1'));
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

  /** A way to run the graph: which of its values are fed and fetched, and what TensorFlow's serving is to take it for. */
  signature(name: string, inputs: NamedValues, outputs: NamedValues, method = name): void {
    this.signatures.push([name, tensorInfos(1, inputs) + tensorInfos(2, outputs) + text(3, method)]);
  }

  /** The bytes of a saved_model.pb; `producer` is the version of TensorFlow's graphs that its ops are defined by. */
  savedModel(tag: string, producer: number): Uint8Array {
    const graphDef = this.nodes.join('') + message(4, int(1, producer));
    const metaGraph = message(1, text(4, tag)) + message(2, graphDef) + map(5, this.signatures);
    return Buffer.from(int(1, 1) + message(2, metaGraph), 'latin1');
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

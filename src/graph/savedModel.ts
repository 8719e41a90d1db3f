/** Writes graphs as one TensorFlow SavedModel whose variables live in the session that loads it. */
import { type Attribute, type Constant, DTYPE, type Graph, type Node, type Value } from './graph.js';
import { bytes, each, float, int, map } from './wire.js';

/** Graphs by name; they share their variables. */
export type Graphs = ReadonlyMap<string, Graph>;

/** The names in a SavedModel by which it is fed and read. */
export const NAMES = {
  tag: 'train',
  input: (graph: string, i: number) => `${graph}/in${i}`,
  output: (graph: string, i: number) => `${graph}/out${i}`,
  /** Feed `set` and fetch `done` to assign a variable; fetch `get` to read it. */
  set: (i: number) => `set${i}`,
  done: (i: number) => `done${i}`,
  get: (i: number) => `get${i}`,
};

/** TensorFlow 2.9's graph version, which the ops of the recorded kernels are defined by. */
const PRODUCER = 1087;

/** The bytes of saved_model.pb. Signatures: one per graph, `set` for all variables and `get`. */
export function encodeSavedModel(graphs: Graphs): Uint8Array {
  const writer = new GraphWriter();
  const variables = [...graphs.values()][0]?.variables ?? [];
  for (const [i, variable] of variables.entries()) writer.variable(i, variable);
  for (const [name, graph] of graphs) writer.graph(name, graph);
  const graphDef = [writer.nodes, bytes(4, int(1, PRODUCER))];
  const metaGraph = [bytes(1, bytes(4, NAMES.tag)), bytes(2, graphDef), signatures(graphs, variables)];
  return Buffer.concat([int(1, 1), bytes(2, metaGraph)]);
}

function signatures(graphs: Graphs, variables: readonly Value[]): Uint8Array {
  const named = (name: (i: number) => string, values: readonly Value[]) =>
    values.map((value, i): [string, Value] => [name(i), value]);
  const done = variables.map(({ id }) => ({ id, shape: [], dtype: DTYPE.int32 }));
  const all = [...graphs].map(([name, { inputs, outputs }]): [string, Uint8Array] => [
    name,
    signature(name, named(NAMES.input.bind(null, name), inputs), named(NAMES.output.bind(null, name), outputs)),
  ]);
  all.push(['set', signature('set', named(NAMES.set, variables), named(NAMES.done, done))]);
  all.push(['get', signature('get', [], named(NAMES.get, variables))]);
  return map(5, all);
}

function signature(method: string, inputs: [string, Value][], outputs: [string, Value][]): Uint8Array {
  const info = (name: string, { dtype, shape }: Value) => [bytes(1, `${name}:0`), int(2, dtype), bytes(3, dims(shape))];
  const infos = (field: number, values: [string, Value][]) =>
    map(
      field,
      values.map(([name, value]) => [name.replace(/^.*\//, ''), info(name, value)] as const),
    );
  return Buffer.concat([infos(1, inputs), infos(2, outputs), bytes(3, method)]);
}

const dims = (shape: readonly number[]) => each(shape, (size) => bytes(2, int(1, size)));
const typeAttr = (dtype: number) => int(6, dtype);
const shapeAttr = (shape: readonly number[]) => bytes(7, dims(shape));

function encodeAttribute({ kind, value }: Attribute): Uint8Array {
  switch (kind) {
    case 'type':
      return typeAttr(value);
    case 'string':
      return bytes(2, value);
    case 'float':
      return float(4, value);
    case 'bool':
      return int(5, value);
    case 'int': {
      const list = (values: readonly number[]) => each(values, (item) => int(3, item));
      return typeof value === 'number' ? int(3, value) : bytes(1, list(value));
    }
  }
}

/** Turns values and nodes into NodeDefs. */
class GraphWriter {
  readonly nodes: Uint8Array[] = [];

  constructor() {
    const one = { id: 0, shape: [], dtype: DTYPE.int32, values: Int32Array.of(1) };
    this.constant('one', one);
  }

  variable(i: number, { dtype, shape }: Value): void {
    const name = `var${i}`;
    this.add('VarHandleOp', name, [], { dtype: typeAttr(dtype), shape: shapeAttr(shape), shared_name: bytes(2, name) });
    this.placeholder(NAMES.set(i), { dtype, shape });
    this.add('AssignVariableOp', `assign${i}`, [name, NAMES.set(i)], { dtype: typeAttr(dtype) });
    this.add('Identity', NAMES.done(i), ['one', `^assign${i}`], { T: typeAttr(DTYPE.int32) });
    this.add('ReadVariableOp', NAMES.get(i), [name], { dtype: typeAttr(dtype) });
  }

  graph(prefix: string, graph: Graph): void {
    const names = new Map<number, string>();
    const own = (name: string) => `${prefix}/${name}`;
    for (const [i, input] of graph.inputs.entries()) {
      names.set(input.id, this.placeholder(NAMES.input(prefix, i), input));
    }
    for (const [i, { id, dtype }] of graph.variables.entries())
      names.set(id, this.add('ReadVariableOp', own(`read${i}`), [`var${i}`], { dtype: typeAttr(dtype) }));
    for (const constant of graph.constants.values())
      names.set(constant.id, this.constant(own(`const${names.size}`), constant));
    const nameOf = (id: number) => {
      const name = names.get(id);
      if (name === undefined) throw new Error(`the graph ${prefix} uses value ${id} before it is made`);
      return name;
    };
    for (const [i, node] of graph.nodes.entries()) this.node(own(`op${i}_${node.op}`), node, names, nameOf);
    const updates = [...graph.updates].map(([i, { id, dtype }]) => {
      const inputs = [`var${i}`, nameOf(id), `^${own(`read${i}`)}`];
      return `^${this.add('AssignVariableOp', own(`update${i}`), inputs, { dtype: typeAttr(dtype) })}`;
    });
    for (const [i, { id, dtype }] of graph.outputs.entries())
      this.add('Identity', NAMES.output(prefix, i), [nameOf(id), ...updates], { T: typeAttr(dtype) });
  }

  private node(name: string, node: Node, names: Map<number, string>, nameOf: (id: number) => string): void {
    const attributes = Object.fromEntries(node.attributes.map((given) => [given.name, encodeAttribute(given)]));
    this.add(node.op, name, node.inputs.map(nameOf), attributes);
    for (const [j, { id }] of node.outputs.entries()) names.set(id, j === 0 ? name : `${name}:${j}`);
  }

  private placeholder(name: string, { dtype, shape }: Pick<Value, 'dtype' | 'shape'>): string {
    return this.add('Placeholder', name, [], { dtype: typeAttr(dtype), shape: shapeAttr(shape) });
  }

  private constant(name: string, { dtype, shape, values }: Constant): string {
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const tensor = [int(1, dtype), bytes(2, dims(shape)), bytes(4, content)];
    return this.add('Const', name, [], { dtype: typeAttr(dtype), value: bytes(8, tensor) });
  }

  private add(op: string, name: string, inputs: string[], attributes: Record<string, Uint8Array>): string {
    const attrs = map(5, Object.entries(attributes));
    this.nodes.push(bytes(1, [bytes(1, name), bytes(2, op), each(inputs, (input) => bytes(3, input)), attrs]));
    return name;
  }
}

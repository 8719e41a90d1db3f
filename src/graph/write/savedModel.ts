/** Writes graphs as one TensorFlow SavedModel whose variables live in the session that loads it. */
import { DTYPE, type Graph, type Value } from '../graph.js';
import { dims, GraphWriter, type Place, shapeAttr, textAttr, typeAttr } from './nodes.js';
import { type LoopResults, writeLoop } from './whileLoop.js';
import { finished, int, map, message, text } from './wire.js';

/** Graphs by name; they share their variables. */
export type Graphs = ReadonlyMap<string, Graph>;

/** The names in a SavedModel by which it is fed and read. */
export const NAMES = {
  tag: 'train',
  input: (graph: string, i: number) => `${graph}/in${i}`,
  output: (graph: string, i: number) => `${graph}/out${i}`,
  /** What is fetched of a graph without outputs. */
  ran: (graph: string) => `${graph}/ran`,
  /** The graph that runs another one many times. */
  many: (graph: string) => `${graph}_many`,
  /** Feed `set` and fetch `done` to assign a variable; fetch `get` to read it. */
  set: (i: number) => `set${i}`,
  done: (i: number) => `done${i}`,
  get: (i: number) => `get${i}`,
};

/** A scalar for whoever needs some value. */
const ONE = 'one';

/** TensorFlow 2.9's graph version, which the ops of the recorded kernels are defined by. */
const PRODUCER = 1087;

export interface EncodeOptions {
  /** Has XLA compile each graph into one program. */
  xla?: boolean;
}

/**
 * The bytes of saved_model.pb. Signatures: one per graph; one more per graph with inputs, `NAME_many`, which runs it in a
 * loop over inputs with an axis of any size in front and gives outputs with that axis; `set` for all variables and `get`.
 */
export function encodeSavedModel(graphs: Graphs, { xla = false }: EncodeOptions = {}): Uint8Array {
  const writer = new GraphWriter();
  writer.whole(ONE, 1);
  const variables = [...graphs.values()][0]?.variables ?? [];
  for (const [i, variable] of variables.entries()) writeVariable(writer, i, variable);
  for (const [name, graph] of graphs) {
    const cluster = (prefix: string) => (xla ? prefix : undefined);
    writeGraph(writer, graph, { prefix: name, cluster: cluster(name) });
    const many = NAMES.many(name);
    if (graph.inputs.length > 0) writeMany(writer, graph, { prefix: many, cluster: cluster(many) });
  }
  const graphDef = writer.nodes.join('') + message(4, int(1, PRODUCER));
  const metaGraph = message(1, text(4, NAMES.tag)) + message(2, graphDef) + signatures(graphs, variables);
  return finished(int(1, 1) + message(2, metaGraph));
}

function signatures(graphs: Graphs, variables: readonly Value[]): string {
  const named = (name: (i: number) => string, values: readonly Value[]) =>
    values.map((value, i): [string, Value] => [name(i), value]);
  const done = variables.map(({ id }) => ({ id, shape: [], dtype: DTYPE.int32 }));
  const step = (name: string, inputs: readonly Value[], outputs: readonly Value[]): [string, string] => [
    name,
    signature(name, named(NAMES.input.bind(null, name), inputs), named(NAMES.output.bind(null, name), outputs)),
  ];
  const all = [...graphs].flatMap(([name, { inputs, outputs }]) => {
    const many = step(NAMES.many(name), inputs.map(stacked), outputs.map(stacked));
    return [step(name, inputs, outputs), ...(inputs.length > 0 ? [many] : [])];
  });
  all.push(['set', signature('set', named(NAMES.set, variables), named(NAMES.done, done))]);
  all.push(['get', signature('get', [], named(NAMES.get, variables))]);
  return map(5, all);
}

function signature(method: string, inputs: [string, Value][], outputs: [string, Value][]): string {
  const info = (name: string, { dtype, shape }: Value) =>
    text(1, `${name}:0`) + int(2, dtype) + message(3, dims(shape));
  const infos = (field: number, values: [string, Value][]) =>
    map(
      field,
      values.map(([name, value]) => [name.replace(/^.*\//, ''), info(name, value)] as const),
    );
  return infos(1, inputs) + infos(2, outputs) + text(3, method);
}

/** With an axis of any size in front. */
function stacked<T extends Value>(value: T): T {
  return { ...value, shape: [-1, ...value.shape] };
}

function writeVariable(writer: GraphWriter, i: number, { dtype, shape }: Value): void {
  const name = variableName(i);
  const type = { dtype: typeAttr(dtype) };
  writer.add('VarHandleOp', name, [], { ...type, shape: shapeAttr(shape), shared_name: textAttr(name) });
  writer.placeholder(NAMES.set(i), { dtype, shape });
  writer.add('AssignVariableOp', `assign${i}`, [name, NAMES.set(i)], type);
  writer.add('Identity', NAMES.done(i), [ONE, `^assign${i}`], { T: typeAttr(DTYPE.int32) });
  writer.add('ReadVariableOp', NAMES.get(i), [name], type);
}

const variableName = (i: number) => `var${i}`;

type Named = Pick<Place, 'prefix' | 'cluster'>;

function writeGraph(writer: GraphWriter, graph: Graph, named: Named): void {
  const place = begin(writer, graph, graph.inputs, named);
  const nameOf = writer.body(graph, place);
  const updates = new Map([...graph.updates].map(([i, value]) => [i, nameOf(value)]));
  end(writer, graph, place, { outputs: graph.outputs.map(nameOf), updates });
}

function writeMany(writer: GraphWriter, graph: Graph, named: Named): void {
  const place = begin(writer, graph, graph.inputs.map(stacked), named);
  end(writer, graph, place, writeLoop(writer, graph, place));
}

/** Takes the inputs and reads the variables. */
function begin(writer: GraphWriter, graph: Graph, inputs: readonly Value[], { prefix, cluster }: Named): Place {
  return {
    prefix,
    cluster,
    inputs: inputs.map((input, i) => writer.placeholder(NAMES.input(prefix, i), input)),
    variables: graph.variables.map(({ dtype }, i) =>
      writer.add('ReadVariableOp', `${prefix}/read${i}`, [variableName(i)], { dtype: typeAttr(dtype) }),
    ),
  };
}

/** Assigns to the variables, then gives the outputs. */
function end(writer: GraphWriter, graph: Graph, { prefix, variables }: Place, results: LoopResults): void {
  const updates = [...results.updates].map(([i, value]) => {
    const inputs = [variableName(i), value, `^${variables[i] ?? ''}`];
    const type = { dtype: typeAttr(graph.updates.get(i)?.dtype ?? 0) };
    return `^${writer.add('AssignVariableOp', `${prefix}/update${i}`, inputs, type)}`;
  });
  if (graph.outputs.length === 0)
    writer.add('Identity', NAMES.ran(prefix), [ONE, ...updates], { T: typeAttr(DTYPE.int32) });
  for (const [i, { dtype }] of graph.outputs.entries())
    writer.add('Identity', NAMES.output(prefix, i), [results.outputs[i] ?? '', ...updates], { T: typeAttr(dtype) });
}

/** Writes graphs as one TensorFlow SavedModel whose variables live in the session that loads it. */
import { DTYPE, type Graph, type Value } from '../graph.js';
import { GraphWriter, listAttr, type Place, shapeAttr, textAttr, typeAttr } from './nodes.js';
import { type LoopResults, writeLoop } from './whileLoop.js';

/** A graph, and what its nodes' names begin with. All graphs of one SavedModel share their variables. */
export interface NamedGraph {
  name: string;
  graph: Graph;
}

/** The names in a SavedModel by which it is fed and read. */
export const NAMES = {
  tag: 'train',
  /** The tag of one that is fused already, which TensorFlow need not look through for what it could do better. */
  fused: 'fused',
  /** The tag of a fused one whose ops the addon runs one after the other, in the thread that calls. */
  inline: 'inline',
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

interface Kind {
  xla?: boolean;
  fused?: boolean;
  tag?: string;
  loops?: boolean;
}

/** A scalar for whoever needs some value. */
const ONE = 'one';

/** TensorFlow 2.9's graph version, which the ops of the recorded kernels are defined by. */
export const PRODUCER = 1087;

/**
 * The bytes of saved_model.pb. Signatures: one per graph; with `loops` one more per graph with inputs, `NAME_many`, which runs it
 * in a loop over inputs with an axis of any size in front and gives outputs with that axis; `set` for all variables and `get`.
 * `xla` has XLA compile each graph into one program; `fused` has ops that only the addon knows.
 */
export function encodeSavedModel(
  graphs: readonly NamedGraph[],
  { xla = false, fused = false, tag = NAMES.tag, loops = false }: Kind,
): Uint8Array {
  const writer = new GraphWriter();
  writer.whole(ONE, 1);
  const variables = graphs[0]?.graph.variables ?? [];
  for (const [i, variable] of variables.entries()) writeVariable(writer, i, variable);
  for (const { name, graph } of graphs) {
    writeStep(writer, graph, name, { xla, fused, many: false });
    if (loops && graph.inputs.length > 0) writeStep(writer, graph, NAMES.many(name), { xla, fused, many: true });
  }
  const named = (nameOf: (i: number) => string) => variables.map((value, i) => [nameOf(i), value] as const);
  const done = variables.map((_, i) => [NAMES.done(i), { shape: [], dtype: DTYPE.int32 }] as const);
  writer.signature('set', named(NAMES.set), done);
  writer.signature('get', [], named(NAMES.get));
  return writer.savedModel(tag, PRODUCER);
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

/** Takes the inputs and reads the variables, runs the graph, `many` times or once, assigns, then gives the outputs. */
function writeStep(
  writer: GraphWriter,
  graph: Graph,
  prefix: string,
  { xla, fused, many }: Required<Pick<Kind, 'xla' | 'fused'>> & { many: boolean },
) {
  const shapeOf = ({ shape }: Value) => (many ? [-1, ...shape] : shape);
  const named = (nameOf: (graph: string, i: number) => string, values: readonly Value[]) =>
    values.map((value, i) => [nameOf(prefix, i), { ...value, shape: shapeOf(value) }] as const);
  const inputs = named(NAMES.input, graph.inputs);
  const place = {
    prefix,
    cluster: xla ? prefix : undefined,
    inputs: inputs.map(([name, input]) => writer.placeholder(name, input)),
    variables: (fused ? readAll : readEach)(writer, graph, prefix),
  };
  const results = many ? writeLoop(writer, graph, place) : writeOnce(writer, graph, place);
  const updates = (fused ? assignAll : assignEach)(writer, graph, { prefix, read: place.variables }, results.updates);
  if (graph.outputs.length === 0)
    writer.add('Identity', NAMES.ran(prefix), [ONE, ...updates], { T: typeAttr(DTYPE.int32) });
  for (const [i, { dtype }] of graph.outputs.entries())
    writer.add('Identity', NAMES.output(prefix, i), [results.outputs[i] ?? '', ...updates], { T: typeAttr(dtype) });
  writer.signature(prefix, inputs, named(NAMES.output, graph.outputs));
}

/** Returns the names of what was read. */
function readEach(writer: GraphWriter, { variables }: Graph, prefix: string): string[] {
  return variables.map(({ dtype }, i) =>
    writer.add('ReadVariableOp', `${prefix}/read${i}`, [variableName(i)], { dtype: typeAttr(dtype) }),
  );
}

function readAll(writer: GraphWriter, { variables }: Graph, prefix: string): string[] {
  if (variables.length === 0) return [];
  const name = writer.add('BnTrainRead', `${prefix}/read`, [], {
    names: listAttr([...variables.keys()], (i) => textAttr(variableName(i))),
    shapes: listAttr(variables, ({ shape }) => shapeAttr(shape)),
    Tout: listAttr(variables, ({ dtype }) => typeAttr(dtype)),
  });
  return variables.map((_, i) => `${name}:${i}`);
}

type Assign = (
  writer: GraphWriter,
  graph: Graph,
  place: { prefix: string; read: readonly string[] },
  values: ReadonlyMap<number, string>,
) => string[];

/** Not before the old values were read. Returns what waits for it. */
const assignEach: Assign = (writer, { updates }, { prefix, read }, values) =>
  [...values].map(([i, value]) => {
    const type = { dtype: typeAttr(updates.get(i)?.dtype ?? 0) };
    return `^${writer.add('AssignVariableOp', `${prefix}/update${i}`, [variableName(i), value, `^${read[i] ?? ''}`], type)}`;
  });

const assignAll: Assign = (writer, { updates }, { prefix }, values) => {
  if (values.size === 0) return [];
  const name = writer.add('BnTrainAssign', `${prefix}/update`, [...values.values(), `^${prefix}/read`], {
    names: listAttr([...values.keys()], (i) => textAttr(variableName(i))),
    Tin: listAttr([...values.keys()], (i) => typeAttr(updates.get(i)?.dtype ?? 0)),
  });
  return [`^${name}`];
};

function writeOnce(writer: GraphWriter, graph: Graph, place: Place): LoopResults {
  const nameOf = writer.body(graph, place);
  const updates = new Map([...graph.updates].map(([i, value]) => [i, nameOf(value)]));
  return { outputs: graph.outputs.map(nameOf), updates };
}

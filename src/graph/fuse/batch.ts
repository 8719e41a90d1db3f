/** Tells which values have the rows of the batch, so that code for one size of it serves another. */
import { attribute, type Graph, type Node, type Value } from '../graph.js';
import { leads, stripped } from './geometry.js';
import { REDUCTIONS } from './fusedStep.js';

/** Ops whose result is their input in another shape, where it has the same type. */
export const VIEWS = ['Reshape', 'Identity', 'ExpandDims', 'Squeeze', 'StopGradient', 'Cast'];
/** Whose leading axis may have been several. */
const REGROUPING = [...VIEWS, 'UnsortedSegmentSum'];
export const REPEATING = ['Tile', 'BroadcastTo', 'Fill'];

/** By where they come from, as a weight may happen to be as long as the batch. */
export function batchedValues(graph: Graph, rows: number, values: ReadonlyMap<number, Value>): ReadonlySet<number> {
  const batched = new Set<number>();
  const lead = (id: number) => stripped(values.get(id)?.shape ?? [])[0];
  for (const { id, shape } of [...graph.inputs, ...graph.constants.values()])
    if (leads(shape, rows) && lead(id) === rows) batched.add(id);
  const isLed = (node: Node, { id }: Value): boolean => {
    const { op, inputs } = node;
    const [x = 0] = inputs;
    if (op.includes('BackpropFilter')) return false;
    if (op === 'MatMul') return batched.has(x) && attribute(node, 'transpose_a') !== true;
    // A shape or ids may be as long as the batch, too.
    if (REGROUPING.includes(op)) return batched.has(x);
    if (REPEATING.includes(op)) return lead(id) === rows;
    if (REDUCTIONS.includes(op)) return batched.has(x) && !isReduced(node, values.get(x) as Value, graph.constants);
    return inputs.some((input) => batched.has(input) && lead(input) === lead(id));
  };
  for (const node of graph.nodes)
    for (const output of node.outputs) if (leads(output.shape, rows) && isLed(node, output)) batched.add(output.id);
  return batched;
}

/** The axes that a reduction is over, where they are known. */
export function axesOf({ inputs }: Node, { shape }: Value, constants: Graph['constants']): Set<number> | undefined {
  const given = constants.get(inputs[1] as number)?.values;
  return given && new Set(Array.from(given, (axis) => (axis + shape.length) % shape.length));
}

function isReduced(node: Node, x: Value, constants: Graph['constants']): boolean {
  return axesOf(node, x, constants)?.has(x.shape.length - stripped(x.shape).length) !== false;
}

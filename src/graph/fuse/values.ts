/** The values of a graph: which are other shapes of others, and which have the rows of the batch. */
import { type Graph, type Node, sizeOf, type Value } from '../graph.js';
import { batchedValues, VIEWS } from './batch.js';
import { REDUCTIONS } from './fusedStep.js';

/** A graph with what fusing asks about its values. */
export class Values {
  readonly values = new Map<number, Value>();
  readonly producers = new Map<number, Node>();
  protected readonly batched: ReadonlySet<number>;
  private readonly sources = new Map<number, { id: number; offset: number }>();

  /** `rows` is the size of the batch; 1 where there is none. */
  constructor(
    readonly graph: Graph,
    readonly rows: number,
  ) {
    for (const value of [...graph.inputs, ...graph.variables, ...graph.constants.values()])
      this.values.set(value.id, value);
    for (const node of graph.nodes)
      for (const output of node.outputs) {
        this.values.set(output.id, output);
        this.producers.set(output.id, node);
      }
    this.batched = batchedValues(graph, rows, this.values);
    for (const node of graph.nodes) {
      const [output] = node.outputs;
      const start = output && this.startOf(node, output);
      if (!output || start === undefined) continue;
      const { id, offset } = this.origin(node.inputs[0] as number);
      this.sources.set(output.id, { id, offset: offset + start });
    }
  }

  value(id: number): Value {
    return this.values.get(id) as Value;
  }

  /** The value whose elements this one has, in another shape or some that lie together. */
  source(id: number): number {
    return this.origin(id).id;
  }

  isView(node: Node, output: Value): boolean {
    return this.startOf(node, output) !== undefined;
  }

  /** Where a value's elements are: in what it shows, from its first element on. */
  origin(id: number): { id: number; offset: number } {
    return this.sources.get(id) ?? { id, offset: 0 };
  }

  /** Whether it is not a part of what it shows. */
  protected isWhole({ id, shape }: Value): boolean {
    return sizeOf(shape) === sizeOf(this.value(this.source(id)).shape);
  }

  /** The first element that a view shows of its input; undefined for what is no view. */
  private startOf({ op, inputs: [x, begin = 0], outputs }: Node, { shape, dtype }: Value): number | undefined {
    if (x === undefined || outputs.length !== 1 || this.value(x).dtype !== dtype) return undefined;
    const from = this.value(x).shape;
    const size = sizeOf(shape);
    const isReshaped = VIEWS.includes(op) || (REDUCTIONS.includes(op) && size > 0 && size === sizeOf(from));
    if (isReshaped) return 0;
    // A slice that lies together.
    const cut = from.findIndex((size) => size !== 1);
    const isTogether = from.every((size, i) => i === cut || size === shape[i]);
    const starts = this.graph.constants.get(begin)?.values;
    if (op !== 'Slice' || !isTogether || !starts) return undefined;
    return (starts[cut] ?? 0) * sizeOf(from.slice(cut + 1));
  }
}

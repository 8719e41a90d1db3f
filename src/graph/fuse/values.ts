/** The values of a graph: which are other shapes of others, and which have the rows of the batch. */
import { type Graph, type Node, sizeOf, type Value } from '../graph.js';
import { batchedValues, VIEWS } from './batch.js';
import { REDUCTIONS } from './text.js';

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
      if (!output || !this.isView(node, output)) continue;
      const { id, offset } = this.origin(node.inputs[0] as number);
      this.sources.set(output.id, { id, offset: offset + this.startOf(node) });
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
    const [x] = node.inputs;
    if (x === undefined || node.outputs.length !== 1 || this.value(x).dtype !== output.dtype) return false;
    if (VIEWS.includes(node.op) || node.op === 'Cast') return true;
    if (node.op === 'Slice') return this.isPart(node, output);
    const size = sizeOf(output.shape);
    return REDUCTIONS.includes(node.op) && size > 0 && size === sizeOf(this.value(x).shape);
  }

  /** Where a value's elements are: in what it shows, from its first element on. */
  origin(id: number): { id: number; offset: number } {
    return this.sources.get(id) ?? { id, offset: 0 };
  }

  /** Whether it is not a part of what it shows. */
  protected isWhole({ id, shape }: Value): boolean {
    return sizeOf(shape) === sizeOf(this.value(this.source(id)).shape);
  }

  /** Whether a slice lies together, and is the same for all rows. */
  private isPart({ inputs }: Node, output: Value): boolean {
    const { shape } = this.value(inputs[0] as number);
    const cut = shape.findIndex((size) => size !== 1);
    const isWhole = shape.every((size, i) => i === cut || size === output.shape[i]);
    return isWhole && this.graph.constants.has(inputs[1] as number) && !this.batched.has(output.id);
  }

  /** The first element of what a view shows. */
  private startOf({ op, inputs }: Node): number {
    if (op !== 'Slice') return 0;
    const { shape } = this.value(inputs[0] as number);
    const cut = shape.findIndex((size) => size !== 1);
    return (this.graph.constants.get(inputs[1] as number)?.values[cut] ?? 0) * sizeOf(shape.slice(cut + 1));
  }
}

/** Sees each op that can be fused as loops. */
import { type Graph, type Node, sizeOf, type Value } from '../graph.js';
import { axesOf, batchedValues, REDUCTIONS, VIEWS } from './batch.js';
import { align, isUniform, leads, rowOf, stripped } from './geometry.js';
import { CONVOLUTIONS, kernelOf } from './convolution.js';
import { isSpread, type Operand, ROUTE, type Step } from './fusedStep.js';
import { expressionOf, isCheap, READ } from './operators.js';

/** A graph with what fusing asks about its values. */
export class Steps {
  readonly values = new Map<number, Value>();
  readonly producers = new Map<number, Node>();
  private readonly batched: ReadonlySet<number>;
  private readonly sources = new Map<number, { id: number; offset: number }>();
  /** What operands are repeated by, by how they are read. */
  private readonly spreads = new Map<string, Step>();

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

  /** As loops, of which the last makes its result; none for an op that stays TensorFlow's. */
  stepsOf(node: Node): Step[] {
    const [output] = node.outputs;
    if (!output || node.outputs.length !== 1 || this.isView(node, output)) return [];
    if (node.op === ROUTE) return [this.route(node, output)];
    if (node.op.startsWith('Conv2D')) return this.convolution(node, output);
    if (!REDUCTIONS.includes(node.op)) return this.map(node, output);
    const step = this.reduction(node, output);
    return step ? [step] : [];
  }

  private map(node: Node, output: Value): Step[] {
    const { op, inputs } = node;
    if (this.isBias(node)) return [];
    const [first, end] = READ[op] ?? [0, inputs.length];
    const read = inputs.slice(first, end).map((id) => this.value(id));
    const expression = expressionOf(node, read);
    if (expression === undefined) return [];
    const byRow = this.batched.has(output.id);
    const width = sizeOf(output.shape) / (byRow ? this.rows : 1);
    const given = read.map((value) => this.operand(output, value, byRow, op));
    if (given.includes(undefined)) return [];
    const operands = given as Operand[];
    const common = { op: expression, output, byRow, width, axes: [], cheap: isCheap(expression) };
    if (expression === '$0' && operands[0]?.moves === byRow && operands.some(isSpread))
      return [{ kind: 'spread', ...common, operands }];
    const spreads = operands.map((operand) => (isSpread(operand) ? this.spread(operand) : undefined));
    const direct = operands.map((operand, i) => {
      const { output: by, width: size = 0 } = spreads[i] ?? {};
      return by ? { ...operand, id: by.id, axes: [{ size, stride: 1 }], offset: 0 } : operand;
    });
    return [...spreads.filter((step) => step !== undefined), { kind: 'map', ...common, operands: direct }];
  }

  /** Makes of an operand a value of its own that has an element for each of the reader's: of a row, or of everything. */
  private spread(operand: Operand): Step {
    const key = JSON.stringify(operand);
    const found = this.spreads.get(key);
    if (found) return found;
    const { id, moves, axes } = operand;
    const width = sizeOf(axes.map(({ size }) => size));
    const shape = moves ? [this.rows, width] : [width];
    const output = { id: Math.min(...this.values.keys()) - 1, shape, dtype: this.value(id).dtype };
    this.values.set(output.id, output);
    const step: Step = {
      kind: 'spread',
      op: '$0',
      output,
      byRow: moves,
      width,
      operands: [operand],
      axes: [],
      cheap: true,
    };
    this.spreads.set(key, step);
    return step;
  }

  private operand(output: Value, value: Value, byRow: boolean, op: string): Operand | undefined {
    if (isUniform(this.graph.constants.get(value.id)?.values ?? []))
      return { id: value.id, moves: false, axes: [], offset: 0 };
    let [shape, from] = [stripped(output.shape), value.shape];
    if (op === 'Tile') {
      // Repeated along an axis that it has: two axes, of which one is broadcast.
      const times = output.shape.map((size, i) => size / (value.shape[i] ?? 1));
      const split = times.some((time, i) => time > 1 && (value.shape[i] ?? 1) > 1);
      if (split && byRow) return undefined;
      [shape, from] = split
        ? [times.flatMap((time, i) => [time, value.shape[i] ?? 1]), value.shape.flatMap((size) => [1, size])]
        : [shape, from];
    }
    const own = from.slice(Math.max(0, from.length - shape.length));
    const moves = byRow && own.length === shape.length && own[0] === shape[0];
    // Its rows lie elsewhere than the rows of what it is a part of.
    if (moves && !this.isWhole(value)) return undefined;
    const [along, along0] = byRow ? [rowOf(shape, this.rows), moves ? rowOf(own, this.rows) : own] : [shape, own];
    const row = byRow && !moves && own.length === shape.length ? [1, ...own.slice(1)] : along0;
    return { ...this.origin(value.id), moves, axes: align(along, row) };
  }

  private origin(id: number): { id: number; offset: number } {
    return this.sources.get(id) ?? { id, offset: 0 };
  }

  /** Whether it is not a part of what it shows. */
  private isWhole({ id, shape }: Value): boolean {
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

  private reduction(node: Node, output: Value): Step | undefined {
    const x = this.value(node.inputs[0] as number);
    const over = axesOf(node, x, this.graph.constants);
    if (!over || over.size === 0 || output.dtype !== 1 || x.dtype !== 1) return undefined;
    const lead = x.shape.length - stripped(x.shape).length;
    const byRow = this.batched.has(x.id) && this.isWhole(x);
    const total = byRow && over.has(lead);
    if (byRow && !total && !leads(output.shape, this.rows)) return undefined;
    const kept = x.shape.map((size, i) => (over.has(i) ? 1 : size));
    const [large, small] = byRow
      ? [rowOf(x.shape, this.rows), total ? [1, ...kept.slice(lead + 1)] : rowOf(kept, this.rows)]
      : [x.shape, kept];
    const operand = { ...this.origin(x.id), moves: byRow, axes: align(large, large) };
    const common = { op: node.op, output, operands: [operand], axes: align(large, small), cheap: false };
    return { kind: total ? 'total' : 'reduce', ...common, byRow, width: sizeOf(small) };
  }

  private route({ inputs, op }: Node, output: Value): Step {
    const byRow = this.batched.has(output.id) && inputs.every((id) => this.isWhole(this.value(id)));
    const row = (shape: readonly number[]) => (byRow ? rowOf(shape, this.rows) : shape);
    const [large, small] = [row(output.shape), row(this.value(inputs[1] as number).shape)];
    const operands = inputs.map((id) => {
      const own = row(this.value(id).shape);
      return { ...this.origin(id), moves: byRow, axes: align(own, own) };
    });
    const axes = align(large, small);
    return { kind: 'route', op, output, byRow, width: sizeOf(large), operands, axes, cheap: false };
  }

  private convolution(node: Node, output: Value): Step[] {
    const kernel = kernelOf(node, (id) => this.value(id).shape);
    const { read, isTotal } = CONVOLUTIONS[node.op] as (typeof CONVOLUTIONS)[string];
    const values = read.map((i) => this.value(node.inputs[i] as number));
    const isRow = (value: Value) => this.batched.has(value.id) && value.shape[0] === this.rows && this.isWhole(value);
    const images = isTotal ? values : [values[0] as Value, output];
    if (!kernel || !images.every(isRow)) return [];
    const operands = values.map((value) => {
      const moves = images.includes(value);
      const [size = 0, ...row] = moves ? value.shape.slice(1) : value.shape;
      // Of more than one axis, as they are not read one by one.
      const axes = [
        { size, stride: sizeOf(row) },
        { size: sizeOf(row), stride: 1 },
      ];
      return { ...this.origin(value.id), moves, axes };
    });
    const width = sizeOf(output.shape) / (isTotal ? 1 : this.rows);
    const common = { output, byRow: true, width, operands, axes: [], cheap: false, kernel };
    return [isTotal ? { kind: 'total', op: 'Sum', ...common } : { kind: 'conv', op: node.op, ...common }];
  }

  /** TensorFlow adds a bias while it multiplies, also where a reshape to the same shape is in between. */
  private isBias({ op, inputs: [x = 0, bias = 0] }: Node): boolean {
    const product = this.value(this.source(x));
    const producer = this.producers.get(product.id);
    const isProduct = producer?.op === 'MatMul' || (producer?.op === 'Conv2D' && this.stepsOf(producer).length === 0);
    const isSame = product.shape.join() === this.value(x).shape.join();
    return op.startsWith('Add') && isProduct && isSame && this.graph.variables.some(({ id }) => id === bias);
  }
}

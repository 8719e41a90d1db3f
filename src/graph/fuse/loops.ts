/** Sees each op that can be fused as loops. */
import { type Node, sizeOf, type Value } from '../graph.js';
import { axesOf, REPEATING } from './batch.js';
import { align, isDirect, isUniform, rowOf, stripped } from './geometry.js';
import { isConvolution, isGradient, kernelOf } from './convolution.js';
import { type Operand, REDUCTIONS, ROUTE, type Step } from './fusedStep.js';
import { expressionOf, isCheap, READ } from './operators.js';
import { isSpread } from './tiles.js';
import { Values } from './values.js';

/** A graph with what fusing asks about its ops. */
export class Steps extends Values {
  /** What operands are repeated by, by how they are read. */
  private readonly spreads = new Map<string, Step>();
  private nextId = [...this.values.keys()].reduce((a, b) => Math.min(a, b), 0) - 1;

  /** As loops, of which the last makes its result; none for an op that stays TensorFlow's. */
  stepsOf(node: Node): Step[] {
    const [output] = node.outputs;
    if (!output || node.outputs.length !== 1 || this.isView(node, output)) return [];
    if (node.op === ROUTE) return [this.route(node, output)];
    if (isConvolution(node.op)) return this.convolution(node, output);
    if (!REDUCTIONS.includes(node.op)) return this.map(node, output);
    const step = this.reduction(node, output);
    return step ? [step] : [];
  }

  private map(node: Node, output: Value): Step[] {
    const { op, inputs } = node;
    if (this.isBias(node)) return [];
    const read = (READ[op] ?? [...inputs.keys()]).map((i) => this.value(inputs[i] as number));
    const expression = expressionOf(node, read);
    if (expression === undefined) return [];
    const byRow = this.batched.has(output.id);
    const width = sizeOf(output.shape) / (byRow ? this.rows : 1);
    const given = read.map((value) => this.operand(output, value, byRow, op));
    if (given.includes(undefined)) return [];
    const operands = given as Operand[];
    const common = { op: expression, output, byRow, width, axes: [], cheap: isCheap(expression) };
    if (expression === '$0' && operands[0]?.moves === byRow && operands.some((operand) => isSpread(operand, byRow)))
      return [{ kind: 'spread', ...common, operands }];
    const spreads: Step[] = [];
    const direct = operands.map((operand) => {
      if (!isSpread(operand, byRow)) return operand;
      const step = this.spread(operand);
      spreads.push(step);
      return { ...operand, id: step.output.id, axes: [{ size: step.width, stride: 1 }], offset: 0 };
    });
    return [...spreads, { kind: 'map', ...common, operands: direct }];
  }

  /** Makes of an operand a value of its own that has an element for each of the reader's: of a row, or of everything. */
  private spread(operand: Operand): Step {
    const key = JSON.stringify(operand);
    const found = this.spreads.get(key);
    if (found) return found;
    const { id, moves, axes } = operand;
    const width = sizeOf(axes.map(({ size }) => size));
    const shape = moves ? [this.rows, width] : [width];
    const output = { id: this.nextId--, shape, dtype: this.value(id).dtype };
    this.values.set(output.id, output);
    const common = { byRow: moves, width, axes: [], cheap: true };
    const step: Step = { kind: 'spread', op: '$0', output, operands: [operand], ...common };
    this.spreads.set(key, step);
    return step;
  }

  private operand(output: Value, value: Value, byRow: boolean, op: string): Operand | undefined {
    if (isUniform(this.graph.constants.get(value.id)?.values ?? []))
      return { id: value.id, moves: false, axes: [], offset: 0 };
    let [shape, from] = [stripped(output.shape), value.shape];
    const times = output.shape.map((size, i) => size / (value.shape[i] ?? 1));
    if (op === 'Tile' && times.some((time, i) => time > 1 && (value.shape[i] ?? 1) > 1)) {
      if (byRow) return undefined;
      // Repeated along an axis that it has: two axes, of which one is broadcast.
      shape = times.flatMap((time, i) => [time, value.shape[i] ?? 1]);
      from = value.shape.flatMap((size) => [1, size]);
    }
    const own = from.slice(Math.max(0, from.length - shape.length));
    const moves = byRow && own.length === shape.length && own[0] === shape[0];
    // Its rows lie elsewhere than the rows of what it is a part of.
    if (moves && !this.isWhole(value)) return undefined;
    const axes = align(byRow ? rowOf(shape, this.rows) : shape, moves ? rowOf(own, this.rows) : own);
    const operand = { ...this.origin(value.id), moves, axes };
    return byRow ? this.beforeRepetition(operand) : operand;
  }

  /** Of a value that is another one over and over, that other one, where it takes no loop of its own to read it so. */
  private beforeRepetition(operand: Operand): Operand {
    const { id, moves, axes } = operand;
    const node = this.producers.get(id);
    if (moves || !isDirect(axes) || !node || !REPEATING.includes(node.op)) return operand;
    const [step] = this.stepsOf(node);
    const from = step?.kind === 'spread' && step.width === axes[0]?.size ? step.operands[0] : undefined;
    return from && !isSpread(from, true) ? from : operand;
  }

  private reduction(node: Node, output: Value): Step | undefined {
    const x = this.value(node.inputs[0] as number);
    const over = axesOf(node, x, this.graph.constants);
    if (!over || over.size === 0 || output.dtype !== 1 || x.dtype !== 1) return undefined;
    const lead = x.shape.length - stripped(x.shape).length;
    const byRow = this.batched.has(x.id) && this.isWhole(x);
    const total = byRow && over.has(lead);
    const kept = x.shape.map((size, i) => (over.has(i) ? 1 : size));
    const [large, small] = byRow
      ? [rowOf(x.shape, this.rows), total ? [1, ...kept.slice(lead + 1)] : rowOf(kept, this.rows)]
      : [x.shape, kept];
    const operand = { ...this.origin(x.id), moves: byRow, axes: align(large, large) };
    const width = sizeOf(small);
    const common = { output, byRow, width, operands: [operand], axes: align(large, small), cheap: false };
    const how = node.op === 'Mean' ? { op: 'Sum', count: sizeOf(large) / width } : { op: node.op };
    return { kind: total ? 'total' : 'reduce', ...how, ...common };
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

  /** None where it is TensorFlow's. */
  private convolution(node: Node, output: Value): Step[] {
    const { op } = node;
    const kernel = kernelOf(node, (id) => this.value(id).shape);
    const isTotal = op.endsWith('BackpropFilter');
    // The image, or the gradient, that there is one of for each row; then filter or gradient.
    const [first = 0, second = 0, third = 0] = node.inputs;
    const read = !isGradient(op) ? [first, second] : isTotal ? [first, third] : [third, second];
    const values = read.map((id) => this.value(id));
    const images = isTotal ? values : [values[0] as Value, output];
    // Of which there is one of its own, and in full, for each row of the batch.
    const isRow = (value: Value) => this.batched.has(value.id) && value.shape[0] === this.rows && this.isWhole(value);
    const byRow = images.every(isRow);
    // One image beside a batch of them.
    const isAlone = !isGradient(op) && this.rows > 1 && output.shape[0] === 1;
    if (!kernel || !(byRow || isAlone)) return [];
    const operands = values.map((value) => {
      const moves = byRow && images.includes(value);
      const [size = 0, ...row] = moves ? value.shape.slice(1) : value.shape;
      // Of more than one axis, as elements are not read one by one.
      const axes = [
        { size, stride: sizeOf(row) },
        { size: sizeOf(row), stride: 1 },
      ];
      return { ...this.origin(value.id), moves, axes };
    });
    const width = sizeOf(output.shape) / (isTotal || isAlone ? 1 : this.rows);
    const common = { output, byRow, width, operands, axes: [], cheap: false, kernel };
    return [isTotal ? { kind: 'total', op: 'Sum', ...common } : { kind: 'conv', op, ...common }];
  }

  /** TensorFlow adds a bias while it multiplies, also where a reshape to the same shape is in between. */
  private isBias({ op, inputs: [x = 0, bias = 0] }: Node): boolean {
    const product = this.value(this.source(x));
    const from = this.producers.get(product.id);
    const isProduct = from && /^(Conv2D|MatMul)$/.test(from.op) && this.stepsOf(from).length === 0;
    const isSame = product.shape.join() === this.value(x).shape.join();
    return isProduct === true && isSame && op.startsWith('Add') && this.graph.variables.some(({ id }) => id === bias);
  }
}

/** Writes a graph as a loop over slices of its inputs, so that one call into TensorFlow takes many steps. */
import { DTYPE, type Graph, type Value } from '../graph.js';
import { flagAttr, type GraphWriter, intAttr, type Place, shapeAttr, textAttr, typeAttr } from './nodes.js';

const { int32 } = DTYPE;
/** TensorFlow's numbers; a variant is a list of tensors here. */
const [VARIANT, UINT32] = [21, 22];

export interface LoopResults {
  /** By output: all steps' values, [steps, ...shape]. */
  outputs: string[];
  /** By variable: its value after the last step. */
  updates: ReadonlyMap<number, string>;
}

/**
 * `place.inputs` are the inputs of all steps, at least one, each [steps, ...shape]; `place.variables` the values before
 * the first step. The loop is TensorFlow's dataflow one (Yu et al. 2018, arXiv 1805.01772), in which the step's nodes
 * stand as they are. Nothing leaves the device between two steps: the counter, as an int32, is the host's anyway.
 */
export function writeLoop(writer: GraphWriter, graph: Graph, place: Place): LoopResults {
  const loop = new Loop(writer, place.prefix, place.inputs[0] ?? '', graph.inputs[0] as Value);
  const carried = new Map(
    [...graph.updates].map(([i, { dtype }]) => [i, loop.carry(`var${i}`, dtype, place.variables[i] ?? '')]),
  );
  const lists = graph.outputs.map((value, i) => loop.carry(`list${i}`, VARIANT, loop.list(`list${i}`, value)));
  const nameOf = writer.body(graph, {
    ...place,
    inputs: graph.inputs.map((value, i) => loop.slice(`in${i}`, place.inputs[i] ?? '', value)),
    variables: graph.variables.map(
      ({ dtype }, i) => carried.get(i)?.inside ?? loop.constant(`var${i}`, place.variables[i] ?? '', dtype),
    ),
    after: loop.position.inside,
  });
  for (const [i, value] of graph.updates) loop.advance(`var${i}`, value.dtype, nameOf(value));
  for (const [i, value] of graph.outputs.entries()) {
    const list = loop.put(`put${i}`, lists[i]?.inside ?? '', nameOf(value), value);
    loop.advance(`list${i}`, VARIANT, list);
  }
  return {
    outputs: graph.outputs.map((value, i) => loop.stack(`all${i}`, lists[i]?.after ?? '', value)),
    updates: new Map([...carried].map(([i, { after }]) => [i, after])),
  };
}

/** A value that goes from step to step. */
interface Carried {
  /** As a step finds it. */
  inside: string;
  /** As the last step left it. */
  after: string;
}

class Loop {
  private readonly count: string;
  /** The step's number, from 0, and the next one's. */
  readonly position: { inside: string; next: string };

  /** Runs once for each slice of `stack`, whose type is that of `slice`. */
  constructor(
    private readonly writer: GraphWriter,
    private readonly prefix: string,
    stack: string,
    { dtype }: Value,
  ) {
    const T = typeAttr(int32);
    const shape = this.add('Shape', 'shape', [stack], { T: typeAttr(dtype), out_type: T });
    const bounds = [0, 1].map((value) => this.whole(`bound${value}`, [value]));
    this.count = this.strided('count', shape, int32, [...bounds, bounds[1] ?? '']);
    const { inside, merged } = this.carry('position', int32, this.whole('zero', 0));
    const more = this.add('Less', 'more', [merged, this.enter('count', this.count, int32, true)], { T });
    this.add('LoopCond', 'condition', [more], {});
    this.position = { inside, next: this.add('AddV2', 'next', [inside, this.whole('one', 1, inside)], { T }) };
    this.advance('position', int32, this.position.next);
  }

  /** To be followed by `advance`. */
  carry(name: string, dtype: number, start: string): Carried & { merged: string } {
    const T = typeAttr(dtype);
    const values = [this.enter(name, start, dtype, false), this.own(`${name}/next`)];
    const merged = this.add('Merge', `${name}/merge`, values, { T, N: intAttr(2) });
    const branch = this.add('Switch', `${name}/switch`, [merged, this.own('condition')], { T });
    const inside = this.add('Identity', `${name}/inside`, [`${branch}:1`], { T });
    return { merged, inside, after: this.add('Exit', `${name}/after`, [branch], { T }) };
  }

  /** The carried value that the following step finds. */
  advance(name: string, dtype: number, value: string): void {
    this.add('NextIteration', `${name}/next`, [value], { T: typeAttr(dtype) });
  }

  /** A value that is the same in every step, and is there in no other: what is made of it alone would never end. */
  constant(name: string, value: string, dtype: number): string {
    const inputs = [this.enter(name, value, dtype, true), `^${this.position.inside}`];
    return this.add('Identity', `${name}/inside`, inputs, { T: typeAttr(dtype) });
  }

  /** The step's own of all steps' values, of the shape of `value`. */
  slice(name: string, stack: string, { dtype, shape }: Value): string {
    const cast = (x: string, from: number, to: number, as: string) =>
      from === to ? x : this.add('Bitcast', as, [x], { T: typeAttr(from), type: typeAttr(to) });
    // On a GPU an int32 would be sliced by the host, and every step's slice copied over.
    const bits = dtype === int32 ? UINT32 : dtype;
    const whole = this.enter(name, cast(stack, dtype, bits, `${name}/bits`), bits, true);
    const vector = this.whole(`${name}/vector`, [1], this.position.inside);
    const types = { T: typeAttr(int32), Tshape: typeAttr(int32) };
    const bounds = (['inside', 'next'] as const).map((key) =>
      this.add('Reshape', `${name}/${key}`, [this.position[key], vector], types),
    );
    const slice = this.strided(`${name}/slice`, whole, bits, [...bounds, vector]);
    // TensorFlow does not find the shape by itself, and fuses much less without.
    const known = { T: typeAttr(bits), shape: shapeAttr(shape) };
    return cast(this.add('EnsureShape', `${name}/shaped`, [slice], known), bits, dtype, `${name}/value`);
  }

  /** An empty list for as many tensors of the shape of `value`. */
  list(name: string, { dtype, shape }: Value): string {
    const inputs = [this.whole(`${name}/shape`, shape), this.count];
    const attributes = { element_dtype: typeAttr(dtype), shape_type: typeAttr(int32) };
    return this.add('TensorListReserve', `${name}/reserve`, inputs, attributes);
  }

  /** The list with `item` as the step's own. */
  put(name: string, list: string, item: string, { dtype }: Value): string {
    return this.add('TensorListSetItem', name, [list, this.position.inside, item], { element_dtype: typeAttr(dtype) });
  }

  stack(name: string, list: string, { dtype, shape }: Value): string {
    const inputs = [list, this.whole(`${name}/shape`, shape)];
    return this.add('TensorListStack', name, inputs, { element_dtype: typeAttr(dtype) });
  }

  /** Brings a value into the loop: a constant one into every step, another into the first. */
  private enter(name: string, value: string, dtype: number, isConstant: boolean): string {
    return this.add('Enter', `${name}/enter`, [value], {
      T: typeAttr(dtype),
      frame_name: textAttr(this.own('frame')),
      is_constant: flagAttr(isConstant),
      parallel_iterations: intAttr(1),
    });
  }

  /** Of axis 0 the one position that `bounds`, begin, end and stride, name; the axis is left out. */
  private strided(name: string, x: string, dtype: number, bounds: readonly string[]): string {
    return this.add('StridedSlice', name, [x, ...bounds], {
      T: typeAttr(dtype),
      Index: typeAttr(int32),
      shrink_axis_mask: intAttr(1),
    });
  }

  private add(op: string, name: string, inputs: readonly string[], attributes: Record<string, string>): string {
    return this.writer.add(op, this.own(name), inputs, attributes);
  }

  private whole(name: string, values: number | readonly number[], after?: string): string {
    return this.writer.whole(this.own(name), values, after);
  }

  private own(name: string): string {
    return `${this.prefix}/loop/${name}`;
  }
}

/** A graph under construction: emits ops, each only once, and knows how every value was made. */
import { createHash } from 'node:crypto';
import type { Attribute, Constant, Graph, Node, Value } from '../graph.js';

/** Two calls of it are not one: each draws other numbers. tfjs has no other such op; what else is random, the host draws. */
export const RANDOM = 'Multinomial';

export class Editor {
  readonly nodes: Node[] = [];
  readonly constants = new Map<number, Constant>();
  private readonly values = new Map<number, Value>();
  private readonly producers = new Map<number, Node>();
  /** Old ids of what was replaced. */
  private readonly replaced = new Map<number, number>();
  private readonly emitted = new Map<string, number>();
  private nextId: number;

  constructor(graph: Graph) {
    const made = [...graph.constants.values(), ...graph.nodes.flatMap(({ outputs }) => outputs)];
    this.nextId = Math.min(0, ...made.map(({ id }) => id)) - 1;
    for (const value of [...graph.inputs, ...graph.variables]) this.values.set(value.id, value);
    for (const constant of graph.constants.values()) this.replace(constant.id, this.constant(constant));
  }

  value(id: number): Value {
    const value = this.values.get(id);
    if (!value) throw new Error(`value ${id} is used before it is made`);
    return value;
  }

  shape(id: number): readonly number[] {
    return this.value(id).shape;
  }

  producer(id: number): Node | undefined {
    return this.producers.get(id);
  }

  /** What stands for an old id now. */
  current(id: number): number {
    return this.replaced.get(id) ?? id;
  }

  replace(id: number, by: number): void {
    this.replaced.set(id, by);
  }

  constant({ shape, dtype, values }: Omit<Constant, 'id'>): number {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.once(`${dtype} ${shape.join()} ${createHash('sha1').update(bytes).digest('hex')}`, () => {
      const constant = { id: this.nextId--, shape, dtype, values };
      this.constants.set(constant.id, constant);
      this.values.set(constant.id, constant);
      return constant.id;
    });
  }

  /** Emits an op with one output, unless the same was emitted before. */
  op(op: string, attributes: readonly Attribute[], inputs: number[], { shape, dtype }: Omit<Value, 'id'>): number {
    return this.add({ op, attributes, inputs, outputs: [{ id: this.nextId--, shape, dtype }] })[0] as number;
  }

  /** Emits a node, unless the same was emitted before. Returns its outputs' ids. */
  add(node: Node): number[] {
    const emit = () => {
      this.nodes.push(node);
      for (const output of node.outputs) {
        this.values.set(output.id, output);
        this.producers.set(output.id, node);
      }
      return node.outputs[0]?.id ?? 0;
    };
    if (node.op === RANDOM || node.outputs.length !== 1) {
      emit();
      return node.outputs.map(({ id }) => id);
    }
    return [this.once(JSON.stringify([node.op, node.attributes, node.inputs]), emit)];
  }

  private once(key: string, make: () => number): number {
    const id = this.emitted.get(key) ?? make();
    this.emitted.set(key, id);
    return id;
  }
}

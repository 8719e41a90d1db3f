/** Where a region's values lie: what it is given, what it gives, and scratch memory in between. */
import type { Value } from '../graph.js';
import { C_TYPES } from './operators.js';

/** A cache line. */
const LINE = 64;

const sizeOfType = (type: string): number => ({ bool: 1, uint8_t: 1 })[type] ?? 4;

export const typeOf = ({ dtype }: Value): string => C_TYPES.get(dtype) as string;

/** Offsets into scratch memory: what all chunks share, then what each has for itself, then values for every row. */
export class Memory {
  private readonly sizes = { shared: 0, own: 0, row: 0 };
  private readonly bases = new Map<number, string>();
  readonly inputs: number[] = [];

  constructor(private readonly outputs: readonly Value[]) {}

  /** Room for `count` values that all chunks see. */
  shared(type: string, count: number): string {
    return `at<${type}>(s, ${this.take('shared', type, count)})`;
  }

  /** Room for `count` values of each chunk: `of` says which one. */
  own(type: string, count: number): (of: string) => string {
    const offset = this.take('own', type, count);
    return (of) => `at<${type}>(s, SHARED + ${of} * OWN + ${offset})`;
  }

  /** The first element of a whole value: given, if the region does not make it. */
  base(value: Value, made: { byRow: boolean; width: number } | undefined): string {
    const found = this.bases.get(value.id) ?? this.place(value, made);
    this.bases.set(value.id, found);
    return found;
  }

  /** C++ for the sizes. */
  constants(): string {
    const { shared, own } = this.sizes;
    return `constexpr int64_t SHARED = ${shared}, OWN = ${own};`;
  }

  scratchBytes(): string {
    return `return SHARED + chunks * OWN + rows * ${this.sizes.row};`;
  }

  private place(value: Value, made: { byRow: boolean; width: number } | undefined): string {
    const type = typeOf(value);
    const output = this.outputs.findIndex(({ id }) => id === value.id);
    if (output >= 0) return `static_cast<${type}*>(out[${output}])`;
    if (!made) return `static_cast<const ${type}*>(in[${this.inputs.push(value.id) - 1}])`;
    if (!made.byRow) return this.shared(type, made.width);
    const offset = this.sizes.row;
    this.sizes.row += made.width * sizeOfType(type);
    return `at<${type}>(s, SHARED + chunks * OWN + rows * ${offset})`;
  }

  private take(part: 'shared' | 'own', type: string, count: number): number {
    const offset = this.sizes[part];
    this.sizes[part] += Math.ceil((count * sizeOfType(type)) / LINE) * LINE;
    return offset;
  }
}

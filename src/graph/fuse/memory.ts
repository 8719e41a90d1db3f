/** Where a region's values lie: what it is given, what it gives, and scratch memory in between. */
import type { Step } from './fusedStep.js';
import { C_TYPES } from './operators.js';
import type { Region } from './regions.js';
import type { Values } from './values.js';

/** A cache line, and the longest of numbers, in bytes. */
const [LINE, NUMBER] = [64, 4];

/** Offsets into scratch memory: what all chunks share, then what each has for itself, then values for every row. */
export class Memory {
  private readonly sizes = { shared: 0, own: 0, row: 0 };
  private readonly names = new Map<number, string>();
  private readonly outputs: ReadonlyMap<number, number>;
  /** What all phases may read or write, as C++; the first is p0. */
  readonly pointers: { type: string; address: string }[] = [];
  readonly inputs: number[] = [];
  /** The region's steps, by what they make. */
  readonly made: ReadonlyMap<number, Step>;
  /** Sums that chunks leave, by their names. */
  readonly partial = new Map<Step, string>();

  /** `stored` says when a value is whole in memory, for those that ever are. */
  constructor(
    readonly known: Values,
    readonly region: Region,
    readonly stored: ReadonlyMap<number, number>,
  ) {
    this.made = new Map(region.steps.map((step) => [step.output.id, step]));
    this.outputs = new Map(region.outputs.map(({ id }, i) => [id, i]));
  }

  /** Names room for `count` values of each chunk's own. */
  own(type: string, count: number): string {
    return this.named(type, `at<${type}>(s, SHARED + chunk * OWN + ${this.take('own', count)})`);
  }

  /** Names the first element of a whole value: given, if the region does not make it. */
  base(id: number): string {
    const found = this.names.get(id) ?? this.place(id);
    this.names.set(id, found);
    return found;
  }

  typeOf(id: number): string {
    return C_TYPES.get(this.known.value(id).dtype) as string;
  }

  /** C++ for the sizes. */
  text(): string {
    const { shared, own, row } = this.sizes;
    return `constexpr int64_t SHARED = ${shared}, OWN = ${own};
int64_t scratch_bytes(int64_t rows, int64_t chunks) { return SHARED + chunks * OWN + rows * ${row}; }`;
  }

  private named(type: string, address: string): string {
    return `p${this.pointers.push({ type, address }) - 1}`;
  }

  private place(id: number): string {
    const type = this.typeOf(id);
    const output = this.outputs.get(id);
    if (output !== undefined) return this.named(type, `static_cast<${type}*>(out[${output}])`);
    const made = this.made.get(id);
    if (!made) return this.named(`const ${type}`, `static_cast<const ${type}*>(in[${this.inputs.push(id) - 1}])`);
    if (!made.byRow || made.kind === 'total')
      return this.named(type, `at<${type}>(s, ${this.take('shared', made.width)})`);
    const offset = this.sizes.row;
    this.sizes.row += made.width * NUMBER;
    return this.named(type, `at<${type}>(s, SHARED + chunks * OWN + rows * ${offset})`);
  }

  private take(part: 'shared' | 'own', count: number): number {
    const offset = this.sizes[part];
    this.sizes[part] += Math.ceil((count * NUMBER) / LINE) * LINE;
    return offset;
  }
}

/** How a job of a region gets at values: pointers to what it is given, makes or keeps for itself, declared where they are due. */
import { sizeOf } from '../graph.js';
import { isDirect, isScalar } from './geometry.js';
import { type Memory, typeOf } from './memory.js';
import type { Operand, Step, Steps } from './loops.js';
import { expand } from './text.js';

export interface Place {
  readonly time: number;
  readonly job: 'rows' | 'all' | 'share';
  /** The loop's number. */
  readonly group: number;
}

/** A value that is read in place, and how. */
export interface Access extends Place {
  readonly id: number;
  /** Element i in the turn that makes element i. */
  readonly direct: boolean;
  /** A row of it for each row of the batch. */
  readonly moves: boolean;
}

/** What jobs of one region have in common. */
export interface Setting {
  readonly known: Steps;
  readonly memory: Memory;
  /** The region's steps, by what they make. */
  readonly made: ReadonlyMap<number, Step>;
  /** Whether a value is whole in memory before `time`, or is to be when it is made. */
  readonly isStored: (id: number) => boolean;
  readonly reads: Access[];
  readonly writes: Access[];
  /** Sums that chunks leave: how the one of a chunk is addressed. */
  readonly partial: Map<Step, (of: string) => string>;
}

export const lengthOf = ({ axes }: Operand): number => sizeOf(axes.map(({ size }) => size));

export class Places {
  /** Declared once for a chunk, and for each row. */
  readonly before: string[] = [];
  readonly perRow: string[] = [];
  private readonly pointers = new Map<string, string>();
  private names = 0;

  /** `inside` are the values that the job makes. */
  constructor(
    private readonly inside: ReadonlySet<number>,
    private readonly place: Omit<Place, 'group'>,
    private readonly setting: Setting,
  ) {}

  name(kind: string): string {
    return `${kind}${this.names++}`;
  }

  /** The same for operands that read the same. */
  keyOf({ id, moves, axes, offset }: Operand): string {
    return JSON.stringify([id, moves, isScalar(axes) ? 0 : axes, offset]);
  }

  typed({ id }: Operand): string {
    return typeOf(this.setting.known.value(id));
  }

  /** What an operand is read from: the first element of a row that is read directly, or of a scalar. */
  pointer(operand: Operand, group: number): string {
    const { id, moves, axes, offset } = operand;
    const { known, memory, made, reads } = this.setting;
    const step = made.get(id);
    if (this.inside.has(id)) {
      const whole = this.target(step as Step, undefined);
      return offset > 0 ? `(${whole} + ${offset})` : whole;
    }
    reads.push({ ...this.place, group, id, direct: isDirect(axes) && (moves || this.place.job !== 'rows'), moves });
    const found = this.pointers.get(this.keyOf(operand));
    if (found !== undefined) return found;
    const type = typeOf(known.value(id));
    const base = memory.base(known.value(id), step);
    const name = this.name('p');
    const row = moves ? ` + n * ${sizeOf(known.value(id).shape) / known.rows}` : '';
    const shift = offset > 0 ? ` + ${offset}` : '';
    (moves ? this.perRow : this.before).push(`const ${type}* const ${name} = ${base}${row}${shift};`);
    const isExpanded = this.place.job !== 'share' && !moves && !isDirect(axes) && !isScalar(axes);
    const read = isExpanded ? this.row(type, lengthOf(operand)) : name;
    // What is the same for all rows is repeated to a row once.
    if (isExpanded) this.before.push(expand(read, name, axes));
    this.pointers.set(this.keyOf(operand), read);
    return read;
  }

  /** A row that nobody else sees. */
  row(type: string, width: number): string {
    const { memory } = this.setting;
    const name = this.name('b');
    const room = this.place.job === 'rows' ? memory.own(type, width)('chunk') : memory.shared(type, width);
    this.before.push(`${type}* const ${name} = ${room};`);
    return name;
  }

  /** Where a step of this job leaves what it makes. */
  target(step: Step, group: number | undefined): string {
    const { memory, isStored, writes } = this.setting;
    const { output, byRow, width } = step;
    if (!isStored(output.id)) return this.buffer(step);
    if (group !== undefined) writes.push({ ...this.place, group, id: output.id, direct: true, moves: byRow });
    const key = `to ${output.id}`;
    const found = this.pointers.get(key);
    if (found !== undefined) return found;
    const name = this.name('y');
    const row = byRow ? ` + n * ${width}` : '';
    (byRow ? this.perRow : this.before).push(`${typeOf(output)}* const ${name} = ${memory.base(output, step)}${row};`);
    this.pointers.set(key, name);
    return name;
  }

  private buffer({ output, width }: Step): string {
    const key = `row ${output.id}`;
    const name = this.pointers.get(key) ?? this.row(typeOf(output), width);
    this.pointers.set(key, name);
    return name;
  }
}

/** One job of a region as C++: steps in as few loops as can be, for a row after the other, for everything, or for a share. */
import { sizeOf } from '../graph.js';
import { isDirect, isScalar } from './geometry.js';
import { type Memory, typeOf } from './memory.js';
import type { Operand, Step, Steps } from './steps.js';
import { expand, reduce, REDUCTION, route, vectorLoop } from './text.js';

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

interface Group {
  readonly width: number;
  /** Undefined for a loop of its own. */
  readonly steps: Step[] | undefined;
  readonly lines: string[];
}

const lengthOf = ({ axes }: Operand): number => sizeOf(axes.map(({ size }) => size));

export class Job {
  private readonly groups: Group[] = [];
  private readonly groupOf = new Map<number, number>();
  private readonly before: string[] = [];
  private readonly perRow: string[] = [];
  private readonly after: string[] = [];
  private readonly pointers = new Map<string, string>();
  /** Rows that were made by repeating others. */
  private readonly expanded = new Map<string, string>();
  private readonly inside: ReadonlySet<number>;
  private names = 0;

  constructor(
    private readonly steps: readonly Step[],
    private readonly place: Omit<Place, 'group'>,
    private readonly setting: Setting,
  ) {
    this.inside = new Set(steps.map(({ output }) => output.id));
    for (const step of steps) this.assign(step);
    for (const [g, group] of this.groups.entries()) if (group.steps) this.write(g, group);
  }

  text(): string {
    const body = this.groups.flatMap(({ lines }) => lines);
    if (this.place.job !== 'rows') return [...this.before, ...this.perRow, ...body].join('\n  ');
    const rows = ['for (int64_t n = first; n < last; ++n) {', ...this.perRow, ...body].join('\n    ');
    return [...this.before, rows, '}', ...this.after].join('\n  ');
  }

  /** Finds the loop of a step: the first that comes after those it reads and is as long. */
  private assign(step: Step): void {
    const { output, kind, operands } = step;
    const width = kind === 'map' ? step.width : lengthOf(operands[0] as Operand);
    const isCopy = step.op === '$0' && this.isExpanded(operands[0] as Operand);
    const inLoop = kind === 'total' || (kind === 'map' && !isCopy);
    const least = Math.max(0, ...operands.map((operand) => this.earliest(operand, width, inLoop)));
    if (!inLoop) {
      this.groups.push({ width, steps: undefined, lines: this.alone(step, this.groups.length) });
      this.groupOf.set(output.id, this.groups.length - 1);
      return;
    }
    let g = this.groups.findIndex((group, j) => j >= least && group.steps && group.width === width);
    if (g < 0) g = this.groups.push({ width, steps: [], lines: [] }) - 1;
    this.groups[g]?.steps?.push(step);
    this.groupOf.set(output.id, g);
  }

  private earliest(operand: Operand, width: number, inLoop: boolean): number {
    const g = this.groupOf.get(operand.id);
    if (inLoop && this.expanded.has(this.keyOf(operand))) return this.groups.length;
    if (inLoop && this.isExpanded(operand)) {
      // A row of its own is made of it first.
      const at = this.groups.push({ width, steps: undefined, lines: [] }) - 1;
      const [to, from] = [this.name('e'), this.pointer(operand, at)];
      this.before.push(`${this.typed(operand)}* ${to} = ${this.row(operand, width)};`);
      this.groups[at]?.lines.push(expand(to, from, operand.axes));
      this.expanded.set(this.keyOf(operand), to);
      return at + 1;
    }
    if (g === undefined) return 0;
    const isDirectly = isDirect(operand.axes) || (width === 1 && operand.axes.length === 0);
    const isSame = inLoop && isDirectly && this.groups[g]?.steps && this.groups[g].width === width;
    return isSame ? g : g + 1;
  }

  /** Whether it is repeated by a loop of its own: row by row, or as this job makes it. */
  private isExpanded({ id, moves, axes }: Operand): boolean {
    return (moves || this.inside.has(id)) && !isDirect(axes) && !isScalar(axes);
  }

  private alone(step: Step, group: number): string[] {
    const from = step.operands.map((operand) => this.pointer(operand, group));
    const to = this.target(step, group);
    if (step.kind === 'map') return [expand(to, from[0] ?? '', step.operands[0]?.axes ?? [])];
    const finish = step.op === 'Mean' ? ` / ${lengthOf(step.operands[0] as Operand) / step.width}.0f` : '';
    return [step.kind === 'route' ? route(to, from, step.axes) : reduce(step.op, to, from[0] ?? '', step.axes, finish)];
  }

  /** The loop of a group. */
  private write(g: number, { width, steps = [], lines }: Group): void {
    const locals = new Map<string, string>();
    const start: string[] = [];
    const body: string[] = [];
    // After all reading, as a result may take the place of what is read.
    const stores: string[] = [];
    const local = (operand: Operand): string => {
      const key = this.groupOf.get(operand.id) === g ? `${operand.id}` : this.keyOf(operand);
      const found = locals.get(key);
      if (found !== undefined) return found;
      const name = this.name('x');
      const scalar = isScalar(operand.axes);
      const from = this.expanded.get(key) ?? this.pointer(operand, g);
      const element = `const ${this.typed(operand)} ${name} = ${from}[${scalar ? '0' : 'i'}];`;
      (scalar ? start : body).push(element);
      locals.set(key, name);
      return name;
    };
    for (const step of steps) {
      const from = step.operands.map(local);
      if (step.kind === 'total') {
        body.push(this.accumulate(step, from[0] ?? '', width));
        continue;
      }
      const name = this.name('v');
      const value = step.op.replaceAll(/\$(\d)/g, (_, i: string) => from[Number(i)] ?? '');
      body.push(`const ${typeOf(step.output)} ${name} = ${value};`);
      locals.set(`${step.output.id}`, name);
      if (this.isRead(step, g)) stores.push(`${this.target(step, g)}[i] = ${name};`);
    }
    const share = this.place.job === 'share';
    const bounds = share ? [`${width} * chunk / chunks`, `${width} * (chunk + 1) / chunks`] : ['0', `${width}`];
    lines.push(...start, vectorLoop(bounds[0] ?? '', bounds[1] ?? '', [...body, ...stores].join(' ')));
  }

  /** Whether somebody outside its loop reads it. */
  private isRead({ output }: Step, g: number): boolean {
    if (this.setting.isStored(output.id)) return true;
    return this.steps.some(
      (other) => other.operands.some(({ id }) => id === output.id) && this.groupOf.get(other.output.id) !== g,
    );
  }

  /** A sum over rows: a chunk's own, along the whole row, and only then over the row. */
  private accumulate(step: Step, value: string, width: number): string {
    const { combine, start } = REDUCTION[step.op] as (typeof REDUCTION)[string];
    const sums = this.name('a');
    const own = this.setting.memory.own('float', width);
    this.before.push(`float* const ${sums} = ${own('chunk')}; ${vectorLoop('0', width, `${sums}[i] = ${start};`)}`);
    const isWhole = step.width === width;
    const partial = isWhole ? own : this.setting.memory.own('float', step.width);
    if (!isWhole)
      this.after.push(`{ float* const y = ${partial('chunk')}; ${reduce(step.op, 'y', sums, step.axes, '')} }`);
    this.setting.partial.set(step, partial);
    return `${sums}[i] = ${combine(`${sums}[i]`, value)};`;
  }

  private keyOf({ id, moves, axes, offset }: Operand): string {
    return JSON.stringify([id, moves, isScalar(axes) ? 0 : axes, offset]);
  }

  private typed({ id }: Operand): string {
    return typeOf(this.setting.known.value(id));
  }

  /** What an operand is read from: the first element of a row that is read directly, or of a scalar. */
  private pointer(operand: Operand, group: number): string {
    const { id, moves, axes, offset } = operand;
    const { known, memory, made, reads } = this.setting;
    const step = made.get(id);
    if (this.inside.has(id) && !this.setting.isStored(id)) return this.buffer(step as Step);
    if (this.inside.has(id)) return this.target(step as Step, undefined);
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
    const read = isExpanded ? this.expandOnce(name, operand) : name;
    this.pointers.set(this.keyOf(operand), read);
    return read;
  }

  /** What is the same for all rows is repeated to a row once. */
  private expandOnce(from: string, operand: Operand): string {
    const to = this.name('e');
    this.before.push(`${this.typed(operand)}* const ${to} = ${this.row(operand, lengthOf(operand))};`);
    this.before.push(expand(to, from, operand.axes));
    return to;
  }

  /** Room for a row that nobody else sees. */
  private row(operand: Operand, width: number): string {
    const { memory } = this.setting;
    const type = this.typed(operand);
    return this.place.job === 'rows' ? memory.own(type, width)('chunk') : memory.shared(type, width);
  }

  /** Where a step of this job leaves what it makes. */
  private target(step: Step, group: number | undefined): string {
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

  /** A row that only this job reads. */
  private buffer({ output, width }: Step): string {
    const key = `row ${output.id}`;
    const found = this.pointers.get(key);
    if (found !== undefined) return found;
    const name = this.name('b');
    const operand = { id: output.id, moves: false, axes: [], offset: 0 };
    this.before.push(`${typeOf(output)}* const ${name} = ${this.row(operand, width)};`);
    this.pointers.set(key, name);
    return name;
  }

  private name(kind: string): string {
    return `${kind}${this.names++}`;
  }
}

/** One job of a region as C++: steps in as few loops as can be, for a row after the other, for everything, or for a share. */
import { isDirect, isScalar } from './geometry.js';
import { typeOf } from './memory.js';
import { lengthOf, type Place, Places, type Setting } from './places.js';
import type { Operand, Step } from './loops.js';
import { expand, reduce, REDUCTION, route, vectorLoop } from './text.js';

interface Group {
  readonly width: number;
  /** Undefined for a loop of its own. */
  readonly steps: Step[] | undefined;
  readonly lines: string[];
}

export class Job {
  private readonly groups: Group[] = [];
  private readonly groupOf = new Map<number, number>();
  private readonly after: string[] = [];
  /** Rows that were made by repeating others. */
  private readonly expanded = new Map<string, string>();
  private readonly inside: ReadonlySet<number>;
  private readonly places: Places;

  constructor(
    private readonly steps: readonly Step[],
    private readonly place: Omit<Place, 'group'>,
    private readonly setting: Setting,
  ) {
    this.inside = new Set(steps.map(({ output }) => output.id));
    this.places = new Places(this.inside, place, setting);
    for (const step of steps) this.assign(step);
    for (const [g, group] of this.groups.entries()) if (group.steps) this.write(g, group);
  }

  text(): string {
    const { before, perRow } = this.places;
    const body = this.groups.flatMap(({ lines }) => lines);
    if (this.place.job !== 'rows') return [...before, ...body].join('\n  ');
    const rows = ['for (int64_t n = first; n < last; ++n) {', ...perRow, ...body].join('\n    ');
    return [...before, rows, '}', ...this.after].join('\n  ');
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
    if (inLoop && this.expanded.has(this.places.keyOf(operand))) return this.groups.length;
    if (inLoop && this.isExpanded(operand)) {
      // A row of its own is made of it first.
      const at = this.groups.push({ width, steps: undefined, lines: [] }) - 1;
      const [to, from] = [this.places.row(this.places.typed(operand), width), this.places.pointer(operand, at)];
      this.groups[at]?.lines.push(expand(to, from, operand.axes));
      this.expanded.set(this.places.keyOf(operand), to);
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
    const from = step.operands.map((operand) => this.places.pointer(operand, group));
    const to = this.places.target(step, group);
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
      const key = this.groupOf.get(operand.id) === g ? `${operand.id}` : this.places.keyOf(operand);
      const found = locals.get(key);
      if (found !== undefined) return found;
      const name = this.places.name('x');
      const scalar = isScalar(operand.axes);
      const from = this.expanded.get(key) ?? this.places.pointer(operand, g);
      const element = `const ${this.places.typed(operand)} ${name} = ${from}[${scalar ? '0' : 'i'}];`;
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
      const name = this.places.name('v');
      const value = step.op.replaceAll(/\$(\d)/g, (_, i: string) => from[Number(i)] ?? '');
      body.push(`const ${typeOf(step.output)} ${name} = ${value};`);
      locals.set(`${step.output.id}`, name);
      if (this.isRead(step, g)) stores.push(`${this.places.target(step, g)}[i] = ${name};`);
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
    const sums = this.places.name('a');
    const own = this.setting.memory.own('float', width);
    this.places.before.push(
      `float* const ${sums} = ${own('chunk')}; ${vectorLoop('0', width, `${sums}[i] = ${start};`)}`,
    );
    const isWhole = step.width === width;
    const partial = isWhole ? own : this.setting.memory.own('float', step.width);
    if (!isWhole)
      this.after.push(`{ float* const y = ${partial('chunk')}; ${reduce(step.op, 'y', sums, step.axes, '')} }`);
    this.setting.partial.set(step, partial);
    return `${sums}[i] = ${combine(`${sums}[i]`, value)};`;
  }
}

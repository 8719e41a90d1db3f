/** One job of a region as C++: for a row after the other, for everything, or for a share of it. */
import { sizeOf } from '../graph.js';
import { type Axis, isScalar } from './geometry.js';
import { isInLoop, type Loop, loopsOf } from './loopOrder.js';
import type { Kernel, Operand, Step } from './fusedStep.js';
import type { Memory } from './memory.js';
import { tileOf, tileOfLoop, tileOfOperand } from './tiles.js';

export class Job {
  /** Declared once for a chunk, and for each row. */
  private readonly before: string[] = [];
  private readonly perRow: string[] = [];
  private readonly after: string[] = [];
  readonly loops: readonly Loop[];
  private readonly own: ReadonlySet<number>;
  /** What a loop reads that another one makes. */
  private readonly passedOn: ReadonlySet<number>;
  /** Of a chunk's own, by what they hold. */
  private readonly rooms = new Map<string, string>();

  constructor(
    steps: readonly Step[],
    readonly time: number,
    readonly kind: 'rows' | 'all' | 'share',
    private readonly memory: Memory,
  ) {
    this.own = madeBy(steps);
    const stored = new Set([...this.own].filter((id) => memory.stored.get(id) === time));
    this.loops = loopsOf(steps, kind === 'rows', stored);
    const passedOn = this.loops.map((loop) => {
      const made = madeBy(loop.steps);
      return loop.steps.flatMap(({ operands }) => operands.filter(({ id }) => !made.has(id)));
    });
    this.passedOn = new Set(passedOn.flat().map(({ id }) => id));
  }

  /** Blocks, one after the other. */
  pieces(): string[] {
    const body = this.loops.map((loop) =>
      loop.steps.every(isInLoop) ? this.loop(loop) : loop.steps.map((step) => this.alone(step)).join(''),
    );
    if (this.kind !== 'rows') return [...this.before, ...body];
    const rows = ['for (int64_t n = first; n < last; ++n) {', ...this.perRow, ...body].join('\n    ');
    return [[...this.before, rows, '}', ...this.after].join('\n  ')];
  }

  /** A step with a loop of its own. */
  private alone(step: Step): string {
    const { kind, op, operands, axes, kernel, count = 1 } = step;
    const from = operands.map((operand) => this.pointer(operand));
    if (kernel) return this.convolution(step, kernel, from);
    const to = this.target(step);
    if (kind === 'spread') return `expand_<${axesText(operands[0]?.axes ?? [])}>(${to}, ${from.join()});`;
    if (kind === 'reduce') return `reduce_<${op}, ${axesText(axes)}>(${to}, ${from.join()}, ${count});`;
    const isFolded = axes.at(-1)?.stride === 0;
    return `route_<${axesText(isFolded ? [...axes, ONE] : axes)}>(${[to, ...from].join(', ')});`;
  }

  private convolution(step: Step, { type, packed }: Kernel, [x = '', y = '']: readonly string[]): string {
    const weights = this.memory.own('float', packed);
    if (step.kind === 'conv') {
      this.before.push(`${type}::pack(${y}, ${weights});`);
      return `${type}::forward(${x}, ${weights}, ${this.target(step)});`;
    }
    const result = this.memory.own('float', step.width);
    this.before.push(`clear_<Sum, ${packed}>(${weights});`);
    this.after.push(`${type}::unpack(${weights}, ${result});`);
    this.memory.partial.set(step, result);
    return `${type}::filterGrad(${x}, ${y}, ${weights});`;
  }

  private loop({ width, steps }: Loop): string {
    const tile = this.kind === 'rows' ? tileOfLoop(steps) : undefined;
    const at = tile === undefined ? 'i' : 'j + i';
    const made = madeBy(steps);
    const names = new Map<number | string, string>();
    const start: string[] = [];
    const body: string[] = [];
    // After all reading, as a result may take the place of what is read.
    const stores: string[] = [];
    const ends: string[] = [];
    const local = (operand: Operand): string => {
      const { id, axes } = operand;
      const isRepeated = tile !== undefined && tileOfOperand(operand, true) !== undefined;
      const address = () =>
        isRepeated ? `${this.repeated(operand, tile)}[i]` : `${this.pointer(operand)}[${isScalar(axes) ? 0 : at}]`;
      const key = made.has(id) ? id : address();
      const found = names.get(key);
      if (found !== undefined) return found;
      const name = `v${names.size}`;
      (isScalar(axes) ? start : body).push(`const ${this.memory.typeOf(id)} ${name} = ${key};`);
      names.set(key, name);
      return name;
    };
    for (const step of steps) {
      const from = step.operands.map(local);
      const { id } = step.output;
      if (step.kind === 'total') {
        const isTiled = tile !== undefined && tileOf(step.axes) !== undefined;
        const sums = this.sums(step, isTiled ? tile : width);
        // As a sum of the sums of rows, whose rounding is less.
        const own = isTiled ? this.memory.own('float', tile) : sums;
        const sum = `${own}[${isTiled ? 'i' : at}]`;
        body.push(`${sum} = ${step.op}::of(${sum}, ${from.join()});`);
        if (!isTiled) continue;
        this.perRow.push(`clear_<${step.op}, ${tile}>(${own});`);
        ends.push(`add_<${step.op}, ${tile}>(${sums}, ${own});`);
        continue;
      }
      const name = `v${names.size}`;
      const value = step.op.replaceAll(/\$(\d)/g, (_, k: string) => from[Number(k)] ?? '');
      body.push(`const ${this.memory.typeOf(id)} ${name} = ${value};`);
      names.set(id, name);
      if (this.isRead(step)) stores.push(`${this.target(step)}[${at}] = ${name};`);
    }
    const share = [`${width} * chunk / chunks`, `${width} * (chunk + 1) / chunks`] as const;
    const [begin, end] = this.kind === 'share' ? share : ['0', tile ?? width];
    const tiles = tile === undefined ? '' : `for (int64_t j = 0; j < ${width}; j += ${tile})`;
    // Turns have no part in each other.
    const inner = `_Pragma("GCC ivdep") for (int64_t i = ${begin}; i < ${end}; ++i) { ${[...body, ...stores].join(' ')} }`;
    return ['{', ...start, tiles, inner, ...ends, '}'].join(' ');
  }

  /** Whether somebody outside its loop reads it. */
  private isRead({ output: { id } }: Step): boolean {
    return this.memory.stored.get(id) === this.time || this.passedOn.has(id);
  }

  /** A chunk's own sums over its rows, of some elements side by side, which are only then added up themselves. */
  private sums(step: Step, width: number): string {
    const { op, axes, width: kept } = step;
    const sums = this.memory.own('float', width);
    this.before.push(`clear_<${op}, ${width}>(${sums});`);
    const result = this.memory.own('float', kept);
    const tiled = tileOf(axes) === undefined ? axes : [{ size: width / kept, stride: 0 }, ...axes.slice(1)];
    this.after.push(`reduce_<${op}, ${axesText(tiled)}>(${result}, ${sums}, 1);`);
    this.memory.partial.set(step, result);
    return sums;
  }

  /** A value that repeats itself along a row, as often as fits into a tile. */
  private repeated(operand: Operand, tile: number): string {
    const [, period = ONE] = operand.axes;
    const from = this.pointer(operand);
    const key = `${tile} / ${period.size} of ${from}`;
    const isNew = !this.rooms.has(key);
    const to = this.room(key, this.memory.typeOf(operand.id), tile);
    const axes = axesText([{ size: tile / period.size, stride: 0 }, period]);
    if (isNew) this.before.push(`expand_<${axes}>(${to}, ${from});`);
    return to;
  }

  private room(key: string, type: string, count: number): string {
    const found = this.rooms.get(key) ?? this.memory.own(type, count);
    this.rooms.set(key, found);
    return found;
  }

  /** What an operand is read from: the first element of a row, or of everything. */
  private pointer({ id, moves, offset }: Operand): string {
    const { known, made } = this.memory;
    const step = this.own.has(id) ? made.get(id) : undefined;
    const row = moves ? ` + n * ${sizeOf(known.value(id).shape) / known.rows}` : '';
    const first = step ? this.target(step) : `${this.memory.base(id)}${row}`;
    return `(${first}${offset > 0 ? ` + ${offset}` : ''})`;
  }

  /** Where a step of this job leaves what it makes: in memory that others see, or in a row of its own. */
  private target({ byRow, width, output: { id } }: Step): string {
    const { memory } = this;
    if (memory.stored.get(id) !== this.time) return this.room(`${id}`, memory.typeOf(id), width);
    return `(${memory.base(id)}${byRow ? ` + n * ${width}` : ''})`;
  }
}

const ONE: Axis = { size: 1, stride: 1 };

const madeBy = (steps: readonly Step[]): Set<number> => new Set(steps.map(({ output }) => output.id));

/** As C++'s templates take them. */
function axesText(axes: readonly Axis[]): string {
  return (axes.length > 0 ? axes : [ONE]).map(({ size, stride }) => `Axis<${size}, ${stride}>`).join(', ');
}

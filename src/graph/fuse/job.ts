/** One job of a region as C++: for a row after the other, for everything, or for a share of it. */
import { sizeOf } from '../graph.js';
import { isScalar } from './geometry.js';
import { isInLoop, lengthOf, type Loop, loopsOf } from './loopOrder.js';
import type { Kernel, Operand, Step } from './fusedStep.js';
import type { Memory } from './memory.js';
import { accumulated, cleared, expand, reduce, route, vectorLoop } from './text.js';
import { tileOf, tileOfLoop, tileOfOperand } from './tiles.js';

export class Job {
  /** Declared once for a chunk, and for each row. */
  private readonly before: string[] = [];
  private readonly perRow: string[] = [];
  private readonly after: string[] = [];
  readonly loops: readonly Loop[];
  private readonly loopOf: ReadonlyMap<number, number>;
  private readonly pointers = new Map<string, string>();
  private names = 0;

  constructor(
    private readonly steps: readonly Step[],
    readonly time: number,
    readonly kind: 'rows' | 'all' | 'share',
    private readonly memory: Memory,
  ) {
    this.loops = loopsOf(steps);
    this.loopOf = new Map(this.loops.flatMap((loop, i) => loop.steps.map(({ output }) => [output.id, i])));
  }

  text(): string {
    const body = this.loops.map((loop, i) =>
      loop.steps.every(isInLoop) ? this.loop(loop, i) : loop.steps.map((step) => this.alone(step)).join(''),
    );
    if (this.kind !== 'rows') return [...this.before, ...body].join('\n  ');
    const rows = ['for (int64_t n = first; n < last; ++n) {', ...this.perRow, ...body].join('\n    ');
    return [...this.before, rows, '}', ...this.after].join('\n  ');
  }

  /** A step with a loop of its own. */
  private alone(step: Step): string {
    const { kind, op, operands, axes, width, kernel } = step;
    const from = operands.map((operand) => this.pointer(operand));
    if (kernel) return this.convolution(step, kernel, from);
    const [x] = operands as [Operand];
    const [start = ''] = from;
    const to = this.target(step);
    if (kind === 'route') return route(to, from, axes);
    if (kind === 'spread') return expand(to, start, x.axes);
    return reduce(op, to, start, axes, op === 'Mean' ? ` / ${lengthOf(x) / width}.0f` : '');
  }

  private convolution(step: Step, { type, packed }: Kernel, [x = '', y = '']: readonly string[]): string {
    const weights = this.name('w');
    this.before.push(`float* const ${weights} = ${this.memory.own('float', packed)('chunk')};`);
    if (step.kind === 'conv') {
      this.before.push(`${type}::pack(${y}, ${weights});`);
      return `${type}::forward(${x}, ${weights}, ${this.target(step)});`;
    }
    const result = this.memory.own('float', step.width);
    this.before.push(vectorLoop('0', packed, `${weights}[i] = 0;`));
    this.after.push(`${type}::unpack(${weights}, ${result('chunk')});`);
    this.memory.partial.set(step, result);
    return `${type}::filterGrad(${x}, ${y}, ${weights});`;
  }

  private loop({ width, steps }: Loop, i: number): string {
    const tile = this.kind === 'rows' ? tileOfLoop(steps) : undefined;
    const at = tile === undefined ? 'i' : 'j + i';
    const locals = new Map<string, string>();
    const start: string[] = [];
    const body: string[] = [];
    // After all reading, as a result may take the place of what is read.
    const stores: string[] = [];
    const ends: string[] = [];
    const local = (operand: Operand): string => {
      const key = this.loopOf.get(operand.id) === i ? `${operand.id}` : keyOf(operand);
      const found = locals.get(key);
      if (found !== undefined) return found;
      const name = this.name('x');
      const scalar = isScalar(operand.axes);
      const type = this.memory.typeOf(operand.id);
      const isRepeated = tile !== undefined && tileOfOperand(operand, true) !== undefined;
      const from = isRepeated ? `${this.repeated(operand, tile)}[i]` : `${this.pointer(operand)}[${scalar ? 0 : at}]`;
      (scalar ? start : body).push(`const ${type} ${name} = ${from};`);
      locals.set(key, name);
      return name;
    };
    for (const step of steps) {
      const from = step.operands.map(local);
      if (step.kind === 'total') {
        const isTiled = tile !== undefined && tileOf(step.axes) !== undefined;
        const sums = this.sums(step, isTiled ? tile : width);
        // As a sum of the sums of rows, whose rounding is less.
        const own = isTiled ? this.room(`row ${step.output.id}`, 'float', tile) : sums;
        body.push(accumulated(step.op, `${own}[${isTiled ? 'i' : at}]`, from[0] ?? ''));
        if (!isTiled) continue;
        this.perRow.push(cleared(step.op, own, tile));
        ends.push(vectorLoop('0', tile, accumulated(step.op, `${sums}[i]`, `${own}[i]`)));
        continue;
      }
      const name = this.name('v');
      const value = step.op.replaceAll(/\$(\d)/g, (_, k: string) => from[Number(k)] ?? '');
      body.push(`const ${this.memory.typeOf(step.output.id)} ${name} = ${value};`);
      locals.set(`${step.output.id}`, name);
      if (this.isRead(step, i)) stores.push(`${this.target(step)}[${at}] = ${name};`);
    }
    const share = [`${width} * chunk / chunks`, `${width} * (chunk + 1) / chunks`] as const;
    const [begin, end] = this.kind === 'share' ? share : ['0', tile ?? width];
    const inner = vectorLoop(begin, end, [...body, ...stores].join(' '));
    const tiles = tile === undefined ? '' : `for (int64_t j = 0; j < ${width}; j += ${tile})`;
    return [...start, tiles, inner, ...ends].join(' ');
  }

  /** Whether somebody outside its loop reads it. */
  private isRead({ output: { id } }: Step, i: number): boolean {
    if (this.memory.stored.get(id) === this.time) return true;
    return this.steps.some(
      ({ operands, output }) => operands.some((operand) => operand.id === id) && this.loopOf.get(output.id) !== i,
    );
  }

  /** A chunk's own sums over its rows, of some elements side by side, which are only then added up themselves. */
  private sums(step: Step, width: number): string {
    const sums = this.name('a');
    const own = this.memory.own('float', width);
    this.before.push(`float* const ${sums} = ${own('chunk')}; ${cleared(step.op, sums, width)}`);
    const isWhole = step.width === width;
    const result = isWhole ? own : this.memory.own('float', step.width);
    const rest = step.axes.slice(1);
    const axes = tileOf(step.axes) === undefined ? step.axes : [{ size: width / step.width, stride: 0 }, ...rest];
    if (!isWhole) this.after.push(`{ float* const y = ${result('chunk')}; ${reduce(step.op, 'y', sums, axes, '')} }`);
    this.memory.partial.set(step, result);
    return sums;
  }

  /** A value that repeats itself along a row, as often as fits into a tile. */
  private repeated(operand: Operand, tile: number): string {
    const key = `tile ${tile} ${keyOf(operand)}`;
    const isNew = !this.pointers.has(key);
    const from = this.pointer(operand);
    const type = this.memory.typeOf(operand.id);
    const name = this.room(key, type, tile);
    const [, period = { size: 1, stride: 1 }] = operand.axes;
    if (isNew) this.before.push(expand(name, from, [{ size: tile / period.size, stride: 0 }, period]));
    return name;
  }

  /** Room of a chunk's own, by a name. */
  private room(key: string, type: string, count: number): string {
    return this.named(key, 'e', false, () => this.memory.own(type, count)('chunk'));
  }

  private name(kind: string): string {
    return `${kind}${this.names++}`;
  }

  /** Names what is found at an address, where it has no name yet. */
  private named(key: string, kind: string, perRow: boolean, address: () => string): string {
    const found = this.pointers.get(key);
    if (found !== undefined) return found;
    const name = this.name(kind);
    (perRow ? this.perRow : this.before).push(`auto* const ${name} = ${address()};`);
    this.pointers.set(key, name);
    return name;
  }

  /** What an operand is read from: the first element of a row, or of everything. */
  private pointer(operand: Operand): string {
    const { id, moves, offset } = operand;
    const { known, made } = this.memory;
    const step = made.get(id);
    const shift = offset > 0 ? ` + ${offset}` : '';
    if (step && this.loopOf.has(id)) return `(${this.target(step)}${shift})`;
    const row = moves ? ` + n * ${sizeOf(known.value(id).shape) / known.rows}` : '';
    return this.named(keyOf(operand), 'p', moves, () => `${this.memory.base(id)}${row}${shift}`);
  }

  /** Where a step of this job leaves what it makes: in memory that others see, or in a row of its own. */
  private target(step: Step): string {
    const { memory } = this;
    const { byRow, width, output } = step;
    const { id } = output;
    if (memory.stored.get(id) !== this.time) return this.room(`to ${id}`, memory.typeOf(id), width);
    return this.named(`to ${id}`, 'y', byRow, () => `${memory.base(id)}${byRow ? ` + n * ${width}` : ''}`);
  }
}

/** The same for operands that read the same. */
function keyOf({ id, moves, axes, offset }: Operand): string {
  return JSON.stringify([id, moves, isScalar(axes) ? 0 : axes, offset]);
}

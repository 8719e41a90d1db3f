/** One job of a region as C++: for a row after the other, for everything, or for a share of it. */
import { sizeOf } from '../graph.js';
import { isDirect, isScalar } from './geometry.js';
import { isInLoop, lengthOf, type Loop, loopsOf } from './loopOrder.js';
import type { Steps } from './loops.js';
import type { Kernel, Operand, Step } from './fusedStep.js';
import { type Memory, typeOf } from './memory.js';
import { expand, reduce, REDUCTION, route, vectorLoop } from './text.js';

interface Place {
  readonly time: number;
  readonly job: 'rows' | 'all' | 'share';
}

/** A value that is read or written in place, and how. */
export interface Access extends Place {
  readonly id: number;
  /** The loop's number. */
  readonly loop: number;
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

export class Job {
  /** Declared once for a chunk, and for each row. */
  private readonly before: string[] = [];
  private readonly perRow: string[] = [];
  private readonly after: string[] = [];
  private readonly loops: readonly Loop[];
  private readonly loopOf: ReadonlyMap<number, number>;
  private readonly pointers = new Map<string, string>();
  private names = 0;

  constructor(
    private readonly steps: readonly Step[],
    private readonly place: Place,
    private readonly setting: Setting,
  ) {
    this.loops = loopsOf(steps);
    this.loopOf = new Map(this.loops.flatMap((loop, i) => loop.steps.map(({ output }) => [output.id, i])));
  }

  text(): string {
    const body = this.loops.map((loop, i) => (loop.steps.every(isInLoop) ? this.loop(loop, i) : this.alone(loop, i)));
    if (this.place.job !== 'rows') return [...this.before, ...body].join('\n  ');
    const rows = ['for (int64_t n = first; n < last; ++n) {', ...this.perRow, ...body].join('\n    ');
    return [...this.before, rows, '}', ...this.after].join('\n  ');
  }

  /** A step with a loop of its own. */
  private alone({ steps: [step] }: Loop, i: number): string {
    if (step?.kernel) return this.convolution(step, step.kernel, i);
    const { kind, op, operands, axes, width } = step as Step;
    const from = operands.map((operand) => this.pointer(operand, i));
    const to = this.target(step as Step, i);
    if (kind === 'route') return route(to, from, axes);
    const [x] = operands as [Operand];
    if (kind === 'spread') return expand(to, from[0] ?? '', x.axes);
    return reduce(op, to, from[0] ?? '', axes, op === 'Mean' ? ` / ${lengthOf(x) / width}.0f` : '');
  }

  private convolution(step: Step, { type, packed }: Kernel, i: number): string {
    const { memory, partial } = this.setting;
    const [x = '', y = ''] = step.operands.map((operand) => this.pointer(operand, i));
    const weights = this.name('w');
    this.before.push(`float* const ${weights} = ${memory.own('float', packed)('chunk')};`);
    if (step.kind === 'conv') {
      this.before.push(`${type}::pack(${y}, ${weights});`);
      return `${type}::forward(${x}, ${weights}, ${this.target(step, i)});`;
    }
    const result = memory.own('float', step.width);
    this.before.push(vectorLoop('0', packed, `${weights}[i] = 0;`));
    this.after.push(`${type}::unpack(${weights}, ${result('chunk')});`);
    partial.set(step, result);
    return `${type}::filterGrad(${x}, ${y}, ${weights});`;
  }

  private loop({ width, steps }: Loop, i: number): string {
    const locals = new Map<string, string>();
    const start: string[] = [];
    const body: string[] = [];
    // After all reading, as a result may take the place of what is read.
    const stores: string[] = [];
    const local = (operand: Operand): string => {
      const key = this.loopOf.get(operand.id) === i ? `${operand.id}` : keyOf(operand);
      const found = locals.get(key);
      if (found !== undefined) return found;
      const name = this.name('x');
      const scalar = isScalar(operand.axes);
      const type = typeOf(this.setting.known.value(operand.id));
      (scalar ? start : body).push(`const ${type} ${name} = ${this.pointer(operand, i)}[${scalar ? '0' : 'i'}];`);
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
      const value = step.op.replaceAll(/\$(\d)/g, (_, k: string) => from[Number(k)] ?? '');
      body.push(`const ${typeOf(step.output)} ${name} = ${value};`);
      locals.set(`${step.output.id}`, name);
      if (this.isRead(step, i)) stores.push(`${this.target(step, i)}[i] = ${name};`);
    }
    const share = this.place.job === 'share';
    const [begin, end] = share ? [`${width} * chunk / chunks`, `${width} * (chunk + 1) / chunks`] : ['0', width];
    return [...start, vectorLoop(begin, end, [...body, ...stores].join(' '))].join(' ');
  }

  /** Whether somebody outside its loop reads it. */
  private isRead({ output: { id } }: Step, i: number): boolean {
    if (this.setting.isStored(id)) return true;
    return this.steps.some(
      ({ operands, output }) => operands.some((operand) => operand.id === id) && this.loopOf.get(output.id) !== i,
    );
  }

  /** A sum over rows: a chunk's own, along the whole row, and only then over the row. */
  private accumulate(step: Step, value: string, width: number): string {
    const { memory, partial } = this.setting;
    const { combine, start } = REDUCTION[step.op] as (typeof REDUCTION)[string];
    const sums = this.name('a');
    const own = memory.own('float', width);
    this.before.push(`float* const ${sums} = ${own('chunk')}; ${vectorLoop('0', width, `${sums}[i] = ${start};`)}`);
    const isWhole = step.width === width;
    const result = isWhole ? own : memory.own('float', step.width);
    if (!isWhole)
      this.after.push(`{ float* const y = ${result('chunk')}; ${reduce(step.op, 'y', sums, step.axes, '')} }`);
    partial.set(step, result);
    return `${sums}[i] = ${combine(`${sums}[i]`, value)};`;
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
  private pointer(operand: Operand, loop: number): string {
    const { id, moves, axes, offset } = operand;
    const { known, memory, made, reads } = this.setting;
    const step = made.get(id);
    const shift = offset > 0 ? ` + ${offset}` : '';
    if (step && this.loopOf.has(id)) return `(${this.target(step)}${shift})`;
    reads.push({ ...this.place, loop, id, direct: isDirect(axes) && (moves || this.place.job !== 'rows'), moves });
    const row = moves ? ` + n * ${sizeOf(known.value(id).shape) / known.rows}` : '';
    return this.named(keyOf(operand), 'p', moves, () => `${memory.base(known.value(id), step)}${row}${shift}`);
  }

  /** Where a step of this job leaves what it makes: in memory that others see, or in a row of its own. */
  private target(step: Step, loop?: number): string {
    const { memory, isStored, writes } = this.setting;
    const { output, byRow, width } = step;
    const { id } = output;
    if (!isStored(id))
      return this.named(`row ${id}`, 'b', false, () =>
        this.place.job === 'rows' ? memory.own(typeOf(output), width)('chunk') : memory.shared(typeOf(output), width),
      );
    if (loop !== undefined) writes.push({ ...this.place, loop, id, direct: true, moves: byRow });
    return this.named(`to ${id}`, 'y', byRow, () => `${memory.base(output, step)}${byRow ? ` + n * ${width}` : ''}`);
  }
}

/** The same for operands that read the same. */
function keyOf({ id, moves, axes, offset }: Operand): string {
  return JSON.stringify([id, moves, isScalar(axes) ? 0 : axes, offset]);
}

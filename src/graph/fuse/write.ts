/** Writes a region as C++. */
import { sizeOf, type Value } from '../graph.js';
import { isDirect } from './geometry.js';
import { Job } from './job.js';
import { Memory } from './memory.js';
import { isPass, schedule } from './phases.js';
import type { Region } from './regions.js';
import type { Steps } from './loops.js';
import type { Operand, Step } from './fusedStep.js';

/** What stands for the region's name in its code. */
export const NAME = '$NAME';

export interface WrittenRegion {
  readonly source: string;
  /** The values that it is given, in their order. */
  readonly inputs: readonly number[];
  readonly outputs: readonly Value[];
  /** By output: the input whose memory it may take over, or -1. */
  readonly forward: readonly number[];
}

export function writeRegion(region: Region, known: Steps): WrittenRegion {
  const { phases, stored } = schedule(region);
  const memory = new Memory(known, region, stored);
  const written: Job[] = [];
  const bodies: Body[] = [];
  for (const [time, steps] of [...phases, []].entries()) {
    const totals = (phases[time - 1] ?? []).filter(({ kind }) => kind === 'total');
    const sums = totals.map((step) => finish(step, memory));
    const jobs = jobsOf(time, steps, memory);
    if (sums.length + jobs.length === 0) continue;
    const pieces = jobs.flatMap((job) => job.pieces().map((piece) => `{\n  ${piece}\n  }`));
    bodies.push({ isPass: isPass(time), pieces: [...sums, ...pieces] });
    written.push(...jobs);
  }
  return {
    source: assemble(bodies, memory),
    inputs: memory.inputs,
    outputs: region.outputs,
    forward: takenOver(written, memory),
  };
}

function jobsOf(time: number, steps: readonly Step[], memory: Memory): Job[] {
  const kindOf = ({ byRow }: Step) => (!isPass(time) ? 'all' : byRow ? 'rows' : 'share');
  return (['all', 'rows', 'share'] as const).flatMap((kind) => {
    const own = steps.filter((step) => kindOf(step) === kind);
    return own.length > 0 ? new Job(own, time, kind, memory) : [];
  });
}

/** What chunks have summed up is read from the first one's on, which is the one that is at work between passes. */
function finish(step: Step, memory: Memory): string {
  const { op, output, width, count } = step;
  const [to, from] = [memory.base(output.id), memory.partial.get(step) ?? ''];
  const by = count === undefined ? 1 : `rows * ${count}`;
  return `finish_<${op}, ${width}>(${to}, ${from}, chunks, OWN / sizeof(float), ${by});`;
}

/** Outputs that may take the place of an input: whatever reads it does so before, or in the very turn of the loop. */
function takenOver(jobs: readonly Job[], { known, region, stored, inputs }: Memory): number[] {
  const taken = new Set<number>();
  const loops = jobs.flatMap(({ time, kind, loops }) => loops.map(({ steps }) => ({ time, kind, steps })));
  type Read = Operand & { loop: (typeof loops)[number] };
  const reads = new Map<number, Read[]>();
  const writes = new Map<number, Read['loop']>();
  for (const loop of loops)
    for (const { operands, output, kind } of loop.steps) {
      for (const operand of operands) {
        const read = { ...operand, loop };
        const others = reads.get(operand.id);
        if (others) others.push(read);
        else reads.set(operand.id, [read]);
      }
      if (kind !== 'total' && loop.time === stored.get(output.id)) writes.set(output.id, loop);
    }
  return region.outputs.map(({ id: made, dtype, shape }) => {
    const write = writes.get(made);
    const isBefore = ({ loop, moves, axes }: Read) =>
      write && (loop.time < write.time || (loop === write && isDirect(axes) && (moves || loop.kind !== 'rows')));
    const fits = (id: number) => {
      const value = known.value(id);
      const isAlike = value.dtype === dtype && sizeOf(value.shape) === sizeOf(shape);
      const isFree = isAlike && !taken.has(id) && known.producers.has(id);
      return isFree && (reads.get(id) ?? []).every(isBefore);
    };
    const i = inputs.findIndex(fits);
    if (i >= 0) taken.add(inputs[i] as number);
    return i;
  });
}

interface Body {
  isPass: boolean;
  pieces: string[];
}

/** So many pieces of code that are equal but for their pointers, as layers of one shape make, become one function. */
const REPEATED = 3;

const GIVEN = ['chunk', 'chunks', 'rows', 'first', 'last'];

/** A piece with its pointers as parameters, and what they are for it. */
function abstracted(piece: string, { pointers }: Memory) {
  const used = [...new Set(piece.match(/\bp\d+\b/g))];
  const places = new Map(used.map((name, i) => [name, `q${i}`]));
  const types = used.map((name) => pointers[Number(name.slice(1))]?.type ?? '');
  const parameters = [...GIVEN.map((name) => `int64_t ${name}`), ...types.map((type, i) => `${type}* const q${i}`)];
  const body = piece.replaceAll(/\bp\d+\b/g, (name) => places.get(name) ?? name);
  return { used, code: `(${parameters.join(', ')}) {\n  ${body}\n}` };
}

/** The functions, and the pieces as they call them. */
function shared(bodies: readonly Body[], memory: Memory) {
  const all = bodies.map(({ pieces }) => pieces.map((piece) => ({ piece, ...abstracted(piece, memory) })));
  const counts = new Map<string, number>();
  for (const { code } of all.flat()) counts.set(code, (counts.get(code) ?? 0) + 1);
  const codes = [...counts].flatMap(([code, count]) => (count >= REPEATED ? [code] : []));
  const names = new Map(codes.map((code, i) => [code, `f${i}`]));
  const called = all.map((pieces) =>
    pieces.map(({ piece, used, code }) => {
      const name = names.get(code);
      return name === undefined ? piece : `${name}(${[...GIVEN, ...used].join(', ')});`;
    }),
  );
  return { functions: codes.map((code) => `__attribute__((noinline)) void ${names.get(code) ?? ''}${code}`), called };
}

function assemble(bodies: readonly Body[], memory: Memory): string {
  const { functions, called } = shared(bodies, memory);
  const phases = called.map((pieces, k) => {
    const alone = bodies[k]?.isPass ? [] : ['if (chunk > 0) return;'];
    return `if (phase == ${k}) {\n  ${[...alone, ...pieces].join('\n  ')}\n  }`;
  });
  const pointers = memory.pointers.map(({ address }, i) => `auto* const p${i} = ${address};`);
  return `namespace {
${[memory.text(), ...functions].join('\n')}
void run(int64_t phase, int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* s) {
  const int64_t first = rows * chunk / chunks, last = rows * (chunk + 1) / chunks;
  ${[...pointers, ...phases].join('\n  ')}
}
}
extern "C" const Region ${NAME} = {${bodies.length}, scratch_bytes, run};
`;
}

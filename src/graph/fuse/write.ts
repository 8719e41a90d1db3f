/** Writes a region as C++. */
import { sizeOf, type Value } from '../graph.js';
import { isDirect } from './geometry.js';
import { Job } from './job.js';
import { Memory } from './memory.js';
import { isPass, schedule } from './phases.js';
import type { Region } from './regions.js';
import type { Steps } from './loops.js';
import type { Step } from './fusedStep.js';

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
  const bodies: string[] = [];
  for (const [time, steps] of [...phases, []].entries()) {
    const totals = (phases[time - 1] ?? []).filter(({ kind }) => kind === 'total');
    const sums = totals.map((step) => finish(step, memory));
    const jobs = jobsOf(time, steps, memory);
    if (sums.length + jobs.length === 0) continue;
    const alone = isPass(time) ? [] : ['if (chunk > 0) return;'];
    bodies.push([...alone, ...sums, ...jobs.map((job) => `{\n  ${job.text()}\n  }`)].join('\n  '));
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
  const reads = loops.flatMap((loop) =>
    loop.steps.flatMap(({ operands }) => operands.map((operand) => ({ ...operand, loop }))),
  );
  return region.outputs.map(({ id: made, dtype, shape }) => {
    const isMade = ({ output, kind }: Step) => output.id === made && kind !== 'total';
    const write = loops.find(({ time, steps }) => time === stored.get(made) && steps.some(isMade));
    const isBefore = ({ loop, moves, axes }: (typeof reads)[number]) =>
      write && (loop.time < write.time || (loop === write && isDirect(axes) && (moves || loop.kind !== 'rows')));
    const fits = (id: number) => {
      const value = known.value(id);
      const isAlike = value.dtype === dtype && sizeOf(value.shape) === sizeOf(shape);
      const isFree = isAlike && !taken.has(id) && known.producers.has(id);
      return isFree && reads.every((read) => read.id !== id || isBefore(read));
    };
    const i = inputs.findIndex(fits);
    if (i >= 0) taken.add(inputs[i] as number);
    return i;
  });
}

function assemble(bodies: readonly string[], memory: Memory): string {
  const phases = bodies.map((body, k) => `if (phase == ${k}) {\n  ${body}\n  }`);
  return `namespace {
${memory.text()}
void run(int64_t phase, int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* s) {
  const int64_t first = rows * chunk / chunks, last = rows * (chunk + 1) / chunks;
  ${[...memory.pointers, ...phases].join('\n  ')}
}
}
extern "C" const Region ${NAME} = {${bodies.length}, scratch_bytes, run};
`;
}

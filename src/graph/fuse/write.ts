/** Writes a region as C++. */
import { sizeOf, type Value } from '../graph.js';
import { Job } from './job.js';
import { Memory } from './memory.js';
import { isPass, isShared, type Phase, schedule } from './phases.js';
import type { Region } from './regions.js';
import type { Steps } from './loops.js';
import type { Access, Setting } from './setting.js';
import type { Step } from './fusedStep.js';
import { REDUCTION, vectorLoop } from './text.js';

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
  const made = new Map(region.steps.map((step) => [step.output.id, step]));
  const memory = new Memory(region.outputs);
  const common = { known, memory, made, reads: [], writes: [], partial: new Map() };
  const isStoredAt = (time: number) => (id: number) => stored.get(id) === time;
  const bodies: string[] = [];
  const times = new Map(phases.map((phase) => [phase.time, phase]));
  const totals = new Map<number, Step[]>();
  for (const { time, steps } of phases)
    totals.set(
      time + 1,
      steps.filter(({ kind }) => kind === 'total'),
    );
  const lastTime = Math.max(...times.keys()) + 1;
  const setting: Setting = { ...common, isStored: () => false };
  for (let time = 0; time <= lastTime; time++) {
    const sums = (totals.get(time) ?? []).map((step) => finish(step, setting));
    const jobs = jobsOf(times.get(time), { ...setting, isStored: isStoredAt(time) });
    if (sums.length + jobs.length === 0) continue;
    const alone = isPass(time) ? [] : ['if (chunk > 0) return;'];
    bodies.push([...alone, ...sums, ...jobs].join('\n  '));
  }
  return {
    source: assemble(bodies, memory),
    inputs: memory.inputs,
    outputs: region.outputs,
    forward: takenOver(region.outputs, setting, memory),
  };
}

function jobsOf(phase: Phase | undefined, setting: Setting): string[] {
  if (!phase) return [];
  const { time, steps } = phase;
  const parts = isPass(time)
    ? ([
        ['rows', steps.filter(({ byRow }) => byRow)],
        ['share', steps.filter(isShared)],
      ] as const)
    : ([['all', steps]] as const);
  return parts
    .filter(([, list]) => list.length > 0)
    .map(([job, list]) => new Job(list, { time, job }, setting).text())
    .map((text) => `{\n  ${text}\n  }`);
}

/** Puts together what the chunks have summed up, in their order. */
function finish(step: Step, { memory, partial, known }: Setting): string {
  const { op, output, width } = step;
  const { combine } = REDUCTION[op] as (typeof REDUCTION)[string];
  const of = partial.get(step) as (of: string) => string;
  const add = vectorLoop('0', width, `y[i] = ${combine('y[i]', 'x[i]')};`);
  const more = `for (int64_t c = 1; c < chunks; ++c) { const float* const x = ${of('c')}; ${add} }`;
  const first = `const float* const x = ${of('0')}; ${vectorLoop('0', width, 'y[i] = x[i];')}`;
  const each = sizeOf(known.value(step.operands[0]?.id ?? 0).shape) / known.rows / width;
  const mean = op === 'Mean' ? vectorLoop('0', width, `y[i] /= static_cast<float>(rows * ${each});`) : '';
  return `{ float* const y = ${memory.base(output, { byRow: false, width })}; { ${first} } ${more} ${mean} }`;
}

/** Outputs that may take the place of an input: whatever reads it does so before, or in the very turn of the loop. */
function takenOver(outputs: readonly Value[], { known, reads, writes }: Setting, memory: Memory): number[] {
  const taken = new Set<number>();
  const isBefore = (read: Access, write: Access) => {
    if (read.time !== write.time || read.job !== write.job) return read.time < write.time;
    if (read.loop === write.loop) return read.direct;
    return read.job !== 'share' && read.moves && read.loop < write.loop;
  };
  return outputs.map((output) => {
    const write = writes.find(({ id }) => id === output.id);
    const fits = (id: number) => {
      const { dtype, shape } = known.value(id);
      if (dtype !== output.dtype || sizeOf(shape) !== sizeOf(output.shape)) return false;
      return (
        !taken.has(id) &&
        known.producers.has(id) &&
        write &&
        reads.every((read) => read.id !== id || isBefore(read, write))
      );
    };
    const i = memory.inputs.findIndex(fits);
    if (i >= 0) taken.add(memory.inputs[i] as number);
    return i;
  });
}

const PARAMETERS = 'int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* s';

function assemble(bodies: readonly string[], memory: Memory): string {
  const functions = bodies.map(
    (body, k) =>
      `void phase${k}(${PARAMETERS}) {\n  const int64_t first = rows * chunk / chunks, last = rows * (chunk + 1) / chunks;\n  ${body}\n}`,
  );
  const cases = bodies.map((_, k) => `if (phase == ${k}) phase${k}(chunk, chunks, rows, in, out, s);`);
  return `namespace {
${memory.constants()}
${functions.join('\n')}
int64_t scratch_bytes(int64_t rows, int64_t chunks) { ${memory.scratchBytes()} }
void run(int64_t phase, ${PARAMETERS}) {
  ${cases.join('\n  ')}
}
}
extern "C" const Region ${NAME} = {${bodies.length}, scratch_bytes, run};
`;
}

/** Finds what can run as one op: connected steps none of which waits for an op of TensorFlow's that waits for another one. */
import type { Node, Value } from '../graph.js';
import type { Step } from './fusedStep.js';
import type { Steps } from './loops.js';
import { divided, recomputation } from './divided.js';
import { isWorthIt } from './worth.js';

export interface Region {
  /** Each one after those it needs. */
  readonly steps: readonly Step[];
  /** What is read outside; other steps may compute what another region has, too. */
  readonly outputs: readonly Value[];
}

/** A step, or an op that stays TensorFlow's and is not only another shape of its input: by values whose elements it reads. */
interface Op {
  readonly step?: Step;
  readonly reads: readonly number[];
  readonly makes: readonly number[];
}

/** By what they make. */
type Made = ReadonlyMap<number, Step>;

export function findRegions(known: Steps): Region[] {
  const { nodes, outputs, updates } = known.graph;
  const ops = nodes.flatMap((node) => opsOf(node, known));
  const made: Made = new Map(ops.flatMap(({ step }) => (step ? [[step.output.id, step]] : [])));
  const levels = leveled(ops, made);
  const last = [...levels.values()].reduce((a, b) => Math.max(a, b), 0);
  delay(ops, made, { levels, last });
  const stored = new Set([...outputs, ...updates.values()].map(({ id }) => known.source(id)));
  for (const { step, reads } of ops) if (!step) for (const id of reads) stored.add(id);
  const levelOf = ({ output }: Step) => levels.get(output.id) ?? 0;
  const stages = divided([...made.values()], levelOf, stored, recomputation(made));
  return stages.flatMap((here, number) =>
    connected(here, number === last)
      .map((group) => {
        const own = group.filter((step) => levelOf(step) === number).map(({ output }) => output);
        return { steps: group, outputs: own.filter(({ id }) => stored.has(id)) };
      })
      .filter((region) => isWorthIt(region.steps, region.outputs)),
  );
}

function opsOf(node: Node, known: Steps): Op[] {
  const [output] = node.outputs;
  if (output && known.isView(node, output)) return [];
  const steps = known.stepsOf(node);
  if (steps.length === 0)
    return [{ reads: node.inputs.map((id) => known.source(id)), makes: node.outputs.map(({ id }) => id) }];
  return steps.map((step) => ({ step, reads: step.operands.map(({ id }) => id), makes: [step.output.id] }));
}

/** The level of each value: it rises where an op of TensorFlow's reads a fused one. */
function leveled(ops: readonly Op[], made: Made): Map<number, number> {
  const levels = new Map<number, number>();
  for (const { step, reads, makes } of ops) {
    const level = Math.max(0, ...reads.map((id) => (levels.get(id) ?? 0) + (!step && made.has(id) ? 1 : 0)));
    for (const id of makes) levels.set(id, level);
  }
  return levels;
}

/** What is not of the batch's size, such as new weights, waits until it is read, or for the end. */
function delay(ops: readonly Op[], made: Made, { levels, last }: { levels: Map<number, number>; last: number }): void {
  const latest = new Map<number, number>();
  for (const { step, reads, makes } of ops.toReversed()) {
    const [id = 0] = makes;
    if (step && canWait(step, made)) levels.set(id, latest.get(id) ?? last);
    const level = (levels.get(id) ?? 0) - (step ? 0 : 1);
    for (const read of reads) latest.set(read, Math.min(latest.get(read) ?? last, level));
  }
}

/** Nothing of the batch's size that a region makes is kept for it. */
function canWait({ byRow, kind, operands }: Step, steps: Made): boolean {
  if (byRow && kind !== 'total') return false;
  const rows = operands.map(({ id }) => steps.get(id)).filter((from) => from?.byRow);
  return rows.every((from) => !byRow && from?.kind === 'total');
}

/** What hangs together; at the end, all that is not of the batch's size does. */
function connected(here: readonly Step[], isLast: boolean): Step[][] {
  const groupOf = new Map<number, Step[]>();
  const small = isLast ? here.find(({ byRow }) => !byRow) : undefined;
  for (const step of here) {
    const ids = step.operands.map(({ id }) => id);
    if (small && !step.byRow) ids.push(small.output.id);
    const found = new Set(ids.map((id) => groupOf.get(id)).filter((group) => group !== undefined));
    const [group = [], ...others] = found;
    group.push(...others.flat(), step);
    for (const { output } of [...others.flat(), step]) groupOf.set(output.id, group);
  }
  return [...new Set(groupOf.values())];
}

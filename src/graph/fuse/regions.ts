/** Finds what can run as one op: connected steps none of which waits for an op of TensorFlow's that waits for another one. */
import type { Node, Value } from '../graph.js';
import type { Step } from './fusedStep.js';
import type { Steps } from './loops.js';
import { divided } from './divided.js';
import { isWorthIt } from './worth.js';

export interface Region {
  /** Each one after those it needs. */
  readonly steps: readonly Step[];
  /** What is read outside; other steps may compute what another region has, too. */
  readonly outputs: readonly Value[];
}

/** By what they make. */
type Made = ReadonlyMap<number, Step>;
/** By the op that they are. */
type Found = ReadonlyMap<Node, readonly Step[]>;

export function findRegions(known: Steps): Region[] {
  const { nodes, outputs, updates } = known.graph;
  const found: Found = new Map(nodes.map((node) => [node, known.stepsOf(node)]));
  const steps = new Map([...found.values()].flat().map((step) => [step.output.id, step]));
  const levels = leveled(known, steps, found);
  const last = [...levels.values()].reduce((a, b) => Math.max(a, b), 0);
  delay(known, steps, found, { levels, last });
  const stored = new Set([...outputs, ...updates.values()].map(({ id }) => known.source(id)));
  for (const node of nodes) if (isOther(known, steps, node)) for (const id of node.inputs) stored.add(known.source(id));
  const levelOf = ({ output }: Step) => levels.get(output.id) ?? 0;
  const stages = divided([...steps.values()], levelOf, stored, recomputation(steps));
  return stages.flatMap(({ number, steps: here }) =>
    connected(here, number === last)
      .map((group) => {
        const own = group.filter((step) => levelOf(step) === number).map(({ output }) => output);
        return { steps: group, outputs: own.filter(({ id }) => stored.has(id)) };
      })
      .filter((region) => isWorthIt(region.steps, region.outputs)),
  );
}

/** An op that stays TensorFlow's, and is not only another shape of its input. */
function isOther(known: Steps, steps: Made, node: Node): boolean {
  const [output] = node.outputs;
  return !output || (!steps.has(output.id) && !known.isView(node, output));
}

/** The level of each value: it rises where an op of TensorFlow's reads a fused one. */
function leveled(known: Steps, steps: Made, found: Found): Map<number, number> {
  const levels = new Map<number, number>();
  const above = (ids: readonly number[], rise: number) =>
    Math.max(0, ...ids.map((id) => (levels.get(id) ?? 0) + (steps.has(id) ? rise : 0)));
  for (const node of known.graph.nodes) {
    for (const { output, operands } of found.get(node) ?? []) {
      const ids = operands.map(({ id }) => id);
      levels.set(output.id, above(ids, 0));
    }
    const sources = node.inputs.map((id) => known.source(id));
    const level = above(sources, isOther(known, steps, node) ? 1 : 0);
    for (const { id } of node.outputs) if (!levels.has(id)) levels.set(id, level);
  }
  return levels;
}

/** What is not of the batch's size, such as new weights, waits until it is read, or for the end. */
function delay(
  known: Steps,
  steps: Made,
  found: Found,
  { levels, last }: { levels: Map<number, number>; last: number },
): void {
  const latest = new Map<number, number>();
  const levelOf = (id = 0) => levels.get(id) ?? 0;
  const readAt = (id: number, level: number) => latest.set(id, Math.min(latest.get(id) ?? last, level));
  for (const node of known.graph.nodes.toReversed()) {
    if (isOther(known, steps, node))
      for (const id of node.inputs) readAt(known.source(id), levelOf(node.outputs[0]?.id) - 1);
    for (const step of found.get(node)?.toReversed() ?? []) {
      const { id } = step.output;
      if (canWait(step, steps)) levels.set(id, latest.get(id) ?? last);
      for (const operand of step.operands) readAt(operand.id, levelOf(id));
    }
  }
}

/** Nothing of the batch's size that a region makes is kept for it. */
function canWait({ byRow, kind, operands }: Step, steps: Made): boolean {
  if (byRow && kind !== 'total') return false;
  const rows = operands.map(({ id }) => steps.get(id)).filter((from) => from?.byRow);
  return rows.every((from) => !byRow && from?.kind === 'total');
}

/** Tells whether a value takes no more reading to be computed again, by cheap steps, than if it were stored. */
function recomputation(steps: Made): (step: Step) => boolean {
  const found = new Map<number, ReadonlySet<number> | undefined>();
  const leavesOf = (step: Step): ReadonlySet<number> | undefined => {
    if (!found.has(step.output.id)) found.set(step.output.id, find(step));
    return found.get(step.output.id);
  };
  const find = ({ kind, byRow, cheap, operands }: Step) => {
    if (!cheap || !(byRow || kind === 'spread')) return undefined;
    const rows = operands.filter(({ moves }) => moves).map(({ id }) => ({ id, from: steps.get(id) }));
    return new Set(rows.flatMap(({ id, from }) => [...((from && leavesOf(from)) ?? [id])]));
  };
  return (step) => (leavesOf(step)?.size ?? 2) <= 1;
}

/** What hangs together; at the end, all that is not of the batch's size does. */
function connected(here: readonly Step[], isLast: boolean): Step[][] {
  const made = new Map(here.map((step) => [step.output.id, step]));
  const parents = new Map<Step, Step>();
  const root = (step: Step): Step => {
    const parent = parents.get(step);
    return parent ? root(parent) : step;
  };
  const join = (a: Step, b: Step) => {
    const [from, to] = [root(a), root(b)];
    if (from !== to) parents.set(from, to);
  };
  for (const step of here) for (const { id } of step.operands) join(made.get(id) ?? step, step);
  const small = here.filter(({ byRow }) => !byRow);
  if (isLast) for (const step of small) join(step, small[0] ?? step);
  const groups = new Map<Step, Step[]>();
  for (const step of here) groups.set(root(step), [...(groups.get(root(step)) ?? []), step]);
  return [...groups.values()];
}

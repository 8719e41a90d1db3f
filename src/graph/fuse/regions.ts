/** Finds what can run as one op: connected steps none of which waits for an op of TensorFlow's that waits for another one. */
import type { Node, Value } from '../graph.js';
import type { Steps } from './loops.js';
import type { Step } from './fusedStep.js';
import { isWorthIt } from './worth.js';

export interface Region {
  /** Each one after those it needs. */
  readonly steps: readonly Step[];
  /** What is read outside; other steps may compute what another region has, too. */
  readonly outputs: readonly Value[];
}

interface Member {
  readonly step: Step;
  level: number;
}

export function findRegions(known: Steps): Region[] {
  const members = new Map<number, Member>();
  const levels = leveled(known, members);
  const last = Math.max(0, ...levels.values());
  delay(known, members, levels, last);
  const { nodes, outputs, updates } = known.graph;
  const stored = new Set([...outputs, ...updates.values()].map(({ id }) => known.source(id)));
  for (const node of nodes)
    if (isOther(known, members, node)) for (const id of node.inputs) stored.add(known.source(id));
  const isBetter = recomputation(members);
  const regions: Region[] = [];
  // From the last level to the first: each asks earlier ones for what it does not compute again itself.
  for (let level = last; level >= 0; level--) {
    const here = new Set<Member>();
    const visit = (member: Member) => {
      if (here.has(member)) return;
      for (const { id } of member.step.operands) {
        const from = members.get(id);
        if (!from) continue;
        if (from.level === level || isBetter(from)) visit(from);
        else stored.add(id);
      }
      here.add(member);
    };
    for (const member of members.values())
      if (member.level === level && stored.has(member.step.output.id)) visit(member);
    for (const group of connected(here, members, level === last)) {
      const own = group.filter((member) => member.level === level).map(({ step }) => step.output);
      const region = { steps: group.map(({ step }) => step), outputs: own.filter(({ id }) => stored.has(id)) };
      if (isWorthIt(region.steps, region.outputs)) regions.push(region);
    }
  }
  return regions;
}

/** An op that stays TensorFlow's, and is not only another shape of its input. */
function isOther(known: Steps, members: ReadonlyMap<number, Member>, node: Node): boolean {
  const [output] = node.outputs;
  return !output || (!members.has(output.id) && !known.isView(node, output));
}

/** The level of each value: it rises where an op of TensorFlow's reads a fused one. Fills in the members. */
function leveled(known: Steps, members: Map<number, Member>): Map<number, number> {
  const levels = new Map<number, number>();
  const above = (ids: readonly number[], rise: number) =>
    Math.max(0, ...ids.map((id) => (levels.get(id) ?? 0) + (members.has(id) ? rise : 0)));
  for (const node of known.graph.nodes) {
    for (const step of known.stepsOf(node)) {
      const level = above(
        step.operands.map(({ id }) => id),
        0,
      );
      members.set(step.output.id, { step, level });
      levels.set(step.output.id, level);
    }
    const level = above(
      node.inputs.map((id) => known.source(id)),
      isOther(known, members, node) ? 1 : 0,
    );
    for (const { id } of node.outputs) if (!levels.has(id)) levels.set(id, level);
  }
  return levels;
}

/** What is not of the batch's size, such as new weights, waits until it is read, or for the end. */
function delay(
  known: Steps,
  members: ReadonlyMap<number, Member>,
  levels: ReadonlyMap<number, number>,
  last: number,
): void {
  const latest = new Map<number, number>();
  const readAt = (id: number, level: number) => latest.set(id, Math.min(latest.get(id) ?? last, level));
  for (const node of known.graph.nodes.toReversed()) {
    if (isOther(known, members, node))
      for (const id of node.inputs) readAt(known.source(id), (levels.get(node.outputs[0]?.id ?? 0) ?? 0) - 1);
    for (const step of known.stepsOf(node).toReversed()) {
      const member = members.get(step.output.id) as Member;
      if (canWait(member, members)) member.level = latest.get(step.output.id) ?? last;
      for (const { id } of step.operands) readAt(id, member.level);
    }
  }
}

/** Nothing of the batch's size that a region makes is kept for it. */
function canWait({ step }: Member, members: ReadonlyMap<number, Member>): boolean {
  if (step.byRow && step.kind !== 'total') return false;
  const rows = step.operands.map(({ id }) => members.get(id)?.step).filter((from) => from?.byRow);
  return rows.every((from) => !step.byRow && from?.kind === 'total');
}

/** Tells whether a value takes no more reading to be computed again, by cheap steps, than if it were stored. */
function recomputation(members: ReadonlyMap<number, Member>): (member: Member) => boolean {
  const found = new Map<Member, ReadonlySet<number> | undefined>();
  const leavesOf = (member: Member): ReadonlySet<number> | undefined => {
    if (!found.has(member)) found.set(member, find(member.step));
    return found.get(member);
  };
  const find = ({ kind, byRow, cheap, operands }: Step) => {
    if (!cheap || !(byRow || kind === 'spread')) return undefined;
    const rows = operands.filter(({ moves }) => moves).map(({ id }) => ({ id, from: members.get(id) }));
    return new Set(rows.flatMap(({ id, from }) => [...((from && leavesOf(from)) ?? [id])]));
  };
  return (member) => (leavesOf(member)?.size ?? 2) <= 1;
}

/** What hangs together; at the end, all that is not of the batch's size does. */
function connected(here: ReadonlySet<Member>, members: ReadonlyMap<number, Member>, isLast: boolean): Member[][] {
  const parents = new Map<Member, Member>();
  const root = (member: Member): Member => {
    const parent = parents.get(member);
    return parent ? root(parent) : member;
  };
  const join = (a: Member, b: Member) => {
    const [from, to] = [root(a), root(b)];
    if (from !== to) parents.set(from, to);
  };
  const small = [...here].filter(({ step }) => !step.byRow);
  for (const member of here)
    for (const { id } of member.step.operands) {
      const from = members.get(id);
      if (from && here.has(from)) join(from, member);
    }
  if (isLast) for (const member of small) join(member, small[0] ?? member);
  const groups = new Map<Member, Member[]>();
  for (const member of here) groups.set(root(member), [...(groups.get(root(member)) ?? []), member]);
  return [...groups.values()];
}

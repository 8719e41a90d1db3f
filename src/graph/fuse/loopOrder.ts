/** Puts a job's steps into as few loops as can be: those of one length whose elements do not wait for each other's rows. */
import { sizeOf } from '../graph.js';
import { divided, recomputation } from './divided.js';
import type { Operand, Step } from './fusedStep.js';

export interface Loop {
  readonly width: number;
  /** Of `map` and `total`; any other step is alone. */
  readonly steps: Step[];
}

/** So many numbers fill a core's first cache, from where fewer are read in less time than it takes to compute them. */
const CACHED = 1 << 13;

const lengthOf = ({ axes }: Operand): number => sizeOf(axes.map(({ size }) => size));

export const isInLoop = ({ kind, kernel }: Step): boolean => !kernel && (kind === 'map' || kind === 'total');

const widthOf = (step: Step) => (step.kind === 'map' ? step.width : lengthOf(step.operands[0] as Operand));

/**
 * Each after those whose results it reads from memory. What is read in the same turn goes from step to step in registers; what
 * a later loop reads, of long rows, is computed again there where that takes no more reading. `stored` are results for others.
 * Where there are no rows nothing else is gained by sharing a loop, which compilers take ever longer for.
 */
export function loopsOf(steps: readonly Step[], isByRow: boolean, stored: ReadonlySet<number>): Loop[] {
  const made = new Map(steps.map((step) => [step.output.id, step]));
  const isAlike = (a: Step, b: Step) => isInLoop(a) && isInLoop(b) && widthOf(a) === widthOf(b);
  /** How many loops later than what it reads a step is at least. Values of one length are read element by element. */
  const gap = (step: Step, { id }: Operand) => {
    const from = made.get(id);
    return from && isAlike(from, step) ? 0 : 1;
  };
  const groups = new Map<Step, Step>();
  const groupOf = (step: Step): Step => {
    const other = groups.get(step);
    return other ? groupOf(other) : step;
  };
  for (const step of steps)
    for (const operand of step.operands) {
      const from = made.get(operand.id);
      if (!from || gap(step, operand) > 0) continue;
      const [group, own] = [groupOf(from), groupOf(step)];
      if (group !== own) groups.set(own, group);
    }
  const isTogether = (a: Step, b: Step) => isAlike(a, b) && (isByRow || groupOf(a) === groupOf(b));
  const depths = new Map<Step, number>();
  const depthOf = (step?: Step) => (step && depths.get(step)) ?? -1;
  for (const step of steps)
    depths.set(
      step,
      Math.max(0, ...step.operands.map((operand) => depthOf(made.get(operand.id)) + gap(step, operand))),
    );
  // From the one that can be made last to the first, each joins the last loop that it can.
  const loops: Loop[] = [];
  const later = new Map<number, number>();
  for (const step of steps.toReversed().sort((a, b) => depthOf(b) - depthOf(a))) {
    const first = later.get(step.output.id) ?? 0;
    const found = loops.findIndex(({ steps: [other] }, i) => i >= first && other && isTogether(other, step));
    const i = found >= 0 ? found : loops.push({ width: widthOf(step), steps: [] }) - 1;
    loops[i]?.steps.unshift(step);
    for (const operand of step.operands)
      later.set(operand.id, Math.max(later.get(operand.id) ?? 0, i + gap(step, operand)));
  }
  loops.reverse();
  if (!isByRow) return loops;
  const places = new Map(loops.flatMap((loop, i) => loop.steps.map((step) => [step, i] as const)));
  const inMemory = steps.flatMap((step) =>
    step.operands.filter((operand) => gap(step, operand) === 1).map(({ id }) => id),
  );
  const kept = new Set([...stored, ...inMemory]);
  const isCheap = recomputation(made);
  const isAgain = (step: Step) => step.width >= CACHED && isCheap(step) && !kept.has(step.output.id);
  const stages = divided(steps, (step) => places.get(step) ?? 0, new Set(kept), isAgain);
  return loops.map(({ width }, i) => ({ width, steps: stages[i] ?? [] }));
}

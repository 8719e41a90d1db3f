/** Puts a job's steps into as few loops as can be: those of one length whose elements do not wait for each other's rows. */
import { sizeOf } from '../graph.js';
import { isDirect } from './geometry.js';
import type { Operand, Step } from './fusedStep.js';

export interface Loop {
  readonly depth: number;
  readonly width: number;
  /** Of `map` and `total`; any other step is alone. */
  readonly steps: Step[];
}

export const lengthOf = ({ axes }: Operand): number => sizeOf(axes.map(({ size }) => size));

export const isInLoop = ({ kind, kernel }: Step): boolean => !kernel && (kind === 'map' || kind === 'total');

const widthOf = (step: Step) => (step.kind === 'map' ? step.width : lengthOf(step.operands[0] as Operand));

/** Each after those whose results it reads from memory. What is read in the same turn goes from step to step in registers. */
export function loopsOf(steps: readonly Step[]): Loop[] {
  const made = new Map(steps.map((step) => [step.output.id, step]));
  const eachRead = (to: Step, visit: (from: Step, gap: number) => void) => {
    for (const { id, axes } of to.operands) {
      const from = made.get(id);
      if (!from) continue;
      const isAlike = isInLoop(from) && isInLoop(to) && widthOf(from) === widthOf(to);
      visit(from, isAlike && (isDirect(axes) || axes.length === 0) ? 0 : 1);
    }
  };
  const depths = new Map<Step, number>();
  const depthOf = (step: Step) => depths.get(step) ?? 0;
  for (const step of steps)
    eachRead(step, (from, gap) => depths.set(step, Math.max(depthOf(step), depthOf(from) + gap)));
  // What nobody here reads joins the last loop of its length, and all else waits until it is read.
  const last = (width: number) =>
    Math.max(...steps.filter((step) => isInLoop(step) && widthOf(step) === width).map(depthOf));
  const latest = new Map(steps.filter(isInLoop).map((step) => [step, last(widthOf(step))]));
  for (const step of steps.toReversed()) {
    depths.set(step, latest.get(step) ?? depthOf(step));
    eachRead(step, (from, gap) => latest.set(from, Math.min(latest.get(from) ?? Infinity, depthOf(step) - gap)));
  }
  const loops: Loop[] = [];
  for (const step of [...steps].sort((a, b) => depthOf(a) - depthOf(b))) {
    const [depth, width] = [depthOf(step), widthOf(step)];
    const found = loops.find((each) => each.depth === depth && each.width === width && each.steps.every(isInLoop));
    if (found && isInLoop(step)) found.steps.push(step);
    else loops.push({ depth, width, steps: [step] });
  }
  return loops;
}

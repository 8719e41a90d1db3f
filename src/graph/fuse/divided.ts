/** Divides steps that wait for each other: what each stage computes, and what it reads that an earlier one stored. */
import type { Step } from './fusedStep.js';

/**
 * The steps of each stage, one of an earlier stage among them where it is computed again. From the last to the first, each
 * asks earlier ones for what it does not compute again: that is added to `stored`.
 */
export function divided(
  steps: readonly Step[],
  stageOf: (step: Step) => number,
  stored: Set<number>,
  isAgain: (step: Step) => boolean,
): Step[][] {
  const made = new Map(steps.map((step) => [step.output.id, step]));
  const places = new Map(steps.map((step, i) => [step, i]));
  const placeOf = (step: Step) => places.get(step) ?? 0;
  const own: Step[][] = [[]];
  for (const step of steps) (own[stageOf(step)] ??= []).push(step);
  const stages: Step[][] = [];
  for (let number = own.length - 1; number >= 0; number--) {
    const needed = new Set<Step>();
    const visit = (step: Step) => {
      if (needed.has(step)) return;
      needed.add(step);
      for (const { id } of step.operands) {
        const from = made.get(id);
        if (from && (stageOf(from) === number || isAgain(from))) visit(from);
        else stored.add(id);
      }
    };
    for (const step of own[number] ?? []) if (stored.has(step.output.id)) visit(step);
    stages[number] = [...needed].sort((a, b) => placeOf(a) - placeOf(b));
  }
  return stages;
}

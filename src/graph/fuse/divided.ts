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

/** Tells whether a value takes no more reading to be computed again, by cheap steps, than if it were stored. */
export function recomputation(made: ReadonlyMap<number, Step>): (step: Step) => boolean {
  /** Of what cheap steps compute: which rows it takes to read, of which more than one are too many. */
  const leaves = new Map<number, readonly number[]>();
  for (const { output, kind, byRow, cheap, operands } of made.values()) {
    if (!cheap || !(byRow || kind === 'spread')) continue;
    const rows = operands.filter(({ moves }) => moves).flatMap(({ id }) => leaves.get(id) ?? [id]);
    leaves.set(output.id, [...new Set(rows)].slice(0, 2));
  }
  return ({ output }) => (leaves.get(output.id)?.length ?? 2) <= 1;
}

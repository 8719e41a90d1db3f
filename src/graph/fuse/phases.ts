/** Orders a region: passes over all rows at once, and between them what is left to do when a pass is through. */
import type { Region } from './regions.js';
import type { Step } from './fusedStep.js';
import { isDirect } from './geometry.js';
import { divided } from './divided.js';

/** From here on threads share a value that is not of the batch's size. */
const LARGE = 8192;

/** What takes reading more rows than so many is stored: residuals would be added up again in every layer, from the first one on. */
const MOST_ROWS = 4;

export interface Schedule {
  /** The steps of each time, which is odd for a pass, in which chunks run at once, and even for what comes between. */
  readonly phases: readonly (readonly Step[])[];
  /** When a value is whole in memory, for those that ever are. */
  readonly stored: ReadonlyMap<number, number>;
}

export const isPass = (time: number): boolean => time % 2 === 1;

/** A large value that is not of the batch's size, and made element by element. */
const isShared = ({ kind, byRow, width }: Step): boolean => kind === 'map' && !byRow && width >= LARGE;

export function schedule({ steps, outputs }: Region): Schedule {
  const byId = new Map(steps.map((step) => [step.output.id, step]));
  const times = new Map<number, number>();
  // First as early as can be.
  const wholes = new Set(outputs.map(({ id }) => id));
  for (const step of steps) {
    const pass = step.byRow || isShared(step);
    let time = pass ? 1 : 0;
    for (const { id, moves, axes } of step.operands) {
      const from = byId.get(id);
      if (!from) continue;
      const before = (times.get(id) ?? 0) + (from.kind === 'total' ? 1 : 0);
      // A part of another length lies where other chunks may be at work.
      const isAlike = step.byRow === from.byRow && (step.byRow ? moves : isDirect(axes) && step.width === from.width);
      const together = pass && isPass(before) && isAlike;
      if (!together && isPass(before)) wholes.add(id);
      // Two passes have something between them, where one thing may follow another.
      time = Math.max(time, together ? before : before + Number(isPass(before)) + Number(pass));
    }
    times.set(step.output.id, time);
    if (!pass || step.kind === 'total') wholes.add(step.output.id);
  }
  const kept = new Set(wholes);
  /** The rows that a value is computed again from. */
  const rows = new Map<number, readonly number[]>();
  for (const { output, cheap, operands } of steps) {
    const read = operands
      .filter(({ moves }) => moves)
      .flatMap(({ id }) => (kept.has(id) ? [id] : (rows.get(id) ?? [id])));
    const own = [...new Set(read)];
    if (!cheap || own.length > MOST_ROWS) kept.add(output.id);
    rows.set(output.id, own);
  }
  const isAgain = ({ output }: Step) => !kept.has(output.id);
  const phases = divided(steps, ({ output }) => times.get(output.id) ?? 0, wholes, isAgain);
  return { phases, stored: new Map([...wholes].map((id) => [id, times.get(id) ?? 0])) };
}

/** Rows in parts, where values repeat themselves along them: what repeats is then short, and stays close to the CPU. */
import type { Operand, Step } from './fusedStep.js';
import { type Axis, isDirect, isScalar } from './geometry.js';

/** Elements of the longest vectors. */
const VECTOR = 16;

/** So many elements are worth a loop, and so many keep what repeats itself close to the CPU. */
const [LEAST_TILE, MOST_TILE] = [48, 512];

/**
 * How much of a row is taken at once where a value repeats itself along it, as one does that has an element a channel: some
 * whole repetitions, in whole vectors where that can be. Undefined for a value that is read otherwise.
 */
export function tileOf([outer, inner, ...rest]: readonly Axis[]): number | undefined {
  const period = inner?.size ?? 1;
  if (outer?.stride !== 0 || (inner && inner.stride !== 1) || rest.length > 0) return undefined;
  const tiles: number[] = [];
  for (let times = 1; times <= outer.size && times * period <= MOST_TILE; times++)
    if (outer.size % times === 0 && times * period >= LEAST_TILE) tiles.push(times * period);
  return tiles.find((tile) => tile % VECTOR === 0) ?? tiles.at(-1);
}

/** The least tile that is made of whole ones of each kind. */
const commonTile = (tiles: readonly number[]): number => tiles.reduce((a, b) => (a / divisor(a, b)) * b, 1);

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** How much of a row is taken at once for an operand that repeats itself along it, and is the same for all rows. */
export const tileOfOperand = ({ moves, axes }: Operand, byRow: boolean): number | undefined =>
  byRow && !moves && !isScalar(axes) ? tileOf(axes) : undefined;

/** Whether an operand is repeated in a way that needs a loop of its own. */
export const isSpread = (operand: Operand, byRow: boolean): boolean =>
  !isDirect(operand.axes) && !isScalar(operand.axes) && tileOfOperand(operand, byRow) === undefined;

/** As much as is taken of a row at once; undefined where nothing repeats itself along it. */
export function tileOfLoop(steps: readonly Step[]): number | undefined {
  const tiles = steps.flatMap(({ kind, axes, operands }) => [
    ...(kind === 'total' ? [tileOf(axes)] : []),
    ...operands.map((operand) => tileOfOperand(operand, true)),
  ]);
  const known = tiles.filter((tile) => tile !== undefined);
  return known.length > 0 ? commonTile(known) : undefined;
}

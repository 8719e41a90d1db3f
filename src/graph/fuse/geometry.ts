/** Shapes as loops: how the elements of one value meet those of another, be it row by row of the batch or all at once. */
import { sizeOf } from '../graph.js';

/** Some axes of a loop, over which a value is read in steps of `stride` elements; 0 where it is repeated. */
export interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** Without leading axes of size 1. */
export function stripped(shape: readonly number[]): readonly number[] {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [] : shape.slice(first);
}

/** Whether the leading axis has the batch's rows, or several times as many. */
export function leads(shape: readonly number[], rows: number): boolean {
  const [first] = stripped(shape);
  return first !== undefined && rows > 1 && first > 0 && first % rows === 0;
}

/** One row's part of a shape whose leading axis has the batch's rows. */
export function rowOf(shape: readonly number[], rows: number): readonly number[] {
  const [first = 0, ...rest] = stripped(shape);
  return [first / rows, ...rest];
}

/** How a value of the shape `from` is read along all elements of `shape`, which it is broadcast to. */
export function align(shape: readonly number[], from: readonly number[]): Axis[] {
  const own = from.slice(Math.max(0, from.length - shape.length));
  const padded = [...new Array<number>(shape.length - own.length).fill(1), ...own];
  const axes = shape.map((size, i) => ({ size, stride: padded[i] === 1 ? 0 : sizeOf(padded.slice(i + 1)) }));
  return merged(axes);
}

/** Neighbouring axes that are read like one become one. */
function merged(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes.filter(({ size }) => size !== 1)) {
    const last = result.at(-1);
    if (last?.stride === axis.stride * axis.size) result[result.length - 1] = { ...axis, size: last.size * axis.size };
    else result.push(axis);
  }
  return result;
}

export const isScalar = (axes: readonly Axis[]): boolean => axes.every(({ stride }) => stride === 0);

/** Element by element. */
export const isDirect = (axes: readonly Axis[]): boolean => axes.length === 1 && axes[0]?.stride === 1;

/** Whether all are one number, to the sign of 0. */
export function isUniform(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (!Object.is(values[i], values[0])) return false;
  return values.length > 0;
}

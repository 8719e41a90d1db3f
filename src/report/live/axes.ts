/** A chart's axes: where they end, how they are labelled and named. */
import { roundStep } from '../../common/bins.js';
import { extentOf, FAINT, INK, MUTED } from './look.js';
import { formatNumber, linearTicks, logarithmicTicks, withUnit } from './numbers.js';
import type { ChartAxis } from './spec.js';

const label = { color: MUTED, fontSize: 12 };

/** The horizontal axis: it ends where the data end, and is labelled at the values themselves where these are few and by decades. */
export function acrossOf(axis: ChartAxis, values: number[], width: number): object {
  const [first, last] = extentOf(values, axis.logarithmic);
  const [low, high] = [axis.min ?? first, axis.max ?? last];
  const places = [...new Set(values)].sort((a, b) => a - b);
  const most = Math.max(2, Math.floor(width / 60));
  const isFew = places.length > 0 && places.length <= 12;
  const decades = () => (isFew ? places : logarithmicTicks(low, high, most));
  const ticks = high > low ? (axis.logarithmic ? decades() : linearTicks(low, high, most)) : [low];
  return {
    ...{ type: axis.logarithmic ? 'log' : 'value', ...(high > low ? { min: low, max: high } : around(low, axis)) },
    ...nameOf(axis, 'x'),
    axisLabel: { ...label, formatter: formatNumber, hideOverlap: true, customValues: ticks },
    axisTick: { show: true, lineStyle: { color: MUTED }, customValues: ticks },
    axisLine: { show: true, onZero: false, lineStyle: { color: MUTED } },
    splitLine: { show: false },
  };
}

/** Ends that have a single value in their middle. */
function around(value: number, { logarithmic = false }: ChartAxis): { min: number; max: number } {
  return logarithmic ? { min: value / 2, max: value * 2 } : { min: value - 0.5, max: value + 0.5 };
}

/** Ends with room on both sides of the data, but for those that are given. */
export function widened(axis: ChartAxis, values: (number | null)[]): { min: number; max: number } {
  const [first, last] = extentOf(values, axis.logarithmic);
  const factor = Math.max(last / first, 1.2) ** 0.06;
  const room = (last - first || Math.abs(last) || 1) * 0.06;
  const [low, high] = axis.logarithmic ? [first / factor, last * factor] : [first - room, last + room];
  return { min: axis.min ?? low, max: axis.max ?? high };
}

/** Round ends around the data, but for those that are given. */
function rounded(axis: ChartAxis, [low, high]: [number, number]): { min: number; max: number } {
  const step = roundStep(((axis.max ?? high) - (axis.min ?? low)) / 6);
  const at = (steps: number) => Number((steps * step).toPrecision(12));
  return { min: axis.min ?? at(Math.floor(low / step)), max: axis.max ?? at(Math.ceil(high / step)) };
}

/** The vertical axis, with all values on it, reference lines too. */
export function upOf(axis: ChartAxis, values: (number | null)[], width: number): object {
  const { min, max } = axis.logarithmic ? widened(axis, values) : rounded(axis, extentOf(values));
  const ticks = { customValues: (axis.logarithmic ? logarithmicTicks : linearTicks)(min, max, 7) };
  return {
    ...{ type: axis.logarithmic ? 'log' : 'value', min, max },
    ...nameOf(axis, 'y', width),
    minorTick: { show: false },
    axisLabel: { ...label, formatter: formatNumber, ...ticks },
    axisTick: { show: false, ...ticks },
    axisLine: { show: false, onZero: false },
    splitLine: { show: true, lineStyle: { color: FAINT } },
  };
}

/** From left to right, or from the top down. */
export function categoriesOf(
  axis: ChartAxis,
  direction: 'x' | 'y',
  names: string[],
  width: number,
  labelled?: number[],
): object {
  const across = direction === 'x';
  // No less than a long word takes, such as "normalization".
  const room = Math.max(width / 4, 92);
  const chosen = labelled ? { interval: (index: number) => labelled.includes(index) } : {};
  return {
    type: 'category',
    data: names,
    inverse: !across,
    ...nameOf(axis, direction),
    ...(across ? {} : { nameLocation: 'start' }),
    axisLabel: { ...label, ...chosen, hideOverlap: across, ...(across ? {} : { width: room, overflow: 'break' }) },
    axisTick: { show: false },
    axisLine: { show: across, lineStyle: { color: MUTED } },
  };
}

/** What labels take of a chart's width, about. */
const BESIDE = 64;

/** Whether a name needs a second line; Chinese characters are about twice as wide as others. */
function isLong(name: string, width: number): boolean {
  return [...name.matchAll(/[^]/gu)].reduce((sum, [one]) => sum + (one > '\u2e80' ? 12 : 6.6), 0) > width - BESIDE;
}

/** The vertical axis's name stands above it, upright, as phones have no room beside it. */
function nameOf(axis: ChartAxis, direction: 'x' | 'y', width = Infinity): object {
  const style = { color: INK, fontSize: 12 };
  const name = withUnit(axis.name, axis.unit);
  if (direction === 'x')
    return { name, nameLocation: 'middle', nameGap: 28, nameTextStyle: { ...style, verticalAlign: 'top' } };
  const nameTextStyle = { ...style, align: 'left', lineHeight: 15 };
  return { name: inTwo(name, width), nameLocation: 'end', nameGap: 14, nameTextStyle, nameMoveOverlap: false };
}

/** In two lines where one would not do, parted at a space if there is one. */
function inTwo(name: string, width: number): string {
  if (!isLong(name, width)) return name;
  const middle = Math.ceil(name.length / 2);
  const space = name.indexOf(' ', middle);
  return space < 0
    ? `${name.slice(0, middle)}\n${name.slice(middle)}`
    : `${name.slice(0, space)}\n${name.slice(space + 1)}`;
}

/** Room for the axes' names; their labels stand inside it. */
export const GRID = {
  left: 12,
  right: 20,
  top: 36,
  bottom: 26,
  outerBoundsMode: 'same',
  outerBoundsContain: 'axisLabel',
};

/** With room for a vertical axis's name of two lines where it needs them. */
export function gridUnder(axis: ChartAxis, width: number): object {
  return { ...GRID, top: isLong(withUnit(axis.name, axis.unit), width) ? 52 : GRID.top };
}

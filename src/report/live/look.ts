/** What all charts have in common: colors by the page's variables, axes, tooltips and reference lines. */
import { formatNumber, linearTicks, logarithmicTicks, withUnit } from './numbers.js';
import type { ChartAxis, Reference } from './spec.js';

/** The page sets them, for light and dark. */
export const INK = 'var(--ink)';
export const MUTED = 'var(--muted)';
export const FAINT = 'var(--faint)';
export const PAPER = 'var(--paper)';

export const TONES = 6;

export function toneOf(tone: number): string {
  return `var(--tone-${tone % TONES})`;
}

const SYMBOLS = ['circle', 'diamond', 'triangle', 'rect', 'roundRect', 'arrow'];
const DASHES = ['solid', [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4]] as const;

/** Tones differ in form too, for whoever cannot tell the colors. */
export function symbolOf(tone: number): string {
  return SYMBOLS[tone % TONES] ?? 'circle';
}

export function dashOf(tone: number): 'solid' | number[] {
  const dash = DASHES[tone % TONES] ?? 'solid';
  return dash === 'solid' ? dash : [...dash];
}

const label = { color: MUTED, fontSize: 12 };

/** The horizontal axis: it ends where the data end, and is labelled at the values themselves where these are few and by decades. */
export function acrossOf(axis: ChartAxis, values: number[], width: number): object {
  const [first, last] = extentOf(values, axis.logarithmic);
  const [low, high] = [axis.min ?? first, axis.max ?? last];
  const places = [...new Set(values)].sort((a, b) => a - b);
  const most = Math.max(2, Math.floor(width / 60));
  const decades = () => (places.length <= 12 ? places : logarithmicTicks(low, high, most));
  const ticks = high > low ? (axis.logarithmic ? decades() : linearTicks(low, high, most)) : [low];
  return {
    ...{ type: axis.logarithmic ? 'log' : 'value', min: low, max: high },
    ...nameOf(axis, 'x'),
    axisLabel: { ...label, formatter: formatNumber, hideOverlap: true, customValues: ticks },
    axisTick: { show: true, lineStyle: { color: MUTED }, customValues: ticks },
    axisLine: { show: true, onZero: false, lineStyle: { color: MUTED } },
    splitLine: { show: false },
  };
}

/** Ends with room on both sides of the data, but for those that are given. */
export function widened(axis: ChartAxis, values: (number | null)[]): { min: number; max: number } {
  const [first, last] = extentOf(values, axis.logarithmic);
  const factor = Math.max(last / first, 1.2) ** 0.06;
  const room = (last - first || Math.abs(last) || 1) * 0.06;
  const [low, high] = axis.logarithmic ? [first / factor, last * factor] : [first - room, last + room];
  return { min: axis.min ?? low, max: axis.max ?? high };
}

/** The vertical axis, with room above and below the data. */
export function upOf(axis: ChartAxis, values: (number | null)[], width: number): object {
  const { min, max } = widened(axis, values);
  const ticks = axis.logarithmic ? { customValues: logarithmicTicks(min, max, 7) } : {};
  return {
    ...(axis.logarithmic ? { type: 'log', min, max } : { type: 'value', min: axis.min, max: axis.max, scale: true }),
    ...nameOf(axis, 'y', width),
    ...{ splitNumber: 5, minorTick: { show: false } },
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
  const chosen = labelled ? { interval: (index: number) => labelled.includes(index) } : {};
  return {
    type: 'category',
    data: names,
    inverse: !across,
    ...nameOf(axis, direction),
    ...(across ? {} : { nameLocation: 'start' }),
    axisLabel: { ...label, ...chosen, hideOverlap: across, ...(across ? {} : { width: width / 4, overflow: 'break' }) },
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

export const TOOLTIP = {
  confine: true,
  backgroundColor: PAPER,
  borderColor: MUTED,
  textStyle: { color: INK, fontSize: 13 },
  transitionDuration: 0,
};

/** Lines across the chart with their names; `extent` is the axis's where it is the horizontal one. */
export function referenceLines(references: Reference[] = [], extent?: [number, number]): object {
  const lying = extent !== undefined;
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    // Else places are rounded to hundredths.
    precision: 15,
    lineStyle: { color: INK, type: [4, 4], width: 1 },
    data: references.map(({ name, y }, i) => ({
      [lying ? 'xAxis' : 'yAxis']: y,
      label: {
        ...{ formatter: name, color: INK, fontSize: 12, position: lying ? 'start' : 'insideEndTop' },
        ...(extent ? { distance: 2 + 16 * i, ...leaning(y, extent) } : {}),
      },
    })),
  };
}

/** Into the chart, as names at its ends would be cut off. */
function leaning(value: number, [low, high]: [number, number]): object {
  return { align: value < (low + high) / 2 ? 'left' : 'right' };
}

/** Smallest and largest of what can be drawn. */
export function extentOf(values: Iterable<number | null>, logarithmic = false): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || !Number.isFinite(value) || (logarithmic && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? [1, 10] : [low, high];
}

/** Text of the user's, as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

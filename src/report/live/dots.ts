/** Groups of values, every one a dot, with their mean and its intervals beside them. */
import type { EChartsCoreOption } from 'echarts/core';
import { acrossOf, GRID, gridUnder, upOf, widened } from './axes.js';
import { escapeHtml, extentOf, INK, MUTED, PAPER, referenceLines, symbolOf, toneOf, TOOLTIP } from './look.js';
import { formatNumber, valueWithUnit } from './numbers.js';
import type { ChartAxis, DotGroup, DotSpec } from './spec.js';

type Point = [number, number];

interface Shape {
  value: (index: number) => number;
  coord: (point: Point) => Point;
}

export function dotParts({ y, groups, references = [], lying = false }: DotSpec, width: number): EChartsCoreOption {
  const ends = groups.flatMap(({ intervals = [] }) => intervals.flatMap(({ low, high }) => [low, high]));
  const values = [...groups.flatMap((one) => one.values), ...ends, ...references.map((one) => one.y)];
  const places = placesOf(groups, lying, width);
  const marks = referenceLines(references, lying ? extentOf(values) : undefined);
  return {
    grid: lying ? { ...GRID, top: 12 + 16 * references.length } : gridUnder(y, width),
    ...(lying
      ? { xAxis: acrossOf({ ...y, ...widened(y, values) }, [], width), yAxis: places }
      : { xAxis: places, yAxis: upOf(y, values, width) }),
    tooltip: { ...TOOLTIP, trigger: 'item' },
    series: groups.flatMap((group, place) => [
      { ...dotsOf(group, place, y, lying), ...(place === 0 ? { markLine: marks } : {}) },
      intervalsOf(group, place, y, lying),
    ]),
  };
}

/** One place a group; a single one that lies needs no name. */
function placesOf(groups: DotGroup[], lying: boolean, width: number): object {
  const room = lying ? width / 4 : (width - 80) / groups.length;
  return {
    ...{ type: 'value', min: -0.5, max: groups.length - 0.5, inverse: lying },
    axisLabel: {
      ...{ show: !lying || groups.length > 1, color: INK, fontSize: 12, margin: 12 },
      ...{ customValues: groups.map((_, i) => i), width: room, overflow: 'break' },
      formatter: (place: number) => groups[place]?.name ?? '',
    },
    axisTick: { show: false },
    axisLine: { show: !lying, onZero: false, lineStyle: { color: MUTED } },
    splitLine: { show: false },
  };
}

function dotsOf({ name, tone, values, bounds = [] }: DotGroup, place: number, y: ChartAxis, lying: boolean): object {
  // In order along the other axis, so that none hides another.
  const spread = Math.min(0.05, 0.28 / values.length);
  return {
    type: 'scatter',
    name,
    data: values.map((value, i) => {
      const beside = place - 0.16 + (i - (values.length - 1) / 2) * spread;
      const hollow = { itemStyle: { color: PAPER, borderColor: toneOf(tone), borderWidth: 2 } };
      return { value: lying ? [value, beside] : [beside, value], ...(bounds[i] === true ? hollow : {}) };
    }),
    symbol: symbolOf(tone),
    symbolSize: 9,
    itemStyle: { color: toneOf(tone), opacity: 0.85 },
    tooltip: {
      formatter: ({ dataIndex }: { dataIndex: number }) => {
        const said = `${bounds[dataIndex] === true ? '≥ ' : ''}${formatNumber(values[dataIndex] ?? NaN)}`;
        return `${escapeHtml(name)}<br><b>${escapeHtml(valueWithUnit(said, y.unit))}</b>`;
      },
    },
    emphasis: { disabled: true },
  };
}

/** A bar for each interval, the narrowest the thickest, and a mark at the mean. */
function intervalsOf(
  { name, tone, mean, intervals = [] }: DotGroup,
  place: number,
  y: ChartAxis,
  lying: boolean,
): object {
  const widest = [...intervals].sort((a, b) => b.high - b.low - (a.high - a.low));
  const at = (shape: Shape, value: number) => shape.coord(lying ? [value, place + 0.2] : [place + 0.2, value]);
  const said = [
    escapeHtml(name),
    ...(mean === undefined ? [] : [`<b>${escapeHtml(valueWithUnit(formatNumber(mean), y.unit))}</b>`]),
    ...widest.map((one) => `${escapeHtml(one.name)}: ${formatNumber(one.low)} … ${formatNumber(one.high)}`),
  ];
  return {
    type: 'custom',
    name,
    data: mean === undefined ? [] : [lying ? [mean, place + 0.2] : [place + 0.2, mean]],
    renderItem: (_: unknown, shape: Shape) => ({
      type: 'group',
      children: [
        ...widest.map(({ low, high }, i) => barOf(at(shape, low), at(shape, high), 2 + 5 * i, toneOf(tone))),
        ...(mean === undefined ? [] : [markOf(at(shape, mean), lying)]),
      ],
    }),
    tooltip: { formatter: said.join('<br>') },
    emphasis: { disabled: true },
  };
}

function barOf([x, y]: Point, [otherX, otherY]: Point, thick: number, fill: string): object {
  const [width, height] = [Math.abs(otherX - x), Math.abs(otherY - y)];
  const [left, top] = [Math.min(x, otherX), Math.min(y, otherY)];
  const shape =
    width > height
      ? { x: left, y: top - thick / 2, width, height: thick }
      : { x: left - thick / 2, y: top, width: thick, height };
  return { type: 'rect', shape, style: { fill } };
}

function markOf([x, y]: Point, lying: boolean): object {
  const [width, height] = lying ? [3, 20] : [20, 3];
  return {
    type: 'rect',
    shape: { x: x - width / 2, y: y - height / 2, width, height },
    style: { fill: INK },
  };
}

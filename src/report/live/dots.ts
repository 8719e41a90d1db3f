/** Groups of values, every one a dot, with their mean and its intervals beside them. */
import type { EChartsCoreOption } from 'echarts/core';
import { formatNumber, withUnit } from './numbers.js';
import { escapeHtml, GRID, INK, MUTED, referenceLines, symbolOf, toneOf, TOOLTIP, upOf } from './look.js';
import type { DotGroup, DotSpec } from './spec.js';

interface Shape {
  value: (index: number) => number;
  coord: (point: [number, number]) => [number, number];
}

export function dotParts({ y, groups, references }: DotSpec, width: number): EChartsCoreOption {
  const ends = groups.flatMap(({ intervals }) => (intervals ?? []).flatMap(({ low, high }) => [low, high]));
  const values = [...groups.flatMap((one) => one.values), ...ends, ...(references ?? []).map((one) => one.y)];
  const places = groups.map((_, i) => i);
  return {
    grid: GRID,
    xAxis: {
      ...{ type: 'value', min: -0.5, max: groups.length - 0.5 },
      axisLabel: {
        ...{ color: INK, fontSize: 12, customValues: places, margin: 12 },
        ...{ width: (width - 80) / groups.length, overflow: 'break' },
        formatter: (place: number) => groups[place]?.name ?? '',
      },
      axisTick: { show: false },
      axisLine: { onZero: false, lineStyle: { color: MUTED } },
      splitLine: { show: false },
    },
    yAxis: upOf(y, values),
    tooltip: { ...TOOLTIP, trigger: 'item' },
    series: groups.flatMap((group, place) => [
      {
        ...dotsOf(group, place, y.unit),
        ...(place === 0 ? { markLine: referenceLines(references) } : {}),
      },
      intervalsOf(group, place, y.unit),
    ]),
  };
}

/** In order from left to right, so that none hides another. */
function dotsOf({ name, tone, values }: DotGroup, place: number, unit?: string): object {
  const spread = Math.min(0.04, 0.24 / values.length);
  return {
    type: 'scatter',
    name,
    data: values.map((value, i) => [place - 0.12 + (i - (values.length - 1) / 2) * spread, value]),
    symbol: symbolOf(tone),
    symbolSize: 9,
    itemStyle: { color: toneOf(tone), opacity: 0.85 },
    tooltip: {
      formatter: ({ value }: { value: [number, number] }) =>
        `${escapeHtml(name)}<br><b>${escapeHtml(withUnit(formatNumber(value[1]), unit))}</b>`,
    },
    emphasis: { disabled: true },
  };
}

/** A bar for each interval, the narrowest the thickest, and a mark at the mean. */
function intervalsOf({ name, tone, mean, intervals = [] }: DotGroup, place: number, unit?: string): object {
  const widest = [...intervals].sort((a, b) => b.high - b.low - (a.high - a.low));
  const said = [
    ...(mean === undefined ? [] : [`<b>${escapeHtml(withUnit(formatNumber(mean), unit))}</b>`]),
    ...widest.map((one) => `${escapeHtml(one.name)}: ${formatNumber(one.low)} … ${formatNumber(one.high)}`),
  ];
  return {
    type: 'custom',
    name,
    data: mean === undefined ? [] : [[place + 0.2, mean, ...widest.flatMap(({ low, high }) => [low, high])]],
    encode: {
      x: 0,
      y: widest
        .map((_, i) => [2 + 2 * i, 3 + 2 * i])
        .flat()
        .concat(1),
    },
    renderItem: (_: unknown, shape: Shape) => {
      const at = (value: number) => shape.coord([shape.value(0), value]);
      const bars = widest.map((_interval, i) => {
        const [[x, top], [, bottom]] = [at(shape.value(3 + 2 * i)), at(shape.value(2 + 2 * i))];
        const thick = 2 + 4 * i;
        return {
          type: 'rect',
          shape: { x: x - thick / 2, y: top, width: thick, height: bottom - top },
          style: { fill: toneOf(tone) },
        };
      });
      const [x, y] = at(shape.value(1));
      const mark = { type: 'rect', shape: { x: x - 9, y: y - 1.5, width: 18, height: 3 }, style: { fill: INK } };
      return { type: 'group', children: [...bars, mark] };
    },
    tooltip: { formatter: [escapeHtml(name), ...said].join('<br>') },
    emphasis: { disabled: true },
  };
}

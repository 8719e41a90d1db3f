/** Bars side by side, for histograms and for values by name. */
import type { EChartsCoreOption } from 'echarts/core';
import { categoriesOf, gridUnder, upOf } from './axes.js';
import { escapeHtml, toneOf, TOOLTIP } from './look.js';
import { formatNumber, valueWithUnit } from './numbers.js';
import type { BarSpec } from './spec.js';

export function barParts({ x, y, categories, labelled, series }: BarSpec, width: number): EChartsCoreOption {
  const all = series.flatMap(({ values }) => values);
  return {
    grid: gridUnder(y, width),
    xAxis: categoriesOf(x, 'x', categories, width, labelled),
    yAxis: upOf(y, [0, ...all], width),
    tooltip: {
      ...TOOLTIP,
      trigger: 'axis',
      axisPointer: { type: 'none' },
      valueFormatter: (value: number | null) => (value === null ? '–' : valueWithUnit(formatNumber(value), y.unit)),
    },
    series: series.map(({ name, tone, values }) => ({
      type: 'bar',
      name: escapeHtml(name),
      data: values,
      itemStyle: { color: toneOf(tone) },
      barGap: 0,
      barCategoryGap: '8%',
      emphasis: { disabled: true },
    })),
  };
}

/** Curves over a numeric axis, thin ones of single seeds behind those that count. */
import type { EChartsCoreOption } from 'echarts/core';
import { formatNumber, valueWithUnit } from './numbers.js';
import { acrossOf, gridUnder, upOf } from './axes.js';
import { dashOf, escapeHtml, referenceLines, symbolOf, toneOf, TOOLTIP } from './look.js';
import type { LineSeries, LineSpec } from './spec.js';

/** Marks on more points than this would hide the line. */
const MARKED = 40;

interface Hovered {
  seriesName: string;
  color: string;
  value: [number, number | null];
}

export function lineParts({ x, y, series, references }: LineSpec, width: number): EChartsCoreOption {
  const values = [...series.flatMap((one) => one.y), ...(references ?? []).map((one) => one.y)];
  return {
    grid: gridUnder(y, width),
    xAxis: acrossOf(
      x,
      series.flatMap((one) => one.x),
      width,
    ),
    yAxis: upOf(y, values, width),
    tooltip: {
      ...TOOLTIP,
      trigger: 'axis',
      formatter: (hovered: Hovered[]) =>
        [
          `${escapeHtml(x.name)} ${formatNumber(hovered[0]?.value[0] ?? 0)}`,
          ...hovered
            .filter(({ value }) => value[1] !== null)
            .map(({ seriesName, color, value }) =>
              row(seriesName, color, valueWithUnit(formatNumber(value[1] ?? 0), y.unit)),
            ),
        ].join('<br>'),
    },
    series: series.map((one, i) => ({
      ...lineOf(one),
      ...(i === 0 ? { markLine: referenceLines(references) } : {}),
    })),
  };
}

function row(name: string, color: string, value: string): string {
  return `<span class="swatch" style="background:${color}"></span> ${escapeHtml(name)}: <b>${escapeHtml(value)}</b>`;
}

function lineOf({ name, tone, x, y, faint = false, scattered = false }: LineSeries): object {
  return {
    type: 'line',
    name,
    data: x.map((at, i) => [at, y[i] ?? null]),
    color: toneOf(tone),
    lineStyle: faint ? { width: 1, opacity: 0.3 } : { width: scattered ? 0 : 2, type: dashOf(tone) },
    symbol: symbolOf(tone),
    showSymbol: !faint && (scattered || x.length <= MARKED),
    symbolSize: 7,
    silent: faint,
    tooltip: { show: !faint },
    // Hovering would redraw the line in a color worked out from a variable, which is none.
    emphasis: { disabled: true },
  };
}

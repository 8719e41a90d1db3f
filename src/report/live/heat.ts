/** A table of numbers as colors, each with its number in it. */
import type { EChartsCoreOption } from 'echarts/core';
import { categoriesOf, GRID } from './axes.js';
import { escapeHtml, extentOf, TOOLTIP } from './look.js';
import { formatNumber } from './numbers.js';
import type { HeatSpec } from './spec.js';

/** How many shades the page's variables have, palest first. */
export const SHADES = 7;

interface Shape {
  value: (index: number) => number;
  coord: (point: [number, number]) => [number, number];
  size: (size: [number, number]) => [number, number];
}

/** The shade of a value between `low` and `high`. */
export function shadeOf(value: number, low: number, high: number): number {
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return Math.min(SHADES - 1, Math.max(0, Math.floor(share * SHADES)));
}

export function heatParts({ x, y, columns, rows, cells, min, max }: HeatSpec, width: number): EChartsCoreOption {
  const [low, high] = extentOf(cells.map(({ value }) => value));
  const small = width / columns.length < 60;
  return {
    grid: GRID,
    xAxis: categoriesOf(x, 'x', columns, width),
    yAxis: categoriesOf(y, 'y', rows, width),
    tooltip: { ...TOOLTIP, trigger: 'item' },
    series: [
      {
        type: 'custom',
        data: cells.map(({ column, row }) => [column, row]),
        renderItem: ({ dataIndex }: { dataIndex: number }, shape: Shape) => {
          const { value = null, text } = cells[dataIndex] ?? {};
          const [centerX, centerY] = shape.coord([shape.value(0), shape.value(1)]);
          const [cellWidth, cellHeight] = shape.size([1, 1]);
          const shade = value === null ? 'none' : String(shadeOf(value, min ?? low, max ?? high));
          return {
            type: 'rect',
            shape: {
              x: centerX - cellWidth / 2 + 1,
              y: centerY - cellHeight / 2 + 1,
              width: cellWidth - 2,
              height: cellHeight - 2,
            },
            style: { fill: `var(--shade-${shade})` },
            textContent: {
              type: 'text',
              style: {
                text: text ?? (value === null ? '–' : formatNumber(small ? Number(value.toPrecision(2)) : value)),
                fill: `var(--on-shade-${shade})`,
                fontSize: small ? 10 : 13,
              },
            },
            textConfig: { position: 'inside' },
          };
        },
        tooltip: {
          formatter: ({ dataIndex }: { dataIndex: number }) => {
            const { column = 0, row = 0, value = null, text } = cells[dataIndex] ?? {};
            const said = text ?? (value === null ? '–' : formatNumber(value));
            return `${escapeHtml(rows[row] ?? '')}, ${escapeHtml(columns[column] ?? '')}<br><b>${escapeHtml(said)}</b>`;
          },
        },
        emphasis: { disabled: true },
      },
    ],
  };
}

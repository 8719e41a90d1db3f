/** Charts of every kind, for the tests of how they are drawn. */
import type { Figure } from '../../src/report/page/figure.js';
import type { ChartSpec } from '../../src/report/live/spec.js';

export const TEXTS: Figure['texts'] = {
  ...{ table: 'Data table', series: 'Series', group: 'Group', mean: 'Mean', values: 'Every value' },
  everyRow: (shown, all) => `${shown} of ${all} rows`,
};

const steps = Array.from({ length: 200 }, (_, i) => i);
const loss = (rate: number, wave: number) =>
  steps.map((step) => 0.3 + 2 * Math.exp(-step * rate) + 0.1 * Math.sin(step * wave));

export const CHARTS: Record<string, ChartSpec> = {
  curves: {
    kind: 'lines',
    x: { name: 'step' },
    y: { name: 'loss', unit: 'nats' },
    series: [
      ...[1, 2, 3].map((seed) => ({
        name: 'batch normalization',
        ...{ tone: 0, x: steps, y: loss(0.02, seed), faint: true },
      })),
      { name: 'batch normalization', tone: 0, x: steps, y: loss(0.02, 0) },
      { name: 'none <b>', tone: 1, x: steps, y: loss(0.01, 0).map((y, i) => (i > 150 ? null : y)) },
    ],
    references: [{ name: 'the paper’s 1.0', y: 1 }],
  },
  decades: {
    kind: 'lines',
    x: { name: 'layer' },
    y: { name: '‖∂L/∂W‖', logarithmic: true },
    series: [
      { name: 'none', tone: 1, x: [1, 5, 10, 20], y: [2.1e-12, 3.7e-6, 5.2e-3, 0.4] },
      { name: 'batch normalization', tone: 0, x: [1, 5, 10, 20], y: [1.51, 1.18, 1.07, 1.02] },
    ],
  },
  rates: {
    kind: 'lines',
    x: { name: 'learning rate', logarithmic: true },
    y: { name: 'training accuracy', min: 0, max: 1 },
    series: [
      { name: 'none', tone: 1, x: [0.03, 0.1, 0.3, 1, 3, 10, 30, 100], y: [0.1, 0.2, 0.5, 0.6, 0.1, 0.1, 0.1, 0.1] },
      {
        name: 'batch normalization',
        ...{ tone: 0, x: [0.03, 0.1, 0.3, 1, 3, 10, 30, 100], y: [0.6, 0.7, 0.78, 0.8, 0.79, 0.7, 0.3, 0.2] },
      },
    ],
  },
  seeds: {
    kind: 'dots',
    y: { name: 'steps, none ÷ batch normalization', logarithmic: true },
    groups: [
      {
        name: 'each at its best learning rate',
        tone: 0,
        values: [2.1, 2.4, 1.9, 2.2, 2.6],
        mean: 2.23,
        intervals: [
          { low: 1.6, high: 3.1, name: '99.5 %' },
          { low: 1.9, high: 2.6, name: '95 %' },
        ],
      },
      { name: 'both at 1.0', tone: 1, values: [8, 9, 12], mean: 9.5 },
    ],
    references: [
      { name: 'margin 1.5', y: 1.5 },
      { name: 'paper 2.3', y: 2.3 },
    ],
  },
  histogram: {
    kind: 'bars',
    x: { name: 'activation' },
    y: { name: 'images' },
    categories: Array.from({ length: 24 }, (_, i) => (i / 4 - 3).toFixed(2)),
    series: [
      {
        name: 'before',
        tone: 1,
        values: Array.from({ length: 24 }, (_, i) => Math.round(900 * Math.exp(-((i - 18) ** 2) / 9))),
      },
      {
        name: 'after',
        tone: 0,
        values: Array.from({ length: 24 }, (_, i) => Math.round(500 * Math.exp(-((i - 12) ** 2) / 30))),
      },
    ],
  },
  grid: {
    kind: 'heat',
    x: { name: 'learning rate' },
    y: { name: 'arm' },
    columns: ['0.03', '0.1', '0.3', '1', '3', '10', '30', '100'],
    rows: ['none', 'batch normalization'],
    cells: [0, 1].flatMap((row) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((column) => ({ row, column, value: column === 7 ? null : (row + column) / 10 })),
    ),
  },
};

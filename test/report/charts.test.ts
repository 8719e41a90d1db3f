/** Figures of a page: what is drawn without a script, their tables, their numbers, and the script that they go live with. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { acrossOf } from '../../src/report/live/axes.js';
import { formatNumber, linearTicks, logarithmicTicks } from '../../src/report/live/numbers.js';
import { tableOf } from '../../src/report/page/dataTable.js';
import { renderChart } from '../../src/report/page/figure.js';
import { CHARTS, TEXTS } from '../support/charts.js';
import { root, start } from '../support/program.js';

const figures = () => Object.entries(CHARTS).map(([id, spec]) => renderChart(spec, { id, title: id, texts: TEXTS }));

it.each(Object.entries(CHARTS))('%s is drawn, narrow and wide', (id, spec) => {
  const html = renderChart(spec, { id, title: 'A <title>', label: 'What "it" shows', texts: TEXTS });
  expect(html.match(/<svg /g)).toHaveLength(2);
  expect(html).toContain('role="img" aria-label="What &#34;it&#34; shows"');
  expect(html).toContain('<figcaption>A &#60;title&#62;</figcaption>');
  expect(html.match(/[ML][\d.]+ [\d.]+/g)?.length).toBeGreaterThan(20);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
});

it('neighbors that look alike are one path, and circles are circles', () => {
  for (const html of figures()) {
    const looks = html.split('\n').map((line) => /^<path d="[^"]*"((?!.*transform).*)$/.exec(line)?.[1]);
    expect(looks.filter((look, i) => look !== undefined && look === looks[i - 1])).toEqual([]);
    expect(html).not.toContain('A1 1 0 1 1');
  }
  const seeds = renderChart(CHARTS['seeds'] ?? expect.fail(), { id: 'a', title: 'a', texts: TEXTS });
  expect(seeds.match(/<circle r="4.5" cx="[\d.]+" cy="[\d.]+" fill="var\(--tone-0\)"/g)).toHaveLength(10);
});

it.each<{ logarithmic: boolean; at: number; among: { min: number; max: number } }>([
  { logarithmic: false, at: 1, among: { min: 0.5, max: 1.5 } },
  { logarithmic: true, at: 0.1, among: { min: 0.05, max: 0.2 } },
])('a single value stands in the middle of its axis: $at', ({ logarithmic, at, among }) => {
  expect(acrossOf({ name: 'epoch', logarithmic }, [at], 700)).toMatchObject({
    ...among,
    axisLabel: { customValues: [at] },
  });
});

it('dots over decades are labelled at round numbers, curves at their few values', () => {
  const axis = { name: 'x', logarithmic: true, min: 1e-4, max: 0.02 };
  expect(acrossOf(axis, [], 328)).toMatchObject({ axisLabel: { customValues: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2] } });
  expect(acrossOf(axis, [2e-4, 7e-3], 328)).toMatchObject({ axisLabel: { customValues: [2e-4, 7e-3] } });
});

it('the same input gives the same bytes, and no name stands twice in a page', () => {
  const once = figures();
  expect(figures()).toEqual(once);
  const names = [...once.join('').matchAll(/ id="([^"]+)"/g)].map(([, name]) => name);
  expect(new Set(names).size).toBe(names.length);
});

it('text of a series cannot become markup, in legend, drawing, table or data', () => {
  const curves = CHARTS['curves'] ?? expect.fail();
  expect(renderChart(curves, { id: 'a', title: 'a', texts: TEXTS })).not.toMatch(/<b>|<\/b>/);
});

describe('tables', () => {
  const table = (name: string) => tableOf(CHARTS[name] ?? expect.fail(name), TEXTS);

  it('of curves have the lines that count, thinned to 40 rows with the first and the last', () => {
    const { columns, rows, note } = table('curves');
    expect(columns).toEqual(['step', 'batch normalization: loss (nats)', 'none <b>: loss (nats)']);
    expect(rows).toHaveLength(40);
    expect([rows[0], rows.at(-1)]).toEqual([
      ['0', '2.3', '2.3'],
      ['199', '0.3374', '–'],
    ]);
    expect(note).toBe('40 of 200 rows');
  });

  it('of seeds have mean, intervals and every value', () =>
    expect(table('seeds')).toEqual({
      columns: ['Group', 'Mean', '99.5 %', '95 %', 'Every value'],
      rows: [
        ['each at its best learning rate', '2.23', '1.6 … 3.1', '1.9 … 2.6', '2.1; 2.4; 1.9; 2.2; 2.6'],
        ['both at 1.0', '9.5', '–', '–', '8; 9; 12'],
      ],
    }));

  it('of bars have a row for each', () =>
    expect(table('histogram')).toMatchObject({ columns: ['activation', 'before', 'after'], rows: { length: 24 } }));

  it('of a grid are the grid', () =>
    expect(table('grid').rows[1]).toEqual([
      'batch normalization',
      '0.1',
      '0.2',
      '0.3',
      '0.4',
      '0.5',
      '0.6',
      '0.7',
      '–',
    ]));
});

it.each([
  [0, '0'],
  [0.87134, '0.8713'],
  [-0.5, '−0.5'],
  [1234567, '1,234,567'],
  [1234.5678, '1,235'],
  [999.96, '1,000'],
  [2.1e-12, '2.1×10⁻¹²'],
  [-1e-5, '−10⁻⁵'],
  [3.14159e8, '3.14×10⁸'],
  [Infinity, 'Infinity'],
])('%d is written %s', (value, text) => expect(formatNumber(value)).toBe(text));

it.each([
  [0.03, 100, 20, [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]],
  [0.03, 100, 8, [0.03, 0.1, 0.3, 1, 3, 10, 30, 100]],
  [0.03, 100, 5, [0.1, 1, 10, 100]],
  [1e-12, 1, 5, [1e-12, 1e-9, 1e-6, 1e-3, 1]],
])('a logarithmic axis from %d to %d with at most %d labels', (low, high, most, ticks) =>
  expect(logarithmicTicks(low, high, most)).toEqual(ticks),
);

it.each([
  [0, 199, 12, [0, 20, 40, 60, 80, 100, 120, 140, 160, 180]],
  [1, 20, 5, [5, 10, 15, 20]],
  [-0.3, 0.3, 6, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]],
  [1, 10, 100, [1, 1.1, 1.2]],
])('a linear axis from %d to %d with at most %d labels', (low, high, most, ticks) =>
  expect(linearTicks(low, high, most).slice(0, 10)).toEqual(expect.arrayContaining(ticks)),
);

describe('the script of a page', () => {
  const file = path.join(root, 'dist/report/live/index.js');
  const text = readFileSync(file, 'utf8');

  it('stands alone, can stand in a page, and keeps the notices of what is in it', () => {
    expect(text).not.toMatch(/<\/script|\bimport\b\s*[{"'`*]/);
    for (const notice of ['Apache ECharts', 'Apache License 2.0', 'Copyright (c) 2017, Baidu Inc.', 'Mike Bostock'])
      expect(text).toContain(notice);
    expect(text.length).toBeLessThan(700_000);
  });

  it('draws in Node, which then ends', async () => {
    const code = `const { svgOf } = await import(${JSON.stringify(file)});
      console.log(svgOf(${JSON.stringify(CHARTS['rates'])}, 'a', 300, 200).slice(0, 4));`;
    const ended = await start(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000 }).result;
    expect(ended).toMatchObject({ code: 0, stdout: '<svg\n', stderr: '' });
  });
});

/** A chart in the page: drawn narrow and wide, its legend of buttons, the data that it goes live with, and its table. */
import { svgOf } from '../live/index.js';
import { escapeHtml } from '../live/look.js';
import { pack } from '../live/packed.js';
import type { ChartSpec } from '../live/spec.js';
import { type DataTable, tableOf, type TableTexts } from './dataTable.js';

export interface FigureTexts extends TableTexts {
  /** What unfolds the table. */
  table: string;
  /** Of the legend's buttons, for screen readers. */
  series: string;
}

export interface Figure {
  /** Unique in the page; a name as CSS takes it. */
  id: string;
  title: string;
  /** What the picture shows, for those who do not see it; the title if not given. */
  label?: string;
  texts: FigureTexts;
  /** Instead of that of the chart's own numbers. */
  table?: DataTable;
  /** In pixels, where there is room in width. */
  height?: number;
}

/** In pixels; phones get the narrow drawing, all else the wide one. */
const NARROW = 328;
const WIDE = 760;

/** The figure's HTML. It is complete without a script, and needs the page's styles and `liveScript` to go live. */
export function renderChart(spec: ChartSpec, { id, title, label = title, texts, table, height = 360 }: Figure): string {
  const rounded = JSON.parse(JSON.stringify(spec, short)) as ChartSpec;
  const low = Math.min(height, 300);
  return `<figure class="chart" id="${id}" style="--height:${height}px;--low-height:${low}px">
<figcaption>${escapeHtml(title)}</figcaption>
${legendOf(rounded, texts)}<div class="drawing" role="img" aria-label="${escapeHtml(label)}">
<div class="narrow">${svgOf(rounded, `${id}-n`, NARROW, low)}</div><div class="wide">${svgOf(rounded, `${id}-w`, WIDE, height)}</div>
</div>
<details><summary>${escapeHtml(texts.table)}</summary>
${renderTable(table ?? tableOf(rounded, texts), title)}
</details>
<script type="application/json">${pack(rounded)}</script>
</figure>`;
}

/** Five digits are more than any screen shows. */
function short(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

/** One button for each name, where there are several; without a script they only explain. */
function legendOf(spec: ChartSpec, texts: FigureTexts): string {
  if (spec.kind === 'dots' || spec.kind === 'heat') return '';
  const tones = new Map(spec.series.map(({ name, tone }) => [name, tone] as const));
  if (tones.size < 2) return '';
  const buttons = [...tones].map(
    ([name, tone]) =>
      `<button type="button" value="${escapeHtml(name)}" aria-pressed="true" disabled><span class="swatch tone-${tone}"></span>${escapeHtml(name)}</button>`,
  );
  return `<div class="legend" role="group" aria-label="${escapeHtml(texts.series)}">${buttons.join('')}</div>\n`;
}

/** A table that scrolls in itself where it is too wide, by keyboard as well. */
export function renderTable({ columns, rows, note }: DataTable, caption: string): string {
  const cell = (text: string, i: number) => (i === 0 ? `<th scope="row">${text}</th>` : `<td>${text}</td>`);
  const row = (cells: string[]) => `<tr>${cells.map((text, i) => cell(escapeHtml(text), i)).join('')}</tr>`;
  const head = columns.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('');
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escapeHtml(caption)}">
<table><thead><tr>${head}</tr></thead><tbody>${rows.map(row).join('\n')}</tbody></table>
</div>${note === undefined ? '' : `\n<p class="note">${escapeHtml(note)}</p>`}`;
}

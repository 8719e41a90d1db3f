/** Loss and accuracies by epoch, as a chart of characters for the terminal and as an SVG for the run folder. */
import { formatMetric } from '../common/format.js';
import type { EpochResult } from '../train/events.js';

interface Series {
  name: string;
  mark: string;
  color: string;
  value: (epoch: EpochResult) => number;
}

const SERIES: Series[] = [
  { name: 'loss', mark: '•', color: '#d62728', value: ({ loss }) => loss },
  { name: 'train acc', mark: '+', color: '#1f77b4', value: ({ trainAccuracy }) => trainAccuracy },
  { name: 'test acc', mark: 'o', color: '#2ca02c', value: ({ testAccuracy }) => testAccuracy },
];

interface Axis {
  end: number;
  /** There are at most 20 of them. */
  ticks: number;
}

/** The value axis: all values fit, those of a run that went astray too, and accuracies always have their whole range. */
function valueAxis(history: EpochResult[]): Axis {
  const largest = Math.max(1, ...history.map(({ loss }) => loss));
  const perTick = 5 / 10 ** Math.max(0, Math.ceil(Math.log10(largest / 4)));
  const ticks = Math.ceil(largest * perTick);
  return { end: ticks / perTick, ticks };
}

/** In at most 6 characters. */
function axisLabel(value: number, end: number, digits: number): string {
  return end < 1000 ? value.toFixed(digits) : value.toExponential(0);
}

const ROWS = 11;
/** Columns of the labels and the axis. */
const MARGIN = 8;

/**
 * A chart in lines of at most `columns` characters, with marks that are told apart without color: one column of marks an
 * epoch, or where there is no room the last of each so many epochs.
 */
export function textChart(history: EpochResult[], columns = 80, rows = ROWS): string {
  const { end } = valueAxis(history);
  const room = Math.max(1, columns - MARGIN);
  const every = Math.ceil(history.length / room);
  const shown = history.filter((_, i) => (history.length - 1 - i) % every === 0);
  const step = Math.min(6, Math.floor(room / shown.length));
  const grid = Array.from({ length: rows }, () => Array<string>(shown.length * step).fill(' '));
  for (const { mark, value } of [...SERIES].reverse())
    for (const [i, epoch] of shown.entries()) {
      const row = grid[rows - 1 - Math.round((value(epoch) / end) * (rows - 1))];
      if (row) row[i * step + step - 1] = mark;
    }
  const label = (row: number) => (row % 2 === 0 ? axisLabel(end * (1 - row / (rows - 1)), end, 2) : '').padStart(6);
  const lines = grid.map((row, i) => `${label(i)} ┤${row.join('').trimEnd()}`);
  const legend = fold(
    SERIES.map(({ mark, name }) => `${mark} ${name}`),
    room,
  );
  return [
    ...lines,
    `       └${'─'.repeat(shown.length * step)}`,
    `epoch   ${numbersBelow(shown, step)}`,
    ...legend.map((line) => `${' '.repeat(MARGIN)}${line}`),
  ].join('\n');
}

/** The numbers of epochs, each ending below its marks: of every epoch, or of every so many that they stand apart. */
function numbersBelow(shown: EpochResult[], step: number): string {
  const width = String(shown.at(-1)?.epoch ?? '').length + 1;
  const every = [1, 2, 5, 10, 20, 50].find((count) => count * step >= width) ?? 1;
  const spread = shown.map(({ epoch }, i) => ((i + 1) % every === 0 ? String(epoch).padStart(every * step) : ''));
  return spread.join('').trimEnd();
}

/** Words in as few lines as have room for them. */
function fold(words: string[], room: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ''}   ${word}`;
    if (lines.length > 0 && longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const WIDTH = 640;
const HEIGHT = 360;
const PLOT = { left: 48, right: 616, top: 40, bottom: 316 };

/** The same as an SVG of 640×360 that stands alone. */
export function svgChart(history: EpochResult[], title: string): string {
  const { end, ticks } = valueAxis(history);
  const y = (value: number) => PLOT.bottom - (value / end) * (PLOT.bottom - PLOT.top);
  const x = (i: number) => PLOT.left + ((i + 0.5) / history.length) * (PLOT.right - PLOT.left);
  const every = Math.ceil(history.length / 20);
  const grid = Array.from({ length: ticks + 1 }, (_, i) => (end * i) / ticks).map(
    (value) =>
      `<path d="M${PLOT.left} ${y(value).toFixed(1)}H${PLOT.right}" stroke="#e3e3e3"/>` +
      `<text x="${PLOT.left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${axisLabel(value, end, 1)}</text>`,
  );
  const epochs = history.map(({ epoch }, i) =>
    i % every === 0 ? `<text x="${x(i).toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle">${epoch}</text>` : '',
  );
  const lines = SERIES.map(({ name, color, value }) => {
    const points = history.map(value).map((at, i) => ({ x: x(i).toFixed(1), y: y(at).toFixed(1), at }));
    const dots = points.map(
      (p) => `<circle cx="${p.x}" cy="${p.y}" r="3"><title>${name} ${formatMetric(p.at)}</title></circle>`,
    );
    const line = `<polyline points="${points.map((p) => `${p.x},${p.y}`).join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`;
    return `<g fill="${color}">${line}${dots.join('')}</g>`;
  });
  const legend = SERIES.map(
    ({ name, color }, i) =>
      `<rect x="${380 + i * 84}" y="15" width="10" height="10" fill="${color}"/><text x="${394 + i * 84}" y="24">${name}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${PLOT.left}" y="25" font-size="14" font-weight="bold">${escapeXml(title)}</text>
${[...grid, ...epochs, ...lines, ...legend].join('\n')}
<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">epoch</text>
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character] ?? '');
}

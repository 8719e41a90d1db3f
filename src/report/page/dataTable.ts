/** The numbers of a chart as a table, for those who do not see it and those who want the digits. */
import { formatNumber, withUnit } from '../live/numbers.js';
import type { BarSpec, ChartSpec, DotSpec, HeatSpec, LineSpec } from '../live/spec.js';

export interface DataTable {
  columns: string[];
  rows: string[][];
  note?: string;
}

export interface TableTexts {
  group: string;
  mean: string;
  values: string;
  /** Said where a table is too long to show all its rows. */
  everyRow: (shown: number, all: number) => string;
}

/** More rows than this are no help to a reader. */
const ROWS = 40;

export function tableOf(spec: ChartSpec, texts: TableTexts): DataTable {
  switch (spec.kind) {
    case 'lines':
      return linesTable(spec, texts);
    case 'dots':
      return dotsTable(spec, texts);
    case 'bars':
      return barsTable(spec, texts);
    case 'heat':
      return heatTable(spec);
  }
}

function cellOf(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : formatNumber(value);
}

/** At most `ROWS` rows from all over, the first and the last among them. */
function thinned(rows: string[][], texts: TableTexts): Pick<DataTable, 'rows' | 'note'> {
  if (rows.length <= ROWS) return { rows };
  const kept = Array.from({ length: ROWS }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (ROWS - 1))] ?? []);
  return { rows: kept, note: texts.everyRow(ROWS, rows.length) };
}

function linesTable({ x, y, series }: LineSpec, texts: TableTexts): DataTable {
  const loud = series.some(({ faint }) => faint !== true) ? series.filter(({ faint }) => faint !== true) : series;
  const places = [...new Set(loud.flatMap((one) => one.x))].sort((a, b) => a - b);
  const lookups = loud.map((one) => new Map(one.x.map((at, i) => [at, one.y[i]])));
  const rows = places.map((at) => [formatNumber(at), ...lookups.map((lookup) => cellOf(lookup.get(at)))]);
  const columns = [withUnit(x.name, x.unit), ...loud.map(({ name }) => `${name}: ${withUnit(y.name, y.unit)}`)];
  return { columns, ...thinned(rows, texts) };
}

function dotsTable({ y, groups }: DotSpec, { group, mean, values }: TableTexts): DataTable {
  const named = groups.find(({ intervals }) => intervals)?.intervals ?? [];
  const averaged = groups.some((one) => one.mean !== undefined);
  const rows = groups.map((one) => [
    one.name,
    ...(averaged ? [cellOf(one.mean)] : []),
    ...named.map((_, i) => {
      const interval = one.intervals?.[i];
      return interval ? `${formatNumber(interval.low)} … ${formatNumber(interval.high)}` : '–';
    }),
    one.values.map(formatNumber).join('; '),
  ]);
  const columns = [group, ...(averaged ? [mean] : []), ...named.map(({ name }) => name), values];
  return { columns: columns.map((name, i) => (i === 0 ? name : withUnit(name, y.unit))), rows };
}

function barsTable({ x, y, categories, series }: BarSpec, texts: TableTexts): DataTable {
  const rows = categories.map((name, i) => [name, ...series.map(({ values }) => cellOf(values[i]))]);
  return { columns: [x.name, ...series.map(({ name }) => withUnit(name, y.unit))], ...thinned(rows, texts) };
}

function heatTable({ x, y, columns, rows, cells }: HeatSpec): DataTable {
  const at = new Map(cells.map((cell) => [`${cell.row},${cell.column}`, cell.text ?? cellOf(cell.value)]));
  return {
    columns: [`${y.name} \\ ${x.name}`, ...columns],
    rows: rows.map((name, row) => [name, ...columns.map((_, column) => at.get(`${row},${column}`) ?? '–')]),
  };
}

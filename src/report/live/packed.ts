/** A chart's data as the page carries it, and back: short numbers, and what lines have in common once. */
import type { ChartSpec, LineSeries } from './spec.js';

/** JSON that may stand in a script element. */
export function pack(spec: ChartSpec): string {
  const shared = spec.kind === 'lines' ? { ...spec, series: spec.series.map(withoutShared) } : spec;
  return JSON.stringify(shared).replaceAll('<', '\\u003c');
}

/** A line without its places where they are those of the line before. */
function withoutShared(line: LineSeries, i: number, all: LineSeries[]): Partial<LineSeries> {
  const { x, ...rest } = line;
  return JSON.stringify(all[i - 1]?.x) === JSON.stringify(x) ? rest : line;
}

export function unpack(text: string): ChartSpec {
  const spec = JSON.parse(text) as ChartSpec;
  if (spec.kind !== 'lines') return spec;
  let last: number[] = [];
  const series = (spec.series as Partial<LineSeries>[]).map(({ x, ...rest }) => {
    last = x ?? last;
    return { ...rest, x: last } as LineSeries;
  });
  return { ...spec, series };
}

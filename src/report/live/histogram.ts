/** A histogram as bars, each named by its lower edge, with round numbers below the axis. */
import { type Bins, roundStep } from '../../common/bins.js';
import { formatNumber } from './numbers.js';
import type { BarSpec } from './spec.js';

export interface HistogramTexts {
  value: string;
  share: string;
}

/** How many names stand below the axis, about. */
const LABELS = 7;

/** `series` have a value for each bin. */
export function histogramSpec({ low, step, count }: Bins, series: BarSpec['series'], texts: HistogramTexts): BarSpec {
  const edges = Array.from({ length: count }, (_, i) => low + i * step);
  const every = roundStep((count * step) / LABELS);
  const isRound = (edge: number) => Math.abs(edge / every - Math.round(edge / every)) < 1e-6;
  return {
    kind: 'bars',
    x: { name: texts.value },
    y: { name: texts.share, min: 0 },
    // Sums of steps like 0.1 are not round by themselves.
    categories: edges.map((edge) => formatNumber(Number(edge.toPrecision(6)) || 0)),
    labelled: edges.flatMap((edge, i) => (isRound(edge) ? [i] : [])),
    series,
  };
}

export function sharesOf(counts: number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0) || 1;
  return counts.map((count) => count / all);
}

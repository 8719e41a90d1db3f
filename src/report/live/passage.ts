/** One channel's values on their way through batch normalization, as histograms of each step, for any μ, σ, γ and β. */
import { type Bins, binsOver, countsIn } from '../../common/bins.js';
import { formatNumber } from './numbers.js';
import { histogramSpec, type HistogramTexts, sharesOf } from './histogram.js';
import type { BarSpec } from './spec.js';

/** √(variance + ε) is what is divided by. */
export interface Standard {
  mean: number;
  deviation: number;
}

export interface Setting extends Standard {
  gamma: number;
  beta: number;
}

/** A channel as it was in a batch; `moving` is what inference has for μ and σ. */
export interface Passing extends Setting {
  name: string;
  moving: Standard;
  x: number[];
}

export interface PassageTexts extends HistogramTexts {
  panels: string[];
  /** With {mean} and {deviation} in it. */
  summary: string;
}

export interface Passage {
  channels: Passing[];
  texts: PassageTexts;
}

export interface Panel {
  spec: BarSpec;
  /** Its mean and deviation, in words. */
  summary: string;
}

const TONES = [5, 0, 1, 2];
const BINS = 48;
/** The axes of x̂, y and sigmoid(y); what lies beyond is counted at the end. */
const AXES: Bins[] = [
  { low: -6, step: 0.25, count: 48 },
  { low: -12, step: 0.5, count: 48 },
  { low: 0, step: 0.02, count: 50 },
];

/** x, x̂ = (x − μ)/σ, y = γ·x̂ + β and sigmoid(y). */
export function panelsOf({ x }: Passing, { mean, deviation, gamma, beta }: Setting, texts: PassageTexts): Panel[] {
  const normalized = x.map((value) => (value - mean) / deviation);
  const y = normalized.map((value) => gamma * value + beta);
  const steps = [x, normalized, y, y.map((value) => 1 / (1 + Math.exp(-value)))];
  const axes = [binsOver(Math.min(...x), Math.max(...x), BINS), ...AXES];
  return steps.flatMap((values, i) => {
    const [bins, name] = [axes[i], texts.panels[i]];
    if (!bins || name === undefined) return [];
    const shares = sharesOf(countsIn(bins, values));
    const series = [{ name, tone: TONES[i] ?? 0, values: shares }];
    return [{ spec: histogramSpec(bins, series, texts), summary: summaryOf(values, texts) }];
  });
}

function summaryOf(values: number[], texts: PassageTexts): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const said = (value: number) => formatNumber(Number(value.toFixed(2)) || 0);
  return texts.summary.replace('{mean}', said(mean)).replace('{deviation}', said(Math.sqrt(variance)));
}

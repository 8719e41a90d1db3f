/** One channel's values on their way through batch normalization, as histograms of each step, for any μ, σ, γ and β. */
import { formatNumber } from './numbers.js';
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

export interface PassageTexts {
  panels: string[];
  value: string;
  share: string;
  mean: string;
  deviation: string;
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

const BINS = 48;
/** Ends of the axes of x̂, y and sigmoid(y); what lies beyond is counted at the end. */
const RANGES = [
  [-6, 6],
  [-12, 12],
  [0, 1],
] as const;

/** x, x̂ = (x − μ)/σ, y = γ·x̂ + β and sigmoid(y). */
export function panelsOf({ x }: Passing, { mean, deviation, gamma, beta }: Setting, texts: PassageTexts): Panel[] {
  const normalized = x.map((value) => (value - mean) / deviation);
  const y = normalized.map((value) => gamma * value + beta);
  const steps = [x, normalized, y, y.map((value) => 1 / (1 + Math.exp(-value)))];
  const [least, most] = [Math.min(...x), Math.max(...x)];
  const own = [least, most > least ? most : least + 1] as const;
  return steps.map((values, i) => ({
    spec: barsOf(values, [own, ...RANGES][i] ?? own, { name: texts.panels[i] ?? '', tone: i === 0 ? 5 : i - 1, texts }),
    summary: summaryOf(values, texts),
  }));
}

interface Look {
  name: string;
  tone: number;
  texts: PassageTexts;
}

function barsOf(values: number[], [low, high]: readonly [number, number], { name, tone, texts }: Look): BarSpec {
  const width = (high - low) / BINS;
  const shares = Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - low) / width)));
    shares[bin] = (shares[bin] ?? 0) + 1 / values.length;
  }
  return {
    kind: 'bars',
    x: { name: texts.value },
    y: { name: texts.share, min: 0 },
    categories: shares.map((_, i) => formatNumber(Number((low + i * width).toFixed(2)))),
    series: [{ name, tone, values: shares }],
  };
}

function summaryOf(values: number[], texts: PassageTexts): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const [m, d] = [mean, Math.sqrt(variance)].map((value) => value.toFixed(2).replace('-', '−'));
  return `${texts.mean} ${m ?? ''}, ${texts.deviation} ${d ?? ''}`;
}

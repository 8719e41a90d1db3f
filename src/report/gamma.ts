/** The learned parameters of batch normalization layers, as rows of numbers or, where a layer is wide, as histograms. */
import type { LayerParameters } from '../run/parameters.js';

const NAMES = [
  ['gamma', 'gamma'],
  ['beta', 'beta'],
  ['movingMean', 'moving mean'],
  ['movingVariance', 'moving variance'],
] as const;

/** What the recipe's authors found in the first layer from scratch: one GPU, PyTorch, ten epochs. */
const REFERENCE = {
  gamma: [0.4863, 2.8573, 2.319, 4.3188, 3.8588, 1.7942],
  beta: [-0.0124, 1.4839, -1.7753, 2.3564, -3.8801, -2.1589],
};
const REFERENCE_NOTE = 'reference: the 10 epochs of the recipe’s authors, whose channels stand in another order';

/** More numbers than this are not read, but looked at. */
const READABLE = 32;

export interface GammaOptions {
  /** Of a terminal, into which rows are folded; where it is undefined, each is one line with all its numbers. */
  columns: number | undefined;
  /** Whether the model is that of the recipe, with whose figures the first layer can be compared. */
  isRecipe: boolean;
}

/** A line that names the layer, and its parameters, for each. */
export function gammaLines(layers: LayerParameters[], { columns, isRecipe }: GammaOptions): string[] {
  return layers.flatMap((parameters) => {
    const { layer, layers, after } = parameters;
    const isCompared = isRecipe && layer === 1 && parameters.gamma?.length === REFERENCE.gamma.length;
    const rows = NAMES.flatMap(([key, name]): Row[] => {
      const values = parameters[key];
      if (!values) return [];
      const isKnown = isCompared && (key === 'gamma' || key === 'beta');
      return [{ name, values }, ...(isKnown ? [{ name: 'reference', values: REFERENCE[key] }] : [])];
    });
    const count = rows[0]?.values.length ?? 0;
    const isWide =
      columns !== undefined && count > READABLE && rows.every(({ values }) => values.every(Number.isFinite));
    return [
      `layer ${layer} of ${layers}, after ${after}: ${count} channels`,
      ...(isWide ? histogramLines(rows) : rowLines(rows, columns ?? Infinity)),
      ...(isWide ? [`all ${count} of each: --json`] : []),
      ...(isCompared ? [REFERENCE_NOTE] : []),
    ];
  });
}

interface Row {
  name: string;
  values: number[];
}

/** Names in a column of their own, numbers one below the other, as many in a line as have room. */
function rowLines(rows: Row[], columns: number): string[] {
  const label = Math.max(...rows.map(({ name }) => name.length)) + 1;
  const width = Math.max(...rows.flatMap(({ values }) => values.map((value) => value.toFixed(4).length))) + 1;
  const most = Math.max(...rows.map(({ values }) => values.length));
  const perLine = Math.max(1, Math.min(most, Math.floor((columns - label) / width)));
  return rows.flatMap(({ name, values }) =>
    Array.from({ length: Math.ceil(values.length / perLine) }, (_, line) => {
      const cells = values.slice(line * perLine, (line + 1) * perLine);
      const numbers = cells.map((value) => value.toFixed(4).padStart(width)).join('');
      return `${(line === 0 ? name : '').padEnd(label)}${numbers}`;
    }),
  );
}

const BARS = '▁▂▃▄▅▆▇█';
const BINS = 12;

/** "gamma 0.930 [▃█▄██▅▂▁▂▁ ▁] 1.363  median 1.050": how many values lie where between the smallest and the largest. */
function histogramLines(rows: Row[]): string[] {
  const cells = rows.map(({ name, values }) => {
    const sorted = values.toSorted((a, b) => a - b);
    const [least = 0, most = 0, median = 0] = [sorted[0], sorted.at(-1), sorted[sorted.length >> 1]];
    return [
      name,
      least.toFixed(3),
      `[${barsOf(values, least, most)}]`,
      most.toFixed(3),
      ` median ${median.toFixed(3)}`,
    ];
  });
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row.map((cell, i) => (i === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' '),
  );
}

function barsOf(values: number[], least: number, most: number): string {
  const counts = Array<number>(BINS).fill(0);
  for (const value of values) {
    const bin = most > least ? Math.min(BINS - 1, Math.floor(((value - least) / (most - least)) * BINS)) : BINS >> 1;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const highest = Math.max(...counts);
  return counts.map((count) => (count === 0 ? ' ' : BARS[Math.ceil((count / highest) * BARS.length) - 1])).join('');
}

/** Accuracies and loss by epoch, as a chart of characters for the terminal. */
import { formatCount } from '../common/format.js';
import type { EpochResult } from '../train/events.js';

/** One accuracy by epoch; null where it was not measured. */
export interface Curve {
  kind: 'moving' | 'population' | 'train';
  of: 'test acc' | 'train acc';
  /** By which statistics, where there are two kinds. */
  by?: string;
  /** How many the statistics are taken over. */
  images?: string;
  values: (number | null)[];
}

/** Those that were measured. */
export function accuraciesOf(history: EpochResult[]): Curve[] {
  const images = history.findLast(({ populationImages }) => populationImages !== null)?.populationImages ?? null;
  const moving: Curve = { kind: 'moving', of: 'test acc', values: history.map(({ testAccuracy }) => testAccuracy) };
  const train: Curve = { kind: 'train', of: 'train acc', values: history.map(({ trainAccuracy }) => trainAccuracy) };
  if (images === null) return [moving, train];
  const population: Curve = {
    kind: 'population',
    of: 'test acc',
    by: 'population statistics',
    images: `${formatCount(images)} images`,
    values: history.map(({ testAccuracyPopulation }) => testAccuracyPopulation),
  };
  return [{ ...moving, by: 'moving average' }, population, train];
}

export interface Axis {
  from: number;
  to: number;
  /** Equal parts, each of which ends in a number. */
  parts: number;
}

/** From tenth to tenth, as narrow as the values let it be, so that what differs by a little is seen to differ. */
export function accuracyAxis(curves: Curve[]): Axis {
  const tenths = curves.flatMap(({ values }) => values.filter((value) => value !== null)).map((value) => 10 * value);
  const from = Math.floor(Math.min(...tenths));
  const to = Math.max(from + 1, Math.ceil(Math.max(...tenths)));
  return { from: from / 10, to: to / 10, parts: to - from };
}

const ROUND = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10];

/** From 0 to a round number that no loss goes beyond, be it that of a run that went astray. */
export function lossAxis(history: EpochResult[]): Axis {
  const largest = Math.max(1e-9, ...history.map(({ loss }) => loss));
  const power = 10 ** Math.floor(Math.log10(largest));
  return { from: 0, to: (ROUND.find((value) => value * power >= largest) ?? 10) * power, parts: 2 };
}

/** The number at the end of a part of an axis, in at most 6 characters. */
export function axisLabel({ from, to, parts }: Axis, part: number): string {
  const value = from + ((to - from) * part) / parts;
  const isPlain = value === 0 || (to >= 0.05 && to < 1000);
  return isPlain ? value.toFixed(2) : value.toExponential(1).replace('+', '');
}

/** Columns of the labels and the axis. */
const MARGIN = 8;
const LOSS_ROWS = 5;

/** By the sum of what stands in one place: 1 moving average, 2 population statistics, 4 training. */
const MARKS = [' ', 'o', '×', '⊗', '+', '⊕', '∗', '⊛'] as const;
const WEIGHTS = { moving: 1, population: 2, train: 4 } as const;
const LOSS_MARK = '•';
/** Leads the eye along the moving average, where epochs are far enough apart. */
const PATH = '⋅';

/**
 * A chart in lines of at most `columns` characters, from 60 on, with marks that are told apart without color and where
 * they meet: one column of marks an epoch, or where there is no room the last of each so many epochs.
 */
export function textChart(history: EpochResult[], columns = 80): string[] {
  const room = Math.max(1, columns - MARGIN);
  const every = Math.ceil(history.length / room);
  const shown = history.filter((_, i) => (history.length - 1 - i) % every === 0);
  const step = Math.min(6, Math.floor(room / shown.length));
  const width = shown.length * step;
  const [curves, losses] = [accuraciesOf(shown), shown.map(({ loss }) => loss)];
  const [axis, lossScale] = [accuracyAxis(curves), lossAxis(shown)];
  const grid = new Grid(axis, axis.parts * Math.max(1, Math.round(10 / axis.parts)) + 1, width);
  for (const { kind, values } of curves) grid.add(values, step, WEIGHTS[kind]);
  const paths = new Grid(axis, grid.rows, width);
  if (step > 2) paths.add(between(curves.find(({ kind }) => kind === 'moving')?.values ?? [], step), 1, 1);
  const lossGrid = new Grid(lossScale, LOSS_ROWS, width);
  lossGrid.add(losses, step, 1);
  const legend = [
    ...curves.map(({ kind, of, by, images }) => {
      const statistics = by === undefined ? '' : `, ${by}${images === undefined ? '' : ` (${images})`}`;
      return `${MARKS[WEIGHTS[kind]]} ${of}${statistics}`;
    }),
    ...grid.meetings().map((sum) => `${MARKS[sum] ?? ''} = ${partsOf(sum).join(' and ')}`),
  ];
  return [
    'accuracy',
    ...grid.lines((sum, row, column) => (sum > 0 ? MARKS[sum] : paths.at(row, column) > 0 ? PATH : ' ')),
    'loss',
    ...lossGrid.lines((sum) => (sum > 0 ? LOSS_MARK : ' ')),
    `epoch   ${numbersBelow(shown, step)}`,
    ...fold(legend, room).map((line) => `${' '.repeat(MARGIN)}${line}`),
  ];
}

/** Values on the straight lines between those of a curve that stand `step` columns apart. */
function between(values: (number | null)[], step: number): (number | null)[] {
  return values.flatMap((value, i) => {
    const last = values[i - 1] ?? null;
    const at = (column: number) =>
      value === null || last === null ? null : last + ((value - last) * (column + 1)) / step;
    return Array.from({ length: step }, (_, column) => at(column));
  });
}

/** The marks that a sum stands for. */
function partsOf(sum: number): string[] {
  return [1, 2, 4].filter((weight) => (sum & weight) > 0).map((weight) => MARKS[weight] ?? '');
}

/** Places in rows and columns; each holds the sum of what was put there. */
class Grid {
  private readonly sums: number[][];

  constructor(
    private readonly axis: Axis,
    readonly rows: number,
    private readonly width: number,
  ) {
    this.sums = Array.from({ length: rows }, () => Array<number>(width).fill(0));
  }

  /** Puts each value at its height, into the last of its `step` columns. */
  add(values: (number | null)[], step: number, weight: number): void {
    const { from, to } = this.axis;
    for (const [i, value] of values.entries()) {
      const row =
        value === null ? undefined : this.sums[Math.round((this.rows - 1) * (1 - (value - from) / (to - from)))];
      if (row) row[(i + 1) * step - 1] = (row[(i + 1) * step - 1] ?? 0) + weight;
    }
  }

  at(row: number, column: number): number {
    return this.sums[row]?.[column] ?? 0;
  }

  /** The sums of more than one thing, each once. */
  meetings(): number[] {
    const found = new Set(this.sums.flat().filter((sum) => partsOf(sum).length > 1));
    return [...found].sort((a, b) => a - b);
  }

  /** With the axis to the left, and below. */
  lines(draw: (sum: number, row: number, column: number) => string | undefined): string[] {
    const perPart = (this.rows - 1) / this.axis.parts;
    const label = (row: number) => (row % perPart === 0 ? axisLabel(this.axis, this.axis.parts - row / perPart) : '');
    const lines = this.sums.map((sums, row) => {
      const marks = sums.map((sum, column) => draw(sum, row, column) ?? '');
      return `${label(row).padStart(6)} ┤${marks.join('').trimEnd()}`;
    });
    return [...lines, `       └${'─'.repeat(this.width)}`];
  }
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

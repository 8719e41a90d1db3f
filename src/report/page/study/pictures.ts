/** A claim's pictures and the numbers of its parts, as charts: colors by what is compared, the same in all of them. */
import { formatNumber } from '../../live/numbers.js';
import type { ChartAxis, ChartSpec, DotSpec, LineSpec } from '../../live/spec.js';
import type { Axis, ClaimResult, Interval, Part, Picture } from '../../../study/result.js';
import type { Texts } from '../texts/index.js';

type Words = Texts['study'];

/** Points of a line, at most; more would not be told apart, and weigh. */
const POINTS = 120;

export function specOf(picture: Picture, words: Words): ChartSpec {
  const { phrase } = words;
  switch (picture.kind) {
    case 'lines':
      return linesOf(picture, words);
    case 'dots':
      return {
        kind: 'dots',
        y: axisOf(picture.y, words),
        groups: picture.groups.map(({ name, values }, i) => ({ name: phrase(name), tone: toneOf(name, i), values })),
        references: picture.references.map(({ name, y }) => ({ name: phrase(name), y })),
      };
    case 'heat':
      return {
        kind: 'heat',
        x: axisOf(picture.x, words),
        y: axisOf(picture.y, words),
        columns: picture.columns,
        rows: picture.rows.map(phrase),
        cells: picture.cells.map(({ column, row, value }) => ({ column, row, value })),
      };
  }
}

function axisOf({ name, unit, logarithmic }: Axis, { phrase }: Words): ChartAxis {
  return { name: phrase(name), unit: phrase(unit), logarithmic };
}

/** Without normalization orange and with it blue, wherever they meet; others as they come. */
export function toneOf(name: string, place: number): number {
  if (/^(without|none)/.test(name)) return 1;
  return place === 1 ? 2 : place;
}

/** Each line over those of its seeds, which are thin. */
function linesOf({ x, y, series, references }: Extract<Picture, { kind: 'lines' }>, words: Words): LineSpec {
  const tones = distinctTones(series.map(({ name }) => name));
  const all = series.flatMap((line, i) => {
    const kept = evenly(line.x.length);
    const at = <T>(values: T[]) => kept.flatMap((place) => values[place] ?? []);
    const common = { name: words.phrase(line.name), tone: tones[i] ?? i, x: at(line.x) };
    const nulls = (values: (number | null)[]) => kept.map((place) => values[place] ?? null);
    const seeds = line.seeds.length > 1 ? line.seeds.map((seed) => ({ ...common, y: nulls(seed.y), faint: true })) : [];
    return [...seeds, { ...common, y: nulls(line.y) }];
  });
  const named = references.map((one) => ({ name: words.phrase(one.name), y: one.y }));
  return { kind: 'lines', x: axisOf(x, words), y: axisOf(y, words), series: all, references: named };
}

function distinctTones(names: string[]): number[] {
  const taken: number[] = [];
  for (const [place, name] of names.entries()) {
    const free = [0, 2, 3, 4, 5, 1].find((tone) => !taken.includes(tone)) ?? place;
    const wanted = toneOf(name, place);
    taken.push(wanted === 1 && !taken.includes(1) ? 1 : free);
  }
  return taken;
}

/** Places of at most `POINTS` from all over, the last among them. */
export function evenly(length: number, most = POINTS): number[] {
  if (length <= most) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1)));
}

/** "99.5 %" */
export function levelOf({ level }: Interval): string {
  return `${formatNumber(level * 100)} %`;
}

/**
 * The seeds of a claim's parts beside their intervals, margins and, in its unit, what the literature has: one chart for
 * all parts that are held against the same margins.
 */
export function effectCharts({ parts, literature }: ClaimResult, words: Words): { parts: Part[]; spec: DotSpec }[] {
  const groups = new Map<string, Part[]>();
  for (const part of parts.filter(({ seeds }) => seeds.length > 0)) {
    const key = JSON.stringify([part.unit, part.margins]);
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  return [...groups.values()].map((together) => {
    const [first] = together;
    const published = together.includes(parts[0] as Part) && literature.value !== null;
    const values = together.flatMap(({ seeds }) => seeds.map(({ value }) => value));
    return {
      parts: together,
      spec: {
        kind: 'dots',
        lying: true,
        y: { name: words.phrase(first?.unit ?? ''), logarithmic: isByDecades(values) },
        groups: together.map((part, i) => groupOf(part, i, words)),
        references: [
          ...(first?.margins ?? []).map((y) => ({ name: words.margin(formatNumber(y)), y })),
          ...(published
            ? [{ name: words.published(formatNumber(literature.value ?? 0)), y: literature.value ?? 0 }]
            : []),
        ],
      },
    };
  });
}

/** Numbers of which some are ten times as large as others. */
function isByDecades(values: number[]): boolean {
  const least = Math.min(...values);
  return least > 0 && Math.max(...values) / least > 10;
}

function groupOf(part: Part, place: number, words: Words): DotSpec['groups'][number] {
  const both = [part.interval, part.interval95].filter((interval) => interval !== null);
  const distinct = both.filter(({ level }, i) => both.findIndex((other) => other.level === level) === i);
  return {
    name: words.phrase(part.measure),
    tone: place === 0 ? 0 : place + 1,
    values: part.seeds.map(({ value }) => value),
    bounds: part.seeds.map(({ bound }) => bound),
    ...(part.effect === null ? {} : { mean: part.effect }),
    intervals: distinct.map(({ low, high, level }) => ({ low, high, name: levelOf({ low, high, level }) })),
  };
}

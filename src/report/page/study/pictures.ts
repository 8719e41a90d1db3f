/** A claim's pictures and the numbers of its parts, as charts: colors by what is compared, the same in all of them. */
import { evenly } from '../../live/explore.js';
import { formatNumber } from '../../live/numbers.js';
import type { ChartAxis, ChartSpec, DotSpec, LineSpec } from '../../live/spec.js';
import type { Axis, Interval, Part, Picture } from '../../../study/result.js';
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
        lying: picture.groups.length === 1,
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
    const kept = evenly(line.x.length, POINTS);
    const at = <T>(values: T[]) => kept.flatMap((place) => values[place] ?? []);
    const common = { name: words.phrase(line.name), tone: tones[i] ?? i, x: at(line.x) };
    const nulls = (values: (number | null)[]) => kept.map((place) => values[place] ?? null);
    const seeds = line.seeds.length > 1 ? line.seeds.map((seed) => ({ ...common, y: nulls(seed.y), faint: true })) : [];
    return [...seeds, { ...common, y: nulls(line.y) }];
  });
  const named = references.map((one) => ({ name: words.phrase(one.name), y: one.y }));
  return { kind: 'lines', x: axisOf(x, words), y: axisOf(y, words), series: all, references: named };
}

/** Warm ones without normalization, green first for networks with noise, blue first for the others. */
function tonesFor(name: string): number[] {
  if (/^(without|none)/.test(name)) return [1, 4, 5, 0, 2, 3];
  return name.endsWith('with noise') ? [2, 3, 0, 4, 5, 1] : [0, 2, 3, 4, 5, 1];
}

function distinctTones(names: string[]): number[] {
  const taken: number[] = [];
  for (const [place, name] of names.entries())
    taken.push(tonesFor(name).find((tone) => !taken.includes(tone)) ?? place);
  return taken;
}

/** "99.5 %" */
export function levelOf({ level }: Interval): string {
  return `${formatNumber(level * 100)} %`;
}

/** The seeds of a part beside their intervals, its margins and what the literature has in its unit. */
export function effectSpec(part: Part, published: number | null, words: Words): DotSpec {
  const both = [part.interval, part.interval95].filter((interval) => interval !== null);
  const lines = [...part.margins, ...(published === null ? [] : [published])];
  const distinct = both.filter(({ level }, i) => both.findIndex((other) => other.level === level) === i);
  return {
    kind: 'dots',
    lying: true,
    y: { name: words.phrase(part.unit), logarithmic: isByDecades([...part.seeds.map(({ value }) => value), ...lines]) },
    groups: [
      {
        ...{ name: words.phrase(part.measure), tone: 0, values: part.seeds.map(({ value }) => value) },
        bounds: part.seeds.map(({ bound }) => bound),
        ...(part.effect === null ? {} : { mean: part.effect }),
        intervals: distinct.map(({ low, high, level }) => ({ low, high, name: levelOf({ low, high, level }) })),
      },
    ],
    references: [
      ...part.margins.map((y) => ({ name: words.margin(formatNumber(y)), y })),
      ...(published === null ? [] : [{ name: words.published(formatNumber(published)), y: published }]),
    ],
  };
}

/** Numbers of which some are a hundred times as large as others. */
function isByDecades(values: number[]): boolean {
  const least = Math.min(...values);
  return least > 0 && Math.max(...values) / least > 100;
}

/** The lines that tell what a network says of an image: the class, how the image was made ready, a picture, and bars. */
import { formatCount, formatShare } from '../common/format.js';
import { pixelLines } from './pixels.js';

/** An image as the network was given it. */
export interface Shown {
  width: number;
  /** Bytes 0 to 255, row by row. */
  pixels: Uint8Array;
}

export interface Prediction {
  /** A file's name, "test:17", or "stdin". */
  name: string;
  /** What had to be done to the image, in words. */
  notes: string[];
  /** One for each class. */
  probabilities: number[];
  /** The class that it is, where that is known. */
  label: number | undefined;
}

/** Between picture and bars. */
const GAP = 3;
/** Of a bar beside the picture, or else below it. */
const [SHORTEST, LONGEST] = [6, 40];
const MOST_BARS = 10;

/** `classes` are their names; `columns` is undefined off a terminal. */
export function predictionLines(
  { name, notes, probabilities, label }: Prediction,
  picture: Shown,
  { classes, columns = 80 }: { classes: string[]; columns?: number | undefined },
): string[] {
  const order = probabilities.map((_, i) => i).sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
  const [best = 0] = order;
  const nameOf = (each: number) => classes[each] ?? String(each);
  const truth = label === undefined ? '' : label === best ? ', which is right' : `; it is ${nameOf(label)}`;
  const shares = order.slice(0, MOST_BARS).map((each) => [nameOf(each), probabilities[each] ?? 0] as const);
  const room = columns - 1 - picture.width - GAP;
  const isBeside = room >= barsWidth(shares, SHORTEST);
  const bars = barLines(shares, isBeside ? room : columns - 1);
  if (order.length > MOST_BARS) bars.push(`and ${order.length - MOST_BARS} other classes`);
  const drawn = pixelLines(picture.pixels, picture.width);
  return [
    `${name}: ${nameOf(best)}, ${formatShare(probabilities[best] ?? 0)}${truth}`,
    ...(notes.length > 0 ? [`  ${notes.join(', ')}`] : []),
    ...(isBeside ? beside(drawn, bars, picture.width + GAP) : [...drawn, ...bars]),
  ];
}

type Named = readonly [name: string, value: number];

/** "Ankle boot  ██████ 86.7 %", with a bar of so many characters at most. */
const barsWidth = (shares: readonly Named[], bar: number) =>
  Math.max(...shares.map(([name]) => name.length)) + 2 + bar + 1 + '100.0 %'.length;

function barLines(shares: readonly Named[], room: number): string[] {
  const longest = Math.min(LONGEST, Math.max(SHORTEST, room - barsWidth(shares, 0)));
  const width = Math.max(...shares.map(([name]) => name.length));
  return shares.map(([name, share]) => {
    const bar = '█'.repeat(Math.round(share * longest)).padEnd(longest);
    return `${name.padEnd(width)}  ${bar} ${formatShare(share).padStart(7)}`;
  });
}

/** The bars at half the picture's height. */
function beside(picture: string[], bars: string[], left: number): string[] {
  const above = Math.max(0, Math.floor((picture.length - bars.length) / 2));
  const blank = ' '.repeat(left);
  return Array.from({ length: Math.max(picture.length, above + bars.length) }, (_, row) => {
    const drawn = picture[row];
    const start = drawn === undefined ? blank : drawn + ' '.repeat(GAP);
    return `${start}${bars[row - above] ?? ''}`.trimEnd();
  });
}

/** What was done to an image, and how large it was. */
export interface Preparation {
  size: { width: number; height: number };
  turned: boolean;
  behind: 'black' | 'white' | null;
  inverted: boolean;
  box: { width: number; height: number } | null;
  blank: boolean;
}

/** "3,024×4,032", "turned upright", "inverted, as its background is light" … */
export function preparationNotes(
  { size, turned, behind, inverted, box, blank }: Preparation,
  asked: boolean,
): string[] {
  const sizeOf = ({ width, height }: { width: number; height: number }) =>
    `${formatCount(width)}×${formatCount(height)}`;
  return [
    sizeOf(size),
    ...(turned ? ['turned upright'] : []),
    ...(behind === null ? [] : [`transparent parts taken as ${behind}`]),
    ...(inverted ? [asked ? 'inverted' : 'inverted as its background is light'] : []),
    ...(box ? [`cut to ${sizeOf(box)} around the object`] : []),
    ...(blank ? ['of one brightness: there is nothing to see'] : []),
  ];
}

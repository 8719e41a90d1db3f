/** Lines as a stream can show them: cut between words to a terminal's width, in its characters, with a little colour. */
import { WriteStream } from 'node:tty';
import { inspect } from 'node:util';
import { printable } from '../common/format.js';
import { drawPixels, PIXELS } from './pixels.js';

/** What a stream can show. */
export interface Looks {
  /** Columns of a terminal; undefined where there is none, and a record stays one line. */
  columns: number | undefined;
  unicode: boolean;
  /** Bits of colour: 4, 8 or 24; 0 where there is none. */
  colour: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Asked for each line anew, as a window may change its size. */
export function looksOf(
  { isTTY, columns }: { isTTY?: boolean; columns?: number },
  env: Environment = process.env,
): Looks {
  const isForced = env['FORCE_COLOR'] !== undefined;
  const isRefused = (env['NO_COLOR'] ?? '') !== '';
  // Node's answer needs no terminal of its own.
  const depth = !isRefused && (isTTY === true || isForced) ? WriteStream.prototype.getColorDepth(env) : 1;
  return {
    // A pseudo-terminal that was never given a size says 0.
    columns: isTTY ? columns || 80 : undefined,
    unicode: !(isTTY && ['linux', 'dumb'].includes(env['TERM'] ?? '')) && !namesOtherEncoding(env),
    colour: depth > 1 ? depth : 0,
  };
}

/** Whether the locale names an encoding that is not UTF-8; where there is no locale at all, nothing is known against it. */
function namesOtherEncoding(env: Environment): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'UTF-8';
  return !/utf-?8/i.test(locale);
}

/** A line of the program's, and whatever names are in it, as text to be written; it ends with its newline. */
export function typeset(line: string, { columns, unicode, colour }: Looks): string {
  const clean = printable(line);
  const spelt = unicode ? clean : inAscii(clean);
  const lines = columns === undefined ? [spelt] : wrap(spelt, columns);
  const painted = colour ? lines.map(paint) : lines;
  const drawn = painted.map((each) => each.replace(PIXELS, (pixels) => drawPixels(pixels, unicode ? colour : 0)));
  return drawn.map((each) => `${each}\n`).join('');
}

const ASCII: Readonly<Record<string, string>> = {
  ...{
    '…': '...',
    '–': '-',
    '’': "'",
    '×': 'x',
    '·': '|',
    '±': '+-',
    '≥': '>=',
    '≤': '<=',
    '÷': '/',
    '√': 'sqrt',
    '−': '-',
    '≈': '~',
    π: 'pi',
    Δ: 'delta',
    γ: 'gamma',
    β: 'beta',
    ε: 'epsilon',
  },
  ...{ '∂': 'd', '→': '->', '█': '#', '░': '-', '─': '-', '└': '+', '┤': '|', '•': '*' },
  // Marks of the chart, alone and where they meet.
  ...{ '⊗': '@', '⊕': '&', '∗': '%', '⊛': '#', '⋅': '.' },
  // The heights of a histogram's bars.
  ...{ '▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*' },
  // Two pixels of an image.
  ...{ '▀': '^' },
};

/** What the program itself prints, in ASCII; names from outside stay as they are. */
export function inAscii(text: string): string {
  return Array.from(text, (character) => ASCII[character] ?? character).join('');
}

/**
 * A line in lines of at most `columns` characters. It is broken between fields, which have three spaces or more between
 * them, else between words; a word that is longer stays whole. So does a command, which is there to be copied, if it can;
 * else it goes on in the next line as a shell's does.
 */
export function wrap(line: string, columns: number): string[] {
  const fits = (text: string) => Array.from(text).length <= columns;
  if (fits(line)) return [line];
  const hanging = ' '.repeat(hangingIndent(line, columns));
  const lines: string[] = [];
  let last = '';
  const add = (space: string, piece: string): void => {
    if (last.trim() === '' || fits(`${last}${space}${piece}`)) last += `${space}${piece}`;
    else {
      lines.push(last.trimEnd());
      // What is too long in any case begins where it is broken the least.
      last = fits(`${hanging}${piece}`) ? `${hanging}${piece}` : `  ${piece}`;
    }
  };
  for (const [, gap = '', field = ''] of line.matchAll(FIELDS)) {
    const isWhole = fits(`${last}${gap}${field}`) || fits(`${hanging}${field}`);
    for (const [i, piece] of (isWhole ? [field] : piecesOf(field)).entries()) add(i === 0 ? gap : ' ', piece);
  }
  return [...lines, last].flatMap((each) => (fits(each) ? [each] : continued(each, columns)));
}

/** Each with the space before it. */
const FIELDS = /( {3,}|^ *)((?:\S| {1,2}(?=\S))+)/g;

/** Where the lines after the first begin: below what follows a label, else, as in a record, a little further right. */
function hangingIndent(line: string, columns: number): number {
  const isRecord = Array.from(line.matchAll(FIELDS)).length > 3;
  const label = isRecord ? '' : (/^ *(?:(?:hint|missing): |\S.*? {3,}(?=\S))/.exec(line)?.[0] ?? '');
  const indent = /^ */.exec(line)?.[0] ?? '';
  return label !== '' && label.length <= 0.4 * columns ? label.length : Math.min(indent.length + 2, columns >> 1);
}

/** What a command that a message tells to type begins with. */
const COMMAND = /^(?:(?:rm|chmod|chown|kill|npm|npx|python3|apt-get|bn-train)|.*bn-train\.js'?)$/;

/** A quoted name is one, with its spaces. */
const wordsOf = (text: string): string[] => text.match(/'[^']*'(?:\\''[^']*')*\S*|\S+/g) ?? [];

/** Words, and commands from their first word to the end of what is to be typed. */
function piecesOf(field: string): string[] {
  const pieces: string[] = [];
  let isCommand = false;
  for (const word of wordsOf(field)) {
    if (isCommand) pieces.push(`${pieces.pop() ?? ''} ${word}`);
    else pieces.push(word);
    isCommand = (isCommand || COMMAND.test(word)) && !/[;,)]$/.test(word);
  }
  return pieces;
}

/** A command's line in lines that a shell takes for one; any other as it is. */
function continued(line: string, columns: number): string[] {
  const indent = /^ */.exec(line)?.[0] ?? '';
  const [first = '', ...words] = wordsOf(line);
  const lines = [`${indent}${first}`];
  if (!COMMAND.test(first)) return [line];
  for (const word of words) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (longer.length <= columns - 2) lines[lines.length - 1] = longer;
    else lines.push(`${indent}  ${word}`);
  }
  return lines.map((each, i) => (i < lines.length - 1 ? `${each} \\` : each));
}

type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'gray';

const COLOURS: [text: RegExp, colour: Colour][] = [
  [/^(Cannot|error:)/, 'red'],
  [/^hint:/, 'cyan'],
  [/^missing:/, 'yellow'],
  [/ pass$/, 'green'],
  [/(?<=^(?:quick look: )?)holds(?= {3})/, 'green'],
  [/(?<=^(?:quick look: )?)does not hold(?= {3})/, 'red'],
  [/(?<=^(?:quick look: )?)undecided(?= {3})/, 'yellow'],
  [/ FAIL\b/, 'red'],
  // The chart's marks, as they are in its legend and, behind the axis, where they stand alone.
  [/(?<=^ {8}.*)o(?= test acc)|(?<=^ *[-.\de]* [┤|].*)o/g, 'yellow'],
  [/(?<=^ {8}.*)[×x](?= test acc)|(?<=^ *[-.\de]* [┤|].*)[×x]/g, 'blue'],
  // What a reader of an epoch's line looks at last.
  [/ [\d,]+ examples\/sec(?: {3}(?:\d+ min )?[\d.]+ s\b)?/, 'gray'],
];

function paint(line: string): string {
  return COLOURS.reduce((text, [pattern, name]) => {
    const [on, off] = inspect.colors[name] ?? [0, 0];
    return text.replace(pattern, (match) => `\x1b[${on}m${match}\x1b[${off}m`);
  }, line);
}

/** A picture and bars in a terminal of any width and any colours, and in none. */
import { describe, expect, it } from 'vitest';
import { pixelLines } from '../../src/report/pixels.js';
import { type Prediction, predictionLines, preparationNotes } from '../../src/report/predictionLines.js';
import { type Looks, typeset } from '../../src/report/typeset.js';

const looks: Looks = { columns: 80, unicode: true, colour: 0 };
const draw = (line: string, other: Partial<Looks> = {}) => typeset(line, { ...looks, ...other });

describe('pixels', () => {
  const [row = ''] = pixelLines(Uint8Array.from([0, 255, 128, 0, 255, 130]), 3);

  it.each<[string, Partial<Looks>, string]>([
    [
      '24 bits of colour',
      { colour: 24 },
      '\u001b[38;2;0;0;0;48;2;0;0;0m▀\u001b[38;2;255;255;255;48;2;255;255;255m▀\u001b[38;2;128;128;128;48;2;130;130;130m▀\u001b[0m\n',
    ],
    [
      '256 colours',
      { colour: 8 },
      '\u001b[38;5;16;48;5;16m▀\u001b[38;5;231;48;5;231m▀\u001b[38;5;244;48;5;244m▀\u001b[0m\n',
    ],
    ['16 colours', { colour: 4 }, ' @+\n'],
    ['no colour', {}, ' @+\n'],
    ['colours, but no block characters', { colour: 24, unicode: false }, ' @+\n'],
    ['no terminal', { columns: undefined }, ' @+\n'],
  ])('%s', (_, other, text) => expect(draw(row, other)).toBe(text));

  it('one above the other, the last row alone where they are odd', () => {
    const lines = pixelLines(Uint8Array.from([255, 0, 255]), 1);
    expect(lines.map((line) => draw(line))).toEqual(['+\n', '+\n']);
    expect(draw(lines[0] ?? '', { colour: 24 })).toContain('38;2;255;255;255;48;2;0;0;0m');
    expect(draw(lines[1] ?? '', { colour: 24 })).toContain('38;2;255;255;255;48;2;0;0;0m');
  });

  it('every pair of bytes is one character, which is drawn as these', () => {
    for (let value = 0; value < 256; value++) {
      const [line = ''] = pixelLines(Uint8Array.from([value, 255 - value]), 1);
      expect(Array.from(line).length).toBe(1);
      expect(draw(line, { colour: 24 })).toContain(`38;2;${value};${value};${value};48;2;${255 - value};`);
    }
  });
});

const classes = ['T-shirt', 'Ankle boot', 'Bag'];
const prediction: Prediction = { name: 'a.png', notes: [], probabilities: [0.25, 0.7, 0.05], label: undefined };
const picture = { width: 28, pixels: new Uint8Array(784) };
const linesAt = (columns: number | undefined, other: Partial<Prediction> = {}) =>
  predictionLines({ ...prediction, ...other }, picture, { classes, columns });

describe('what is said', () => {
  it.each([60, 80, 120, undefined])('stands beside the picture, within %s columns', (columns) => {
    const lines = linesAt(columns);
    expect(lines[0]).toBe('a.png: Ankle boot, 70.0 %');
    expect(lines.length).toBe(15);
    for (const line of lines) expect(Array.from(line).length).toBeLessThan(columns ?? 80);
    const bars = lines.filter((line) => line.includes('%')).slice(1);
    expect(bars.map((line) => /(?<= {3})\S.*?(?= {2})/.exec(line)?.[0])).toEqual(['Ankle boot', 'T-shirt', 'Bag']);
    const [first = 0, second = 0] = bars.map((line) => line.split('█').length - 1);
    expect(first / second).toBeCloseTo(0.7 / 0.25, 0);
  });

  it('stands below it where there is no room', () => {
    const lines = linesAt(40);
    expect(lines.length).toBe(1 + 14 + 3);
    expect(lines.at(-3)).toMatch(/^Ankle boot {2}█+ +70\.0 %$/);
    for (const line of lines) expect(Array.from(line).length).toBeLessThan(40);
  });

  it('has ten classes at most, and says how many there are besides', () => {
    const probabilities = Array.from({ length: 26 }, () => 1 / 26);
    const lines = linesAt(80, { probabilities });
    expect(lines.filter((line) => line.includes('3.8 %')).length).toBe(1 + 10);
    expect(lines.filter((line) => line.endsWith('   and 16 other classes')).length).toBe(1);
  });

  it.each([
    [1, 'a.png: Ankle boot, 70.0 %, which is right'],
    [2, 'a.png: Ankle boot, 70.0 %; it is Bag'],
  ])('tells whether it is right where that is known: %i', (label, first) => {
    expect(linesAt(80, { label })[0]).toBe(first);
  });

  const size = { width: 3024, height: 4032 };
  it.each([
    [{}, false, ['3,024×4,032']],
    [{ turned: true, inverted: true }, false, ['3,024×4,032', 'turned upright', 'inverted as its background is light']],
    [{ inverted: true }, true, ['3,024×4,032', 'inverted']],
    [
      { behind: 'white' as const, box: { width: 1200, height: 900 } },
      false,
      ['3,024×4,032', 'transparent parts taken as white', 'cut to 1,200×900 around the object'],
    ],
    [{ blank: true }, false, ['3,024×4,032', 'of one brightness: there is nothing to see']],
  ])('tells how the image was made ready: %o', (other, asked, notes) => {
    const plain = { size, turned: false, behind: null, inverted: false, box: null, blank: false };
    expect(preparationNotes({ ...plain, ...other }, asked)).toEqual(notes);
    expect(linesAt(80, { notes })[1]).toBe(`  ${notes.join(', ')}`);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { epochLine } from '../../src/report/lines.js';
import { inAscii, type Looks, looksOf, typeset, wrap } from '../../src/report/typeset.js';
import { root } from '../support/program.js';

const WIDTHS = [60, 80, 120];
const plain: Looks = { columns: undefined, unicode: true, colour: 0 };

const MESSAGES = [
  'Cannot use the run folder runs/20261124-013000-scratch: expected a new or empty folder, got one that holds checkpoint, config.json, events.jsonl',
  "hint: name another one with --run-dir, or continue that run with --resume 'runs/20261124-013000-scratch'",
  'test acc 0.880 with population statistics, 0.867 with the moving average, which lags behind weights that move fast',
  epochLine(
    {
      epoch: 3,
      loss: 0.4,
      trainAccuracy: 0.8,
      testAccuracy: 0.7,
      testAccuracyPopulation: 0.8,
      populationImages: 2560,
      examplesPerSecond: 34_567,
      seconds: 7.7,
    },
    10,
  ),
];

describe('a line in a terminal', () => {
  it.each(WIDTHS)('is never longer than %i columns, and loses no word', (columns) => {
    for (const message of MESSAGES) {
      const lines = wrap(message, columns);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(lines.join(' ').split(/ +/)).toEqual(message.split(/ +/));
    }
  });

  it('of an epoch takes two at 80 columns and three at 60, in whole fields', () => {
    const line = MESSAGES.at(-1) ?? '';
    expect(wrap(line, 80)).toEqual([
      'epoch  3/10   loss 0.400   train acc 0.800   34,567 examples/sec   7.7 s',
      '  test acc 0.700 moving avg, 0.800 population (2,560 images)',
    ]);
    expect(wrap(line, 60)).toEqual([
      'epoch  3/10   loss 0.400   train acc 0.800',
      '  34,567 examples/sec   7.7 s',
      '  test acc 0.700 moving avg, 0.800 population (2,560 images)',
    ]);
  });

  it('goes on below what follows a label', () => {
    expect(wrap('backend             wasm on cpu: no native runtime is installed', 50)).toEqual([
      'backend             wasm on cpu: no native runtime',
      '                    is installed',
    ]);
  });

  it.each([
    {
      line: `hint: free some space, then: bn-train none --resume '/a/folder/with a name/20261124-013000' --epochs 20`,
      lines: [
        'hint: free some space, then:',
        '  bn-train none --resume \\',
        `    '/a/folder/with a name/20261124-013000' \\`,
        '    --epochs 20',
      ],
    },
    {
      line: `hint: rm -r '/home/somebody/.cache/bn-train/tensorflow-2.18.1-cpu-linux-x64' && bn-train setup`,
      lines: [
        'hint:',
        '  rm -r \\',
        `    '/home/somebody/.cache/bn-train/tensorflow-2.18.1-cpu-linux-x64' \\`,
        '    && bn-train setup',
      ],
    },
    {
      line: 'hint: apt-get install g++, then: /opt/bin/bn-train.js setup --cuda; or use --device cpu and wait for it',
      lines: [
        'hint: apt-get install g++, then:',
        '      /opt/bin/bn-train.js setup --cuda; or use',
        '      --device cpu and wait for it',
      ],
    },
    {
      line: `to go on: '/my disk/bin/bn-train.js' none --resume 'runs/it'\\''s a run' --epochs 20`,
      lines: ['to go on:', `  '/my disk/bin/bn-train.js' none --resume \\`, `    'runs/it'\\''s a run' --epochs 20`],
    },
    { line: `x /${'y'.repeat(60)} z`, lines: ['x', `  /${'y'.repeat(60)}`, '  z'] },
  ])('breaks no path, and a command as a shell does: $line', ({ line, lines }) => {
    expect(wrap(line, 48)).toEqual(lines);
  });

  it('that fits stays as it is, spaces and all', () => {
    expect(wrap('   a     b', 10)).toEqual(['   a     b']);
    expect(wrap('', 10)).toEqual(['']);
  });
});

describe('what a stream can show', () => {
  const terminal = { isTTY: true, columns: 60 };
  it.each<[string, { isTTY?: boolean; columns?: number }, Record<string, string>, Partial<Looks>]>([
    ['a terminal', terminal, { TERM: 'xterm', LANG: 'en_US.UTF-8' }, { columns: 60, unicode: true, colour: 4 }],
    ['one that was given no size', { isTTY: true, columns: 0 }, {}, { columns: 80 }],
    ['a pipe', {}, { TERM: 'xterm' }, { columns: undefined, unicode: true, colour: 0 }],
    ['NO_COLOR', terminal, { TERM: 'xterm', NO_COLOR: '1' }, { colour: 0 }],
    ['NO_COLOR, whatever else is said', terminal, { FORCE_COLOR: '1', NO_COLOR: '1' }, { colour: 0 }],
    ['FORCE_COLOR in a pipe', {}, { FORCE_COLOR: '1' }, { columns: undefined, colour: 4 }],
    ['FORCE_COLOR=0', terminal, { TERM: 'xterm', FORCE_COLOR: '0' }, { colour: 0 }],
    ['TERM=dumb', terminal, { TERM: 'dumb' }, { unicode: false, colour: 0 }],
    ['the console', terminal, { TERM: 'linux' }, { unicode: false, colour: 4 }],
    ['LANG=C', terminal, { LANG: 'C' }, { unicode: false }],
    ['LC_ALL over LANG', {}, { LANG: 'en_US.UTF-8', LC_ALL: 'POSIX' }, { unicode: false }],
    ['Latin 1', terminal, { LC_CTYPE: 'de_DE.ISO-8859-1', LANG: 'de_DE.utf8' }, { unicode: false }],
    ['no locale', terminal, {}, { unicode: true }],
  ])('%s', (_, stream, env, looks) => {
    expect(looksOf(stream, env)).toMatchObject(looks);
  });
});

describe('typesetting', () => {
  it('leaves a record one line where there is no terminal, and writes out what a terminal would obey', () => {
    expect(typeset(`${'word '.repeat(50)}\u001b[2J`, plain)).toBe(`${'word '.repeat(50)}\\u001b[2J\n`);
  });

  it('colours how an error begins and where its hint does, and changes no character', () => {
    const coloured = (line: string) => typeset(line, { ...plain, colour: 4 });
    expect(coloured('Cannot do it: expected a, got b')).toBe('\u001b[31mCannot\u001b[39m do it: expected a, got b\n');
    expect(coloured('hint: bn-train setup')).toBe('\u001b[36mhint:\u001b[39m bn-train setup\n');
    for (const line of [...MESSAGES, 'missing: a compiler', 'momentum 0   pass', 'momentum 0   FAIL (y)'])
      // eslint-disable-next-line no-control-regex
      expect(coloured(line).replaceAll(/\u001b\[\d+m/g, '')).toBe(`${line}\n`);
  });

  it('has a way to write each character of the program’s own in ASCII', () => {
    const source = path.join(root, 'src');
    const all = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    // What a browser shows is never in ASCII.
    const files = all.filter((file) => !/^report\/(page|live|svgChart)\b/.test(file));
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) {
      const code = readFileSync(path.join(source, file), 'utf8').replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
      // eslint-disable-next-line no-control-regex
      expect([file, inAscii(code)]).toEqual([file, expect.stringMatching(/^[\x00-\x7f]*$/)]);
    }
    expect(typeset('γ of 16×16…', { ...plain, unicode: false })).toBe('gamma of 16x16...\n');
  });
});

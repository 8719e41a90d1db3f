import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatMetric, formatSeconds } from '../../src/common/format.js';
import { svgChart, textChart } from '../../src/report/chart.js';
import { doctorLines } from '../../src/report/doctorLines.js';
import { epochLine, finalLines } from '../../src/report/lines.js';
import { Terminal } from '../../src/report/terminal.js';

const epoch = (number: number, loss: number) => ({
  epoch: number,
  loss,
  trainAccuracy: 0.75,
  testAccuracy: 0.5,
  examplesPerSecond: 7812.4,
  seconds: 7.68,
});

describe('numbers', () => {
  it.each([
    [formatBytes(0), '0 B'],
    [formatBytes(999), '999 B'],
    [formatBytes(230_236_181), '230.2 MB'],
    [formatSeconds(0.04), '0.0 s'],
    [formatSeconds(75.3), '1 min 15 s'],
    [formatSeconds(59.99), '1 min 0 s'],
    [formatCount(60000.4), '60,000'],
    [formatMetric(0.89128), '0.891'],
  ])('%s is written %s', (got, expected) => {
    expect(got).toBe(expected);
  });
});

describe('lines', () => {
  it('of an epoch', () => {
    expect(epochLine(epoch(3, 0.4123), 10)).toBe(
      'epoch  3/10   loss 0.412   train acc 0.750   test acc 0.500   7,812 examples/sec   7.7 s',
    );
  });

  it('of a finished run, as the recipe’s readers know them', () => {
    const final = {
      loss: 0.273,
      trainAccuracy: 0.899,
      testAccuracy: 0.807,
      testAccuracyPopulation: 0.88,
      examplesPerSecond: 32293.9,
    };
    const [first, second, third] = finalLines(final, { device: 'cuda:0', normalized: true });
    expect([first, second]).toEqual(['loss 0.273, train acc 0.899, test acc 0.807', '32,293.9 examples/sec on cuda:0']);
    expect(third).toMatch(/^test acc 0.880 with population statistics, 0.807 with the moving average: /);
    expect(finalLines(final, { device: 'cpu', normalized: false })[2]).toMatch(
      /^test acc 0.807 .* without batch normalization there are none$/,
    );
  });

  it('of the doctor end with what is missing and how to mend it', () => {
    const lines = doctorLines({
      facts: [{ label: 'Node', value: 'v20' }],
      missing: [{ what: 'a compiler', command: 'apt-get install g++' }],
      choice: { backend: 'wasm', device: 'cpu', reason: 'why' },
    });
    expect(lines).toEqual([
      'Node                v20',
      'backend             wasm on cpu: why',
      'missing: a compiler',
      'hint: apt-get install g++',
    ]);
  });
});

describe('the chart', () => {
  it('puts each value at its height, loss over accuracy', () => {
    const rows = textChart([epoch(1, 1), epoch(2, 0.5)], 80, 5).split('\n');
    expect(rows[0]).toMatch(/^ {2}1\.00 ┤ {5}•$/);
    expect(rows[1]?.indexOf('+')).toBe(13);
    expect(rows[2]?.slice(8)).toBe('     o     •');
    expect(rows.at(-1)).toBe('        • loss   + train acc   o test acc');
  });

  it('widens the axis for a large loss and stays narrow for many epochs', () => {
    expect(textChart([epoch(1, 2.31)])).toContain('2.40 ┤');
    const long = textChart(Array.from({ length: 33 }, (_, i) => epoch(i + 1, 1)));
    expect(Math.max(...long.split('\n').map((line) => line.length))).toBeLessThan(80);
  });

  it.each([1, 10, 36, 37, 72, 73, 500, 10_000])('of %i epochs is never wider than the terminal', (epochs) => {
    const history = Array.from({ length: epochs }, (_, i) => epoch(i + 1, 2 / (i + 1)));
    for (const columns of [20, 40, 80, 200]) {
      const lines = textChart(history, columns).split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      // The last epoch's mark stands in the last column.
      const width = lines.find((line) => line.includes('└'))?.length ?? 0;
      expect(lines.some((line) => line.length === width && line.endsWith('+'))).toBe(true);
    }
  });

  it('numbers as many epochs as have room', () => {
    const numbers = (epochs: number, columns: number) =>
      textChart(
        Array.from({ length: epochs }, (_, i) => epoch(i + 1, 1)),
        columns,
      )
        .split('\n')
        .find((line) => line.startsWith('epoch'));
    expect(numbers(3, 80)).toBe('epoch        1     2     3');
    expect(numbers(12, 22)).toBe('epoch       5   10');
    expect(numbers(100, 28)).toBe('epoch      25   50   75  100');
  });

  it('shows a run that went astray, in a few lines', () => {
    const history = [epoch(1, 2.3), epoch(2, 1.234e10)];
    expect(textChart(history).split('\n')[0]).toMatch(/^ 1e\+10 ┤/);
    const svg = svgChart(history, 'astray');
    expect(svg.match(/stroke="#e3e3e3"/g)?.length).toBeLessThan(25);
    expect(svg).not.toContain('NaN');
    expect(svgChart([epoch(1, 2.31)], '').match(/stroke="#e3e3e3"/g)).toHaveLength(13);
  });

  it('as SVG has a line and dots for each series, and escapes its title', () => {
    const svg = svgChart([epoch(1, 1), epoch(2, 0.5)], 'a < b');
    expect(svg.match(/<polyline/g)).toHaveLength(3);
    expect(svg.match(/<circle/g)).toHaveLength(6);
    expect(svg).toContain('a &lt; b');
  });
});

describe('the terminal', () => {
  function written(isTTY: boolean, quiet: boolean): string {
    let text = '';
    const stream = new Writable({ write: (chunk, _encoding, done) => ((text += String(chunk)), done()) });
    const terminal = new Terminal({ stream: Object.assign(stream, { isTTY }) as unknown as NodeJS.WriteStream, quiet });
    terminal.train({
      type: 'start',
      mode: 'graph',
      epochs: 1,
      batches: 2,
      examples: 4,
      position: { epoch: 1, batch: 0, loss: 0, correct: 0, examples: 0, seconds: 0 },
    });
    terminal.train({ type: 'step', epoch: 1, batch: 1, loss: 1, examplesPerSecond: 10 });
    terminal.train({ type: 'epoch', ...epoch(1, 1) });
    terminal.progress({ label: 'file', done: 1, total: 2 });
    terminal.close();
    return text;
  }

  it('writes plain lines where there is no terminal', () => {
    expect(written(false, false)).toBe(`${epochLine(epoch(1, 1), 1)}\n`);
  });

  it('tells where it was interrupted, in an epoch or after the last', () => {
    let text = '';
    const stream = new Writable({ write: (chunk, _encoding, done) => ((text += String(chunk)), done()) });
    const terminal = new Terminal({ stream: stream as unknown as NodeJS.WriteStream });
    const position = { epoch: 1, batch: 1, loss: 0, correct: 0, examples: 2, seconds: 3 };
    terminal.train({ type: 'start', mode: 'graph', epochs: 1, batches: 2, examples: 4, position });
    terminal.train({ type: 'interrupted', position });
    terminal.train({ type: 'interrupted', position: { ...position, epoch: 2, batch: 0 } });
    expect(text).toBe(
      'interrupted in epoch 1 after 1 of 2 batches (3.0 s)\ninterrupted after epoch 1, the last, before its result\n',
    );
  });

  it('writes out what a terminal would obey', () => {
    let text = '';
    const stream = new Writable({ write: (chunk, _encoding, done) => ((text += String(chunk)), done()) });
    const terminal = new Terminal({ stream: Object.assign(stream, { isTTY: true }) as unknown as NodeJS.WriteStream });
    terminal.notice('a\u001b[2J', 'b\u202e');
    terminal.progress({ label: '\u0007', done: 1, total: 2 });
    terminal.close();
    const [begun] = text.split('\u001b[0K');
    expect(begun).toBe(
      `a\\u001b[2J\nb\\u202e\n\u001b7\u001b[1G\\u0007 [${'█'.repeat(12)}${'░'.repeat(12)}] 1 B of 2 B, 0.0 s`,
    );
  });

  it.each([
    { columns: 60, bar: 0 },
    { columns: 80, bar: 20 },
    { columns: 120, bar: 24 },
  ])('shows whole figures at $columns columns, and as much of a bar as they leave', ({ columns, bar }) => {
    let text = '';
    const stream = new Writable({ write: (chunk, _encoding, done) => ((text += String(chunk)), done()) });
    const shown = Object.assign(stream, { isTTY: true, columns }) as unknown as NodeJS.WriteStream;
    const terminal = new Terminal({ stream: shown });
    const position = { epoch: 1, batch: 0, loss: 0, correct: 0, examples: 0, seconds: 0 };
    terminal.train({ type: 'start', mode: 'graph', epochs: 10, batches: 235, examples: 60_000, position });
    terminal.train({ type: 'step', epoch: 1, batch: 100, loss: 0.727, examplesPerSecond: 35_768 });
    terminal.close();
    const line = /epoch {2}1\/10 .*?examples\/sec/.exec(text)?.[0] ?? '';
    expect(line).toMatch(/ 100\/235 {3}loss 0\.727 {3}35,768 examples\/sec$/);
    expect(line.length).toBeLessThanOrEqual(columns - 3);
    expect((line.match(/[█░]/g) ?? []).length).toBe(bar);
  });

  it('writes nothing when quiet', () => {
    expect(written(false, true)).toBe('');
  });
});

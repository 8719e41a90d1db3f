import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatMetric, formatSeconds } from '../../src/common/format.js';
import { textChart } from '../../src/report/chart.js';
import { doctorLines } from '../../src/report/doctorLines.js';
import { epochLine, finalLines, runLine } from '../../src/report/lines.js';
import { svgChart } from '../../src/report/svgChart.js';
import { Terminal } from '../../src/report/terminal.js';
import { root } from '../support/program.js';

const epoch = (number: number, loss: number) => ({
  epoch: number,
  loss,
  trainAccuracy: 0.75,
  testAccuracy: 0.5,
  testAccuracyPopulation: null as number | null,
  populationImages: null as number | null,
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
      'epoch  3/10   loss 0.412   train acc 0.750   7,812 examples/sec   7.7 s   test acc 0.500',
    );
  });

  it('of an epoch with both accuracies, and over how many images the statistics were taken', () => {
    expect(epochLine({ ...epoch(3, 0.4123), testAccuracyPopulation: 0.8444, populationImages: 2560 }, 10)).toBe(
      'epoch  3/10   loss 0.412   train acc 0.750   7,812 examples/sec   7.7 s   test acc 0.500 moving avg, 0.844 population (2,560 images)',
    );
  });

  it('of a finished run, as the recipe’s readers know them', () => {
    const final = {
      loss: 0.273,
      trainAccuracy: 0.899,
      testAccuracy: 0.807,
      testAccuracyPopulation: 0.88,
      populationImages: 60_000,
      examplesPerSecond: 32293.9,
    };
    const [first, second, third] = finalLines(final, 'cuda:0');
    expect([first, second]).toEqual(['loss 0.273, train acc 0.899, test acc 0.807', '32,293.9 examples/sec on cuda:0']);
    expect(third).toMatch(
      /^test acc 0.880 with population statistics, 0.807 with the moving average, .* \(60,000 images\)$/,
    );
    const unmeasured = { testAccuracyPopulation: null, populationImages: null };
    expect(finalLines({ ...final, ...unmeasured }, 'cpu')).toEqual([first, '32,293.9 examples/sec on cpu']);
  });

  it.each([
    { epoch: 1, batch: 0, words: 'before the first of 10 epochs' },
    { epoch: 1, batch: 7, words: 'in epoch 1 of 10 after 7 batches' },
    { epoch: 4, batch: 0, words: 'after epoch 3 of 10' },
  ])('of a run say where it stands: $words', ({ epoch, batch, words }) => {
    const position = { epoch, batch, loss: 0, correct: 0, examples: 0, seconds: 0 };
    expect(runLine('runs/a', { norm: 'none', seed: 1, epochs: 10 }, position)).toBe(`runs/a: none, seed 1, ${words}`);
  });

  it('of the doctor end with what is missing and how to mend it', () => {
    const lines = doctorLines({
      facts: [{ label: 'Node', value: 'v20' }],
      missing: [{ what: 'a compiler', command: 'apt-get install g++' }],
      choice: { backend: 'wasm', device: 'cpu', reason: 'why' },
    });
    expect(lines).toEqual([
      'Node                 v20',
      'backend              wasm on cpu: why',
      'missing: a compiler',
      'hint: apt-get install g++',
    ]);
  });
});

/** An epoch with accuracies of its own. */
const measured = (number: number, moving: number, population: number | null, train = 0.9, loss = 0.5) => ({
  ...epoch(number, loss),
  trainAccuracy: train,
  testAccuracy: moving,
  testAccuracyPopulation: population,
  populationImages: population === null ? null : 2560,
});
const many = (count: number, of = (i: number) => measured(i + 1, 0.6 + (i % 3) / 10, 0.8, 0.9, 2 / (i + 1))) =>
  Array.from({ length: count }, (_, i) => of(i));

describe('the chart', () => {
  it('shows both test accuracies, each with its mark, and over how many images the one was taken', () => {
    expect(textChart([measured(1, 0.7, 0.8, 0.75), measured(2, 0.5, 0.9, 0.85)])).toEqual([
      'accuracy',
      '  0.90 ┤           ×',
      '       ┤',
      '       ┤           +',
      '  0.80 ┤     ×',
      '       ┤',
      '       ┤     +',
      '  0.70 ┤     o',
      '       ┤      ⋅',
      '       ┤       ⋅',
      '  0.60 ┤        ⋅',
      '       ┤         ⋅',
      '       ┤          ⋅',
      '  0.50 ┤           o',
      '       └────────────',
      'loss',
      '  0.50 ┤     •     •',
      '       ┤',
      '  0.25 ┤',
      '       ┤',
      '  0.00 ┤',
      '       └────────────',
      'epoch        1     2',
      '        o test acc, moving average',
      '        × test acc, population statistics (2,560 images)   + train acc',
    ]);
  });

  it.each([
    { moving: 0.5, population: 0.5, train: 0.9, mark: '⊗', meaning: '⊗ = o and ×' },
    { moving: 0.5, population: 0.9, train: 0.5, mark: '⊕', meaning: '⊕ = o and +' },
    { moving: 0.9, population: 0.5, train: 0.5, mark: '∗', meaning: '∗ = × and +' },
    { moving: 0.5, population: 0.5, train: 0.5, mark: '⊛', meaning: '⊛ = o and × and +' },
  ])('has a mark where marks meet: $meaning', ({ moving, population, train, mark, meaning }) => {
    const lines = textChart([measured(1, moving, population, train)]);
    const drawn = lines.filter((line) => line.includes('┤'));
    expect(drawn.filter((line) => line.endsWith(`┤     ${mark}`))).toHaveLength(1);
    expect(lines.at(-1)).toContain(meaning);
    expect(textChart([measured(1, 0.5, 0.7, 0.9)]).join('\n')).not.toContain('=');
  });

  it('of a run without population statistics has one test accuracy', () => {
    const lines = textChart([measured(1, 0.5, null)]);
    expect(lines.at(-1)).toBe('        o test acc   + train acc');
    expect(lines.join('\n')).not.toContain('×');
  });

  it('of a run that has them for its last epochs only shows those', () => {
    const lines = textChart([measured(1, 0.5, null), measured(2, 0.5, 0.7)]);
    expect(lines.filter((line) => line.includes('┤') && line.includes('×'))).toEqual(['  0.70 ┤           ×']);
    const svg = svgChart([measured(1, 0.5, null), measured(2, 0.5, 0.7)], 'mixed');
    expect(svg.match(/<title>epoch \d: population statistics .*?</g)).toEqual([
      '<title>epoch 2: population statistics 0.700<',
    ]);
  });

  it.each([1, 10, 36, 37, 45, 72, 73, 200, 500, 10_000])('of %i epochs is never wider than the terminal', (epochs) => {
    for (const columns of [60, 80, 120]) {
      const lines = textChart(many(epochs), columns);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      expect(lines.length).toBeLessThan(27);
      // The last epoch's mark stands in the last column.
      const width = lines.find((line) => line.includes('└'))?.length ?? 0;
      expect(lines.some((line) => line.length === width && line.endsWith('+'))).toBe(true);
    }
  });

  it('leads the eye along the moving average, where there is room', () => {
    expect(textChart(many(10)).join('\n')).toContain('⋅');
    expect(textChart(many(45)).join('\n')).not.toContain('⋅');
  });

  it('numbers as many epochs as have room', () => {
    const numbers = (epochs: number, columns: number) =>
      textChart(many(epochs), columns).find((line) => line.startsWith('epoch'));
    expect(numbers(3, 80)).toBe('epoch        1     2     3');
    expect(numbers(12, 22)).toBe('epoch       5   10');
    expect(numbers(100, 28)).toBe('epoch      25   50   75  100');
  });

  it('shows a run that went astray, in as many lines', () => {
    const history = [epoch(1, 2.3), epoch(2, 1.234e10)];
    expect(textChart(history)).toHaveLength(textChart([epoch(1, 1)]).length);
    expect(textChart(history).find((line) => line.startsWith('1.6e10 ┤'))).toBe('1.6e10 ┤');
    expect(svgChart(history, 'astray')).not.toMatch(/NaN|Infinity/);
  });

  it.each([
    { loss: 0.727, label: '0.80' },
    { loss: 2.319, label: '2.40' },
    { loss: 1100, label: '1.2e3' },
    { loss: 0.004, label: '4.0e-3' },
    { loss: 0, label: '1.0e-9' },
  ])('has a round number above a loss of $loss: $label', ({ loss, label }) => {
    const lines = textChart([epoch(1, loss)]);
    expect(lines[lines.indexOf('loss') + 1]?.slice(0, 8)).toBe(`${label.padStart(6)} ┤`);
  });

  it.each([
    { what: 'everything', history: [measured(1, 0, 1)], labels: ['1.00', '0.00'] },
    { what: 'one value', history: [measured(1, 0.5, 0.5, 0.5)], labels: ['0.60', '0.50'] },
    { what: 'what differs by little', history: [measured(1, 0.86, 0.88)], labels: ['0.90', '0.80'] },
  ])('has an axis as narrow as $what lets it be', ({ history, labels }) => {
    const numbers = textChart(history).flatMap((line) => /^ {2}(\d\.\d\d) ┤/.exec(line)?.[1] ?? []);
    const accuracies = numbers.slice(0, -3);
    expect([accuracies[0], accuracies.at(-1)]).toEqual(labels);
  });

  it('as SVG has a line for each curve, marks of its own form on it, and what it is beside its end', () => {
    const svg = svgChart([measured(1, 0.7, 0.8), measured(2, 0.5, 0.9)], 'a < b');
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    const forms = [...svg.matchAll(/class="mark" d="(.*?)"/g)].map(([, form]) => form);
    expect(forms).toHaveLength(8);
    expect(new Set(forms).size).toBe(4);
    for (const label of [
      'moving average',
      'test acc 0.500',
      'population statistics',
      'of 2,560 images: test acc 0.900',
      'train acc',
    ])
      expect(svg).toContain(`>${label}</text>`);
    for (const name of ['accuracy', 'loss in training (nats)', 'epoch']) expect(svg).toContain(`>${name}</text>`);
    expect(svg).toContain('<text class="title" x="16" y="28">a &lt; b</text>');
    expect(svg).toContain('prefers-color-scheme: dark');
  });

  it.each([
    { curves: 'at one height', history: [measured(1, 0.5, 0.5, 0.5)] },
    { curves: 'at the bottom', history: [measured(1, 0, 0, 0), measured(2, 0.1, 0.1, 0.1), measured(3, 0, 0, 0)] },
    { curves: 'at the top', history: [measured(1, 1, 1, 1)] },
    { curves: 'apart', history: [measured(1, 0.2, 0.5, 0.9)] },
  ])('as SVG has labels that stand apart and within it: curves $curves', ({ history }) => {
    const svg = svgChart(history, '');
    const heights = [...svg.matchAll(/class="name" x="\d+" y="([\d.]+)"/g)]
      .map(([, y]) => Number(y))
      .sort((a, b) => a - b);
    expect(heights).toHaveLength(3);
    for (const [i, y] of heights.slice(1).entries()) expect(y - (heights[i] ?? 0)).toBeGreaterThanOrEqual(33.9);
    expect(heights[0]).toBeGreaterThan(60);
    expect(heights.at(-1)).toBeLessThan(310);
  });

  it.each([1, 20, 45, 200, 10_000])('as SVG of %i epochs has marks and numbers that stand apart', (epochs) => {
    const svg = svgChart(many(epochs), '');
    const numbers = [...svg.matchAll(/<text x="([\d.]+)" y="434" text-anchor="middle">(\d+)</g)];
    expect(numbers.at(-1)?.[2]).toBe(String(epochs));
    for (const [i, [, x, number]] of numbers.slice(1).entries())
      expect(Number(x) - Number(numbers[i]?.[1])).toBeGreaterThan(8 * (number ?? '').length);
    expect((svg.match(/class="mark"/g) ?? []).length).toBeLessThanOrEqual(100);
  });
});

it('the chart in the README is as the program draws it, with the figures that are told there', () => {
  const shown = readFileSync(path.join(root, 'docs/lesson.svg'), 'utf8');
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const figures = (of: string) =>
    [...shown.matchAll(new RegExp(`>epoch \\d+: ${of} ([\\d.]+)<`, 'g'))].map(([, value]) => Number(value));
  const [train, moving, population, loss] = ['train acc', 'moving average', 'population statistics', 'loss'].map(
    figures,
  );
  const history = many(10, (i) =>
    measured(i + 1, moving?.[i] ?? NaN, population?.[i] ?? NaN, train?.[i] ?? NaN, loss?.[i] ?? NaN),
  );
  // Its places are those of figures with more digits.
  const withoutPlaces = (svg: string) => svg.replace(/-?\d+\.\d(?!\d)/g, '#');
  const title = 'LeNet on Fashion-MNIST, scratch: lr 1, batch size 256, seed 1';
  expect(withoutPlaces(shown)).toBe(withoutPlaces(svgChart(history, title)));
  const [last, third] = [history.at(-1), history[2]].map((epoch) => epoch ?? measured(0, NaN, NaN));
  expect(readme).toContain(
    `**BN from scratch** (\`scratch\`) | **${last?.loss}** | **${last?.trainAccuracy}** | **${last?.testAccuracy}** |`,
  );
  expect(readme).toMatch(new RegExp(`says ${third?.testAccuracy}; .* ${third?.testAccuracyPopulation} with`));
  expect(readme).toContain(`the loss is ${history[0]?.loss};`);
  expect(readme).toContain(`(${last?.testAccuracyPopulation} after the last)`);
});

/** What a step tells of its batch alone, which is not shown. */
const BATCH = { batchLoss: 9, batchAccuracy: 0 };

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
    terminal.train({ type: 'step', epoch: 1, batch: 1, loss: 1, examplesPerSecond: 10, ...BATCH });
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
    terminal.train({ type: 'step', epoch: 1, batch: 100, loss: 0.727, examplesPerSecond: 35_768, ...BATCH });
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

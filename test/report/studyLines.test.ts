/** A study's lines: one a claim, with verdict, effect, interval, criterion and the literature's number. */
import { expect, it } from 'vitest';
import { claimLine, listLines, studyLines } from '../../src/report/studyLines.js';
import { typeset } from '../../src/report/typeset.js';
import type { ClaimResult, Part, StudyResult } from '../../src/study/result.js';

const interval = { low: 2.2, high: 4.4123, level: 0.995 };
const part: Part = {
  ...{ measure: 'ratio of steps', unit: '×', effect: 3.1234, bound: false, interval, interval95: null },
  ...{ criterion: 'interval wholly above 1.5 ×', margins: [1.5], verdict: 'holds', seeds: [] },
};
const claim: ClaimResult = {
  ...{ claim: 'convergence', text: 'It converges faster.', question: 'How many?', hypothesis: 'More than 1.5.' },
  ...{ verdict: 'holds', effect: 3.1234, interval, unit: '×', criterion: part.criterion, parts: [part] },
  literature: { text: '14 times fewer steps', value: 14, source: 'Ioffe & Szegedy 2015' },
  ...{ secondary: [], pictures: [], remarks: [], trials: [] },
};

it.each<[string, Partial<ClaimResult>, boolean, string]>([
  [
    'in full',
    {},
    false,
    'holds   convergence   3.12 × (99.5 % interval 2.2 to 4.41)   criterion: interval wholly above 1.5 ×   literature: 14 times fewer steps (Ioffe & Szegedy 2015)',
  ],
  ['as a quick look', { verdict: 'does not hold' }, true, 'quick look: does not hold   convergence   3.12 ×'],
  ['with a bound', { parts: [{ ...part, bound: true }] }, false, 'holds   convergence   ≥ 3.12 × (99.5 % interval'],
  ['without an interval', { interval: null }, false, 'holds   convergence   3.12 ×   criterion: '],
  [
    'without an effect',
    { effect: null, interval: null },
    false,
    'holds   convergence   no effect measured   criterion',
  ],
  ['of no unit', { unit: '', effect: -1.2345e-7, interval: null }, false, 'convergence   -1.23e-7   criterion'],
])('a claim %s', (_, change, quick, line) => expect(claimLine({ ...claim, ...change }, quick)).toContain(line));

const result: StudyResult = {
  ...{ registration: 'f'.repeat(64), quick: true, claims: [claim], left: [{ claim: 'noise', why: 'it takes long' }] },
  machine: { platform: 'linux-x64', cpu: 'AMD EPYC', cores: 2, memory: 1 },
  versions: { 'bn-train': '0.1.0', tensorflow: '2.18.1' },
  data: { name: 'Fashion-MNIST', sha256: 'd' },
  ...{ seconds: 125, finished: '2026-11-26T08:00:00.000Z' },
};

it('a whole study says what was left out, by which registration, and where it was computed', () => {
  expect(studyLines(result).slice(1)).toEqual([
    'left out of a quick look   noise   it takes long',
    '',
    `registration   SHA-256 ${'f'.repeat(64)}`,
    'computed on   AMD EPYC, 2 cores, linux-x64   bn-train 0.1.0, tensorflow 2.18.1   Fashion-MNIST   2 min 5 s in all trials together   2026-11-26T08:00:00.000Z',
  ]);
});

it('a list tells what each claim costs, and all together', () => {
  const cost = (trials: number, seconds: number) => ({ trials, seconds });
  const listed = { question: 'How many?', full: cost(74, 610.2), quick: cost(22, 70) };
  const claims = [
    { ...listed, claim: 'convergence' },
    { ...listed, claim: 'noise', quick: null },
  ];
  const all = { full: cost(1321, 1200), quick: cost(100, 150) };
  expect(listLines(claims, all, { jobs: 2 })).toEqual([
    'convergence   full 74 trials, 10 min 11 s   quick 22 trials, 1 min 10 s   How many?',
    'noise         full 74 trials, 10 min 11 s   quick left out   How many?',
    'in all        full 1,321 trials, 20 min 0 s   quick 100 trials, 2 min 30 s   with 2 at once; claims share trials',
  ]);
  // Two lines each where one does not fit.
  expect(listLines(claims, all, { jobs: 2, columns: 80 }).slice(2)).toEqual([
    'noise         How many?',
    '              full 74 trials, 10 min 11 s   quick left out',
    'in all        with 2 at once; claims share trials',
    '              full 1,321 trials, 20 min 0 s   quick 100 trials, 2 min 30 s',
  ]);
});

it.each([60, 80, 120])('every line is broken to %i columns but for a hash, also in ASCII', (columns) => {
  const lines = studyLines(result).filter((line) => !line.startsWith('registration'));
  for (const line of lines) {
    const text = typeset(line, { columns, unicode: false, colour: 0 });
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(columns);
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  }
});

it('verdicts have colours', () => {
  const painted = (verdict: ClaimResult['verdict']) =>
    typeset(claimLine({ ...claim, verdict }, true), { columns: undefined, unicode: true, colour: 4 });
  expect(painted('holds')).toContain('quick look: \u001b[32mholds\u001b[39m   convergence');
  expect(painted('does not hold')).toContain('\u001b[31mdoes not hold\u001b[39m');
  expect(painted('undecided')).toContain('\u001b[33mundecided\u001b[39m');
});

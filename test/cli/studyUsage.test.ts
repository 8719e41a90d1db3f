/** What `bn-train study` is asked that it cannot do is told in words, before anything is computed; and it lists its claims. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { claimsOf } from '../../src/cli/study/runStudy.js';
import { CLAIM_IDS } from '../../src/study/registration.js';
import { madeUpStudy } from '../support/madeUpStudy.js';
import { program, runProgram } from '../support/program.js';

const cwd = mkdtempSync(path.join(tmpdir(), 'bn-train-study-usage-'));
afterAll(() => rm(cwd, { recursive: true }));
const study = (...args: string[]) => runProgram(['study', ...args], { cwd });

describe('claims are', () => {
  it('all where none is named, else those, in their own order', () => {
    expect(claimsOf([])).toEqual(CLAIM_IDS);
    expect(claimsOf(['noise', 'convergence', 'noise'])).toEqual(['convergence', 'noise']);
  });

  it.each([
    { word: 'convergance', hint: 'did you mean convergence?' },
    { word: 'Noise', hint: 'did you mean noise?' },
    { word: 'smallbatches', hint: 'did you mean small-batches?' },
    { word: 'xyzzy', hint: 'bn-train study --list tells what they are' },
    { word: '', hint: 'bn-train study --list tells what they are' },
  ])('not $word', ({ word, hint }) => {
    const message = `Cannot study: expected some of ${CLAIM_IDS.join(', ')}, got ${word}`;
    expect(() => claimsOf(['noise', word])).toThrow(expect.objectContaining({ message, hint, exitCode: 2 }) as Error);
  });
});

it.each([
  { args: ['--shard', '3/2'], words: 'got 3/2\nhint: the first of four parts: --shard 1/4\n' },
  { args: ['--jobs', '0'], words: 'Expected a whole number from 1 to 1024, got 0.' },
  {
    args: ['--merge', 'a', '--shard', '1/2'],
    words: "option '--merge <folder...>' cannot be used with option '--shard",
  },
  { args: ['--merge', 'a', '--jobs', '2'], words: "option '--merge <folder...>' cannot be used with option '--jobs" },
  {
    args: ['--study-dir', program],
    words: `Cannot use the study folder ${program}: expected a folder that can be written, ${program}/trials, got a file where a folder belongs\nhint: choose another folder\n`,
  },
  {
    args: ['--backend', 'js'],
    words:
      'Cannot study: expected the native backend, as a study is many trainings, got the js backend\nhint: leave out --backend\n',
  },
])('wrong usage exits 2 with words: $args', async ({ args, words }) => {
  const { code, stdout, stderr } = await study(...args);
  expect(stderr).toContain(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(existsSync(path.join(cwd, 'study'))).toBe(false);
});

it.each([[], ['--merge', 'a']])('a quick study keeps its hands off the result of a full one, %j', async (...args) => {
  const folder = path.join(cwd, 'full');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'study.json');
  const full = JSON.stringify(madeUpStudy(false).study);
  writeFileSync(file, full);
  const { code, stdout, stderr } = await study('--quick', '--study-dir', 'full', ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr.replaceAll(/\s+/g, ' ')).toBe(
    'Cannot study quickly: expected a folder without the result of a full study, got full ' +
      "hint: bn-train report 'full' shows it; for a quick look beside it, name another folder with --study-dir ",
  );
  expect(readFileSync(file, 'utf8')).toBe(full);
});

it('the list has every claim and its cost, for people and for programs', async () => {
  const [lines, json] = await Promise.all([study('--list'), study('--list', '--json', 'noise', '--jobs', '4')]);
  expect([lines.code, lines.stderr]).toEqual([0, '']);
  for (const claim of CLAIM_IDS)
    expect(lines.stdout).toMatch(new RegExp(`^${claim} +full \\d+ trials, [\\d.]+ (s|min \\d+ s)   quick .*\\?$`, 'm'));
  expect(lines.stdout).toMatch(
    /^in all +full 3\d\d trials, \d+ min \d+ s {3}quick 1?\d\d trials, .* with \d+ at once; claims share trials\n/m,
  );
  expect(lines.stdout).toMatch(/\nregistration {3}SHA-256 [0-9a-f]{64}\n$/);
  expect(JSON.parse(json.stdout)).toMatchObject({
    jobs: 4,
    claims: [{ claim: 'noise', full: { trials: expect.any(Number) as number } }],
    all: { full: { seconds: expect.any(Number) as number } },
  });
});

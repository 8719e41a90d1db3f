/** Any words on the command line: a call with values in their ranges, or wrong usage with words; never anything else. */
import assert from 'node:assert/strict';
import { type Command, CommanderError, InvalidArgumentError } from 'commander';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/main.js';
import { folder, numberThat, wholeNumber } from '../../src/cli/options.js';
import { CASES } from '../support/fuzz.js';

const digits = fc.stringMatching(/^\d{1,20}$/);
const numberLike = fc.oneof(
  digits,
  fc.double().map(String),
  fc.integer().map(String),
  fc
    .tuple(
      fc.constantFrom('', '+', '-', '--'),
      digits,
      fc.constantFrom('', '.', '.5', 'e3', 'e-400', 'e999', 'e', '.e1', 'n', '_0', ' '),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom(
    '',
    ' ',
    '.',
    '-',
    '+',
    'e',
    'e5',
    '.5',
    '5.',
    '-0',
    '0x10',
    '0b1',
    '0o7',
    '1_000',
    '1,5',
    '١',
    '９',
    '1\n',
    '\t1',
    'NaN',
    'Infinity',
    '-Infinity',
    'null',
    'true',
    '[]',
    '1 2',
    '1e1e1',
    '1.2.3',
    '+-1',
    '9007199254740993',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

const areDigits = (text: string) => Array.from(text).every((character) => character >= '0' && character <= '9');

/** Decimal or scientific notation, told without a regular expression. */
function isDecimal(text: string): boolean {
  const unsigned = (part: string) => (part.startsWith('+') || part.startsWith('-') ? part.slice(1) : part);
  const [mantissa = '', exponent, ...more] = text.toLowerCase().split('e');
  const [whole = '', fraction = '', ...rest] = unsigned(mantissa).split('.');
  const hasExponent = exponent === undefined || (unsigned(exponent) !== '' && areDigits(unsigned(exponent)));
  return more.length + rest.length === 0 && whole + fraction !== '' && areDigits(whole + fraction) && hasExponent;
}

/** The value, or undefined where it was refused with words that show the text. */
function accepted<T>(parse: (text: string) => T, text: string): T | undefined {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    assert.ok(error.message.startsWith('Expected '));
    assert.ok(error.message.endsWith(`, got ${text === '' ? 'nothing' : text}.`));
    return undefined;
  }
}

describe('option values', () => {
  it('a whole number is one written in digits, exactly', () => {
    fc.assert(
      fc.property(numberLike, fc.constantFrom(0, 1, 5), (text, least) => {
        const right = text !== '' && areDigits(text) && BigInt(text) >= BigInt(least) && BigInt(text) < 2n ** 53n;
        assert.equal(accepted(wholeNumber(least), text), right ? Number(BigInt(text)) : undefined);
      }),
      { numRuns: CASES },
    );
  });

  it('a number is a finite decimal one for which the condition holds', () => {
    fc.assert(
      fc.property(numberLike, (text) => {
        const value = isDecimal(text) ? parseFloat(text) : NaN;
        const right = value > 0 && value < Infinity;
        assert.equal(
          accepted(
            numberThat('a number above 0', (n) => n > 0),
            text,
          ),
          right ? value : undefined,
        );
      }),
      { numRuns: CASES },
    );
  });

  it('megabytes of digits take no time that grows with their square', () => {
    const long = `${'1'.repeat(5_000_000)}x`;
    for (const parse of [wholeNumber(1), numberThat('a number', () => true)])
      expect(() => parse(long)).toThrow(InvalidArgumentError);
    expect(() => numberThat('a number', () => true)(`.${long}`)).toThrow(InvalidArgumentError);
  });

  it('a folder has a name', () => {
    expect(folder('x')).toBe('x');
    expect(() => folder('')).toThrow('Expected a folder, got nothing.');
  });
});

interface Call {
  command: string;
  args: unknown[];
  flags: Record<string, unknown>;
}

/** Parses words with the real program, whose actions only tell that they were called. */
async function parse(words: string[]): Promise<Call | CommanderError> {
  let call: Call | undefined;
  const program = await buildProgram();
  for (const command of [program, ...program.commands])
    command.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  for (const command of program.commands)
    command.action((...given: unknown[]) => {
      const self = given.pop() as Command;
      call = { command: self.name(), args: given.slice(0, -1), flags: self.opts() };
    });
  try {
    program.parse(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error;
  }
  assert.ok(call, 'neither an error nor a call');
  return call;
}

const isAbove0 = (value: unknown) => typeof value === 'number' && value > 0 && value < Infinity;
const isWholeFrom =
  (least: number, most = 2 ** 53 - 1) =>
  (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const isName = (value: unknown) => typeof value === 'string' && value !== '';
const isSwitch = (value: unknown) => value === true;
/** One that is on unless it is turned off. */
const isOnOrOff = (value: unknown) => typeof value === 'boolean';

/** What a flag's value may be; a new flag needs its line here. */
const isSome =
  (...words: string[]) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length > 0 && value.every((word) => words.includes(word as string));

const FLAGS: Record<string, (value: unknown) => boolean> = {
  lr: isAbove0,
  epochs: isWholeFrom(1),
  batchSize: isWholeFrom(1),
  checkpointSteps: isWholeFrom(1),
  stepsPerCall: isWholeFrom(1),
  seed: isWholeFrom(0, 2 ** 31 - 1),
  momentum: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  epsilon: isAbove0,
  backend: (value) => ['auto', 'native', 'wasm', 'js'].includes(value as string),
  device: (value) => typeof value === 'string',
  tensorflow: (value) => ['2.18.1', '2.21.0'].includes(value as string),
  layer: (value) => value === 'all' || isWholeFrom(1)(value),
  steps: isWholeFrom(1),
  turns: isWholeFrom(1),
  starts: isWholeFrom(0),
  norms: isSome('scratch', 'builtin', 'none'),
  modes: isSome('fused', 'graph', 'eager', 'loop', 'xla', 'loop+xla'),
  peer: (value) => Array.isArray(value) && value.every((command) => typeof command === 'string'),
  lang: (value) => ['en', 'zh'].includes(value as string),
  seeds: isWholeFrom(1),
  jobs: isWholeFrom(1),
  shard: (value) => typeof value === 'string',
  model: (value) => typeof value === 'string',
  merge: (value) => Array.isArray(value) && value.length > 0 && value.every(isName),
  ...Object.fromEntries(
    ['dataDir', 'runtimeDir', 'runDir', 'studyDir', 'resume', 'output'].map((name) => [name, isName]),
  ),
  ...Object.fromEntries(['fuse', 'population', 'crop', 'invert'].map((name) => [name, isOnOrOff])),
  ...Object.fromEntries(
    [
      'eager',
      'xla',
      'json',
      'quiet',
      'moving',
      'serve',
      'cuda',
      'deterministic',
      'midEpoch',
      'verbose',
      'anyData',
      'yes',
      'tensorboard',
      'everySeed',
      'list',
      'quick',
      'open',
      'onnx',
      'savedModel',
    ].map((name) => [name, isSwitch]),
  ),
};

const { commands } = await buildProgram();
const COMMANDS = commands.map((command) => command.name());
const OPTIONS = [...new Set(commands.flatMap(({ options }) => options.map(({ long }) => long ?? '')))];
const value = fc.oneof(
  numberLike,
  fc.constantFrom(
    'all',
    'auto',
    'js',
    'cpu',
    'cuda:0',
    '../x',
    '/etc/passwd',
    '__proto__',
    'constructor',
    'x'.repeat(5000),
    '\u001b[2J',
    'é',
  ),
);
const word = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...OPTIONS), value).map(([option, text]) => [option, text]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...OPTIONS), value).map(([option, text]) => [`${option}=${text}`]) },
  { weight: 2, arbitrary: fc.constantFrom('--json', '--quiet', '--moving', '--eager').map((option) => [option]) },
  { weight: 1, arbitrary: value.map((text) => [text]) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(
        ...OPTIONS,
        '--',
        '-',
        '--help',
        '-h',
        '-V',
        '--version',
        '--__proto__',
        '--no-json',
        '--lr=',
        '-=',
        '--constructor=1',
      )
      .map((text) => [text]),
  },
);
const commandLine = fc
  .tuple(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...COMMANDS) },
      { weight: 1, arbitrary: fc.constantFrom('help', '__proto__', 'constructor', '', 'scrach', '--') },
    ),
    fc.array(word, { maxLength: 4 }),
  )
  .map(([command, words]) => [command, ...words.flat()]);

it('any command line is a call with values in their ranges, or wrong usage', async () => {
  const seen = { calls: 0, errors: 0 };
  await fc.assert(
    fc.asyncProperty(commandLine, async (words) => {
      const outcome = await parse(words);
      if (outcome instanceof CommanderError) {
        seen.errors++;
        const { code, exitCode, message } = outcome;
        const asked = code === 'commander.helpDisplayed' || code === 'commander.version';
        // Without a command the help is wrong usage, after "help" it is not.
        if (code !== 'commander.help') assert.equal(exitCode === 0, asked, code);
        if (exitCode !== 0 && code !== 'commander.help') assert.ok(message.startsWith('error: '), message);
        return;
      }
      seen.calls++;
      assert.ok(COMMANDS.includes(outcome.command));
      for (const [name, given] of Object.entries(outcome.flags))
        assert.ok(FLAGS[name]?.(given), `--${name} ${String(given)}`);
      for (const word of outcome.args.flat()) assert.ok(word === undefined || typeof word === 'string');
    }),
    { numRuns: CASES },
  );
  expect(Math.min(seen.calls, seen.errors)).toBeGreaterThan(CASES / 10);
});

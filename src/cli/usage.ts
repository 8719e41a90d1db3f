/** What was likely meant where the words of a command line are wrong, and which of them npm took for its own. */
import type { Command, Option } from 'commander';
import { cannot, EXIT } from '../common/errors.js';
import { toType } from '../common/invocation.js';

/** What other programs call these flags. */
const ELSEWHERE: Readonly<Record<string, string[]>> = {
  '--learning-rate': ['--lr'],
  '--learning_rate': ['--lr'],
  '--gpu': ['--device cuda', '--cuda'],
  '--cuda': ['--device cuda'],
  '--cpu': ['--device cpu'],
};

/** The line below commander's message: undefined where that has a hint of its own. */
export function usageHint(message: string, args: readonly string[], program: Command): string | undefined {
  const [, decimals] = /argument '(-?\d*,\d+)' is invalid/.exec(message) ?? [];
  if (decimals !== undefined) return `with a decimal point: ${decimals.replace(',', '.')}`;
  if (/\(Did you mean|' is invalid\. |cannot be used with/.test(message)) return undefined;
  const command = program.commands.find((each) => each.name() === args[0]);
  if (!command) return wrongCommand(args);
  const [, flag = ''] = /unknown option '([^'=]*)/.exec(message) ?? [];
  const has = (words: string) => command.options.some(({ long }) => long === words.split(' ')[0]);
  const meant = (ELSEWHERE[flag] ?? [`-${flag}`]).find(has);
  return meant === undefined ? `what it takes: ${toType(`${command.name()} --help`)}` : `did you mean ${meant}?`;
}

function wrongCommand(args: readonly string[]): string {
  const isOption = args[0]?.startsWith('-') === true;
  const all = toType('--help');
  return isOption
    ? `the command comes first, then its options, as in ${toType('scratch --seed 1')}; all commands: ${all}`
    : `scratch, builtin and none train; all commands: ${all}`;
}

/** npm has these, too, and who set them there meant npm. */
const OF_NPM = ['--help', '--jobs', '--json', '--quiet', '--verbose', '--yes'];

/** Throws a BnTrainError where `npm start` was given options before a "--", which never arrive here. */
export function assertNotTakenByNpm(
  command: Command,
  env: Readonly<Record<string, string | undefined>> = process.env,
): void {
  const taken = command.options.flatMap((each) => {
    const { long } = each;
    if (long == null || OF_NPM.includes(long)) return [];
    const value = env[`npm_config_${long.replace(/^--(?:no-)?/, '').replaceAll('-', '_')}`];
    return value === undefined ? [] : [{ long, typed: typedAs(each, long, value) }];
  });
  if (taken.length === 0) return;
  throw cannot('read the options', {
    expected: 'them after a --',
    got: `npm’s own ${taken.map(({ long }) => long).join(', ')}`,
    hint: toType([command.name(), ...taken.map(({ typed }) => typed)].join(' ')),
    exitCode: EXIT.usage,
  });
}

/** Of "--seed 1" npm keeps that there was a --seed, and makes "1" a word of its own. */
function typedAs({ flags, required }: Option, long: string, value: string): string {
  if (!required) return long;
  return value === 'true' || value === '' ? flags : `${long} ${value}`;
}

/** The command line: which commands there are, of which a call loads only those that it needs. */
import { Command, CommanderError } from 'commander';
import { EXIT } from '../common/errors.js';
import { toType } from '../common/invocation.js';
import { packageVersion } from '../common/machine.js';
import { looksOf, typeset } from '../report/typeset.js';
import { conclude } from './session.js';

const trainCommand = () => import('./trainCommand.js');

const COMMANDS = new Map<string, () => Promise<Command>>([
  ['scratch', async () => (await trainCommand()).trainCommand('scratch')],
  ['builtin', async () => (await trainCommand()).trainCommand('builtin')],
  ['none', async () => (await trainCommand()).trainCommand('none')],
  ['inspect-gamma', async () => (await import('./inspectCommand.js')).inspectCommand()],
  ['evaluate', async () => (await import('./evaluateCommand.js')).evaluateCommand()],
  ['recalibrate', async () => (await import('./recalibrateCommand.js')).recalibrateCommand()],
  ['fold', async () => (await import('./foldCommand.js')).foldCommand()],
  ['predict', async () => (await import('./predictCommand.js')).predictCommand()],
  ['compare', async () => (await import('./compare/compareCommand.js')).compareCommand()],
  ['report', async () => (await import('./reportCommand.js')).reportCommand()],
  ['verify', async () => (await import('./verifyCommand.js')).verifyCommand()],
  ['bench', async () => (await import('./bench/benchCommand.js')).benchCommand()],
  ['study', async () => (await import('./study/studyCommand.js')).studyCommand()],
  ['setup', async () => (await import('./setupCommand.js')).setupCommand()],
  ['doctor', async () => (await import('./doctorCommand.js')).doctorCommand()],
  ['data', async () => (await import('./dataCommand.js')).dataCommand()],
]);

const FIRST_STEPS = () => `
First steps:
  ${toType('scratch --seed 1')}
  ${toType('report --open')}
  ${toType('scratch --help')}`;

/** The command `name`, or all where it is none of them; a wrong word or value throws a CommanderError. */
export async function buildProgram(name = ''): Promise<Command> {
  const program = new Command('bn-train')
    .description('Train LeNet on Fashion-MNIST with batch normalization from scratch, the built-in one, or none.')
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 10 })
    .addHelpText('after', FIRST_STEPS)
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(inLines(text)) })
    .exitOverride();
  const named = COMMANDS.get(name);
  for (const build of named ? [named] : COMMANDS.values()) {
    const command = await build();
    command.option('--verbose', 'print the causes and the stack of an error, too');
    program.addCommand(command.copyInheritedSettings(program).exitOverride());
  }
  return program;
}

/** As errors are shown elsewhere; what was typed wrongly is in it. */
function inLines(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => typeset(line, looksOf(process.stderr))).join('');
}

/** Runs the command that `argv` names; its session ends the process, and so does wrong usage. */
export async function main(argv: string[]): Promise<void> {
  const program = await buildProgram(argv[2]);
  const named = program.commands.find((command) => command.name() === argv[2]);
  if (named && process.env['npm_lifecycle_event'] === 'start') (await import('./usage.js')).assertNotTakenByNpm(named);
  await program.parseAsync(argv).catch(async (error: unknown) => {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return conclude(EXIT.done);
    const { usageHint } = await import('./usage.js');
    // Without a command, help was printed, which says it all.
    const hint = error.code === 'commander.help' ? undefined : usageHint(error.message, argv.slice(2), program);
    if (hint !== undefined) process.stderr.write(inLines(`hint: ${hint}`));
    return conclude(EXIT.usage);
  });
}

/** The command line: which commands there are, and the one place that turns an error into words and an exit status. */
import { Command, CommanderError } from 'commander';
import { BnTrainError, EXIT, messageOf } from '../common/errors.js';
import { benchCommand } from './commands/bench.js';
import { inspectCommand } from './commands/inspect.js';
import { evaluateCommand } from './commands/evaluate.js';
import { dataCommand, doctorCommand, setupCommand } from './commands/machine.js';
import { trainCommand } from './commands/train.js';
import { verifyCommand } from './commands/verify.js';
import { packageVersion } from '../common/machine.js';

/** All commands; a wrong word or value throws a CommanderError. */
export function buildProgram(): Command {
  const program = new Command('bn-train')
    .description('Train LeNet on Fashion-MNIST with batch normalization from scratch, the built-in one, or none.')
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError();
  const commands = [
    trainCommand('scratch', 'train with the batch normalization layer written from scratch'),
    trainCommand('builtin', 'train with tf.layers.batchNormalization'),
    trainCommand('none', 'train without batch normalization'),
    inspectCommand(),
    evaluateCommand(),
    verifyCommand(),
    benchCommand(),
    setupCommand(),
    doctorCommand(),
    dataCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  for (const command of [program, ...commands]) command.exitOverride();
  return program;
}

/** Runs the command that `argv` names, and sets the process's exit status. */
export async function main(argv: string[]): Promise<void> {
  // A reader that closes the pipe early (head, less) has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
  try {
    await buildProgram().parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof BnTrainError) {
    process.stderr.write(`${error.message}\n${error.hint === undefined ? '' : `hint: ${error.hint}\n`}`);
    return error.exitCode;
  }
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`);
  return EXIT.failed;
}

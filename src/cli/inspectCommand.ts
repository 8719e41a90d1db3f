/** `bn-train inspect-gamma`: the learned γ and β of a run, read without TensorFlow. */
import { Command } from 'commander';
import type { RunConfig } from '../run/config.js';
import type { Wanted } from '../run/parameters.js';
import { folder, midEpochOption, parser, readWhole, type SessionFlags } from './options.js';
import { type Session, withSession } from './session.js';

interface InspectFlags extends SessionFlags, Wanted {
  midEpoch?: boolean;
  json?: boolean;
}

const layer = parser('a whole number from 1, or all', (text) => (text === 'all' ? text : readWhole(text, 1)));

export function inspectCommand(): Command {
  return new Command('inspect-gamma')
    .description("print a run's learned gamma and beta")
    .argument('[run]', 'run folder (default: the newest in ./runs)', folder)
    .option('--layer <n>', 'batch normalization layer, counted from 1, or all', layer, 1)
    .option('--moving', 'print the moving mean and variance too')
    .addOption(midEpochOption())
    .option('--json', 'print JSON')
    .action((run: string | undefined, flags: InspectFlags) =>
      withSession(flags, (session) => inspect(run, flags, session)),
    );
}

async function inspect(named: string | undefined, flags: InspectFlags, { terminal }: Session): Promise<void> {
  const [
    { readConfig },
    { newestRun },
    { readLearned },
    { exportedNotice },
    { parametersOf },
    { runLine },
    { gammaLines },
  ] = await Promise.all([
    import('../run/config.js'),
    import('../run/folder.js'),
    import('../run/checkpoints.js'),
    import('../run/exported.js'),
    import('../run/parameters.js'),
    import('../report/lines.js'),
    import('../report/gamma.js'),
  ]);
  const run = named ?? (await newestRun());
  const config = await readConfig(run);
  const { weights, position } = await readLearned(run, flags.midEpoch);
  const layers = parametersOf(weights, run, flags);
  const problem = await exportedNotice(run, config.norm);
  if (problem !== undefined) terminal.notice(problem);
  if (flags.json) return terminal.printJson(layers);
  const lines = gammaLines(layers, { columns: terminal.resultColumns(), isRecipe: isRecipe(config) });
  terminal.print(runLine(run, config, position), ...lines);
}

/** Whether it is trained as the reference run was, but for how long. */
function isRecipe({ norm, learningRate, batchSize, data }: RunConfig): boolean {
  return (
    norm !== 'none' && learningRate === 1 && batchSize === 256 && (data?.name ?? 'Fashion-MNIST') === 'Fashion-MNIST'
  );
}

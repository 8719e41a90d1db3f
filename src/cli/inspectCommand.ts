/** `bn-train inspect-gamma`: the learned γ and β of a run, read without TensorFlow. */
import { Command } from 'commander';
import type { Wanted } from '../run/parameters.js';
import { folder, midEpochOption, parser, readWhole, type SessionFlags } from './options.js';
import { withSession } from './session.js';

interface InspectFlags extends SessionFlags, Wanted {
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
      withSession(flags, async ({ terminal }) => {
        const [{ newestRun }, { readParameters }, { gammaLines }] = await Promise.all([
          import('../run/folder.js'),
          import('../run/parameters.js'),
          import('../report/gamma.js'),
        ]);
        const layers = await readParameters(run ?? (await newestRun()), flags);
        terminal.print(...(flags.json ? [JSON.stringify(layers)] : gammaLines(layers)));
      }),
    );
}

/** `bn-train bench`: how fast training goes, alone or against other programs. */
import { Command, Option } from 'commander';
import { addPlaceOptions, wholeNumber, wordsOf } from '../options.js';
import { withSession } from '../session.js';
import type { BenchFlags, ModelBenchFlags } from './contenders.js';

const NORMS = ['scratch', 'builtin', 'none'] as const;
const MODES = ['fused', 'graph', 'eager', 'loop', 'xla', 'loop+xla'] as const;

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure the speed of training steps; contestants take turns')
    .option('--steps <n>', 'training steps a turn', wholeNumber(1), 40)
    .option('--turns <n>', 'turns that count, after one that warms up', wholeNumber(1), 7)
    .option('--batch-size <n>', "examples a step (default: 256, of --model the file's own)", wholeNumber(1))
    .addOption(
      new Option('--norms <list>', 'which models').argParser(wordsOf(NORMS)).default([...NORMS], NORMS.join(',')),
    )
    .option(
      '--modes <list>',
      `which ways to run a step: some of ${MODES.join(',')} (default: fused,graph,eager; on a GPU loop,graph,eager)`,
      wordsOf(MODES),
    )
    .addOption(
      new Option(
        '--peer <command>',
        'measure this program too, in turn; it serves as --serve does and is given --data-dir, --batch-size and --norms (repeatable)',
      )
        .argParser((text: string, before: string[]) => [...before, text])
        .default([], 'no other'),
    )
    .addOption(
      new Option(
        '--model <file>',
        'measure a model of your own instead, as it is and accelerated: a module that exports model, or a function that makes it, data { xs, ys }, and batchSize',
      ).conflicts(['norms', 'modes', 'peer', 'starts', 'serve', 'dataDir', 'anyData']),
    )
    .option('--starts <n>', 'processes to start anew for the first step and the memory of an epoch', wholeNumber(0), 0)
    .option('--serve', 'answer each line "RUN norm/mode steps" on stdin with a line of JSON');
  return addPlaceOptions(command)
    .option('--json', 'print one JSON object instead of a table')
    .action(({ model, batchSize, ...others }: ModelBenchFlags & { model?: string }) =>
      withSession(others, async (session) => {
        if (model !== undefined)
          return (await import('./benchModel.js')).benchModel(model, { ...others, batchSize }, session);
        const flags: BenchFlags = { ...others, batchSize: batchSize ?? 256 };
        if (flags.serve) return (await import('./contenders.js')).serve(flags, session);
        return (await import('./runBench.js')).runBench(flags, session);
      }),
    );
}

/** `bn-train bench`: how fast training goes, alone or against other programs. */
import { Command } from 'commander';
import { addPlaceOptions, wholeNumber, wordsOf } from '../options.js';
import { withSession } from '../session.js';
import type { BenchFlags } from './contenders.js';

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure the speed of training steps; contestants take turns')
    .option('--steps <n>', 'training steps a turn', wholeNumber(1), 40)
    .option('--turns <n>', 'turns that count, after one that warms up', wholeNumber(1), 7)
    .option('--batch-size <n>', 'examples a step', wholeNumber(1), 256)
    .option('--norms <list>', 'which models', wordsOf(['scratch', 'builtin', 'none']), ['scratch', 'builtin', 'none'])
    .option(
      '--modes <list>',
      'which ways to run a step (default: fused,graph,eager; on a GPU loop,graph,eager)',
      wordsOf(['fused', 'graph', 'eager', 'loop', 'xla', 'loop+xla']),
    )
    .option(
      '--peer <command>',
      'measure this program too, in turn; it serves as --serve does and is given --data-dir, --batch-size and --norms (repeatable)',
      (text: string, before: string[]) => [...before, text],
      [],
    )
    .option('--starts <n>', 'processes to start anew for the first step and the memory of an epoch', wholeNumber(0), 0)
    .option('--serve', 'answer each line "RUN norm/mode steps" on stdin with a line of JSON');
  return addPlaceOptions(command)
    .option('--json', 'print one JSON object instead of a table')
    .action((flags: BenchFlags) =>
      withSession(flags, async (session) => {
        if (flags.serve) return (await import('./contenders.js')).serve(flags, session);
        return (await import('./runBench.js')).runBench(flags, session);
      }),
    );
}

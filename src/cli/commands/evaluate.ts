/** `bn-train evaluate`: a saved run's test accuracy, under both kinds of statistics. */
import { Command } from 'commander';
import { addPlaceOptions, type EvaluateFlags, folder } from '../options.js';

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description("measure a saved run's accuracy on the test set")
    .argument('[run]', 'run folder (default: the newest in ./runs)', folder);
  return addPlaceOptions(command)
    .option('--json', 'print JSON')
    .action(async (run: string | undefined, flags: EvaluateFlags) => {
      const { runEvaluation } = await import('../evaluation.js');
      await runEvaluation(run, flags);
    });
}

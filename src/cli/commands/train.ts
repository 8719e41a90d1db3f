/** `bn-train scratch | builtin | none`: turns flags into one training run. */
import { Command } from 'commander';
import type { Norm } from '../../nn/lenet.js';
import { LARGEST_SEED } from '../../run/config.js';
import { addPlaceOptions, folder, numberThat, type TrainFlags, wholeNumber } from '../options.js';

export function trainCommand(norm: Norm, description: string): Command {
  const command = new Command(norm)
    .description(description)
    .option(
      '--lr <rate>',
      'learning rate of SGD',
      numberThat('a number above 0', (value) => value > 0),
      1.0,
    )
    .option('--epochs <n>', 'passes over the training set', wholeNumber(1), 10)
    .option('--batch-size <n>', 'examples a step; the smaller last batch is kept', wholeNumber(1), 256)
    .option('--seed <n>', `decides weights and order, 0 to ${LARGEST_SEED} (default: random)`, seedNumber)
    .option(
      '--momentum <share>',
      'of the old moving average that is kept',
      numberThat('a number from 0 to 1', (value) => value >= 0 && value <= 1),
      0.9,
    )
    .option(
      '--epsilon <value>',
      'added to the variance',
      numberThat('a number above 0', (value) => value > 0),
      1e-5,
    )
    .option('--eager', 'run every op by itself instead of each step as one graph')
    .option(
      '--steps-per-call <n>',
      'training steps a call into TensorFlow (default: 64 on a GPU, 1 elsewhere)',
      wholeNumber(1),
    )
    .option('--xla', 'have XLA compile the graphs; slower on the CPU');
  return addPlaceOptions(command)
    .option('--run-dir <folder>', 'keep the run here; new or empty (default: runs/<date-time>-<norm>)', folder)
    .option('--resume <folder>', 'go on with a run, with its own options; --epochs may be more', folder)
    .option('--checkpoint-steps <n>', 'a checkpoint every so many steps too, not only every epoch', wholeNumber(1))
    .option('--json', 'print one JSON object instead of lines')
    .action(async (flags: TrainFlags, self: Command) => {
      const { runTraining } = await import('../training.js');
      await runTraining(norm, flags, (name) => self.getOptionValueSource(name) === 'cli');
    });
}

function seedNumber(text: string): number {
  return numberThat(
    `a whole number from 0 to ${LARGEST_SEED}`,
    (value) => Number.isInteger(value) && value >= 0 && value <= LARGEST_SEED,
  )(text);
}

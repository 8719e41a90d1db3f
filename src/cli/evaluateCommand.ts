/** `bn-train evaluate`: a saved run's test accuracy, under the moving average and under population statistics. */
import { Command } from 'commander';
import { formatCount, formatMetric } from '../common/format.js';
import { addPlaceOptions, folder, midEpochOption, type PlaceOptions } from './options.js';
import { aboutRun, openSavedRun } from './savedRun.js';
import { type Session, withSession } from './session.js';

interface EvaluateFlags extends PlaceOptions {
  midEpoch?: boolean;
  json?: boolean;
}

export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description("measure a saved run's accuracy on the test set")
    .argument('[run]', 'run folder (default: the newest in ./runs)', folder);
  return addPlaceOptions(command)
    .addOption(midEpochOption())
    .option('--json', 'print JSON')
    .action((run: string | undefined, flags: EvaluateFlags) =>
      withSession(flags, (session) => evaluate(run, flags, session)),
    );
}

async function evaluate(named: string | undefined, flags: EvaluateFlags, session: Session): Promise<void> {
  const { terminal, signal } = session;
  const saved = await openSavedRun(named, flags, session);
  const [{ accuracy, populationAccuracy }, { defaultMode }, { Trainer }, { runLine }] = await Promise.all([
    import('../train/evaluate.js'),
    import('../train/step.js'),
    import('../train/trainer.js'),
    import('../report/lines.js'),
  ]);
  const { run, config, data, model, position } = saved;
  const trainer = await Trainer.open({ model, data, batchSize: config.batchSize, mode: defaultMode() });
  const testAccuracy = await accuracy(trainer, signal);
  const population = await populationAccuracy(trainer, data.train.count, signal);
  const { testAccuracyPopulation, populationImages } = population;
  if (flags.json) return terminal.printJson({ ...aboutRun(saved), testAccuracy, ...population });
  terminal.print(runLine(run, config, position));
  if (testAccuracyPopulation === null || populationImages === null)
    return terminal.print(`test acc ${formatMetric(testAccuracy)}`);
  const own = config.recalibrated ? 'the statistics that it was recalibrated to' : 'the moving average';
  terminal.print(
    `test acc ${formatMetric(testAccuracy)} with ${own}`,
    `test acc ${formatMetric(testAccuracyPopulation)} with population statistics (${formatCount(populationImages)} images)`,
  );
}

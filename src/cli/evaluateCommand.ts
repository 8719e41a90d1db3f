/** `bn-train evaluate`: a saved run's test accuracy, under the moving average and under population statistics. */
import { Command } from 'commander';
import { formatCount, formatMetric } from '../common/format.js';
import { addPlaceOptions, folder, midEpochOption, type PlaceOptions } from './options.js';
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

async function evaluate(named: string | undefined, flags: EvaluateFlags, { terminal, signal }: Session): Promise<void> {
  const [{ assertOwnData, readConfig }, { exportedNotice }, { newestRun }] = await Promise.all([
    import('../run/config.js'),
    import('../run/exported.js'),
    import('../run/folder.js'),
  ]);
  const run = named ?? (await newestRun());
  const config = await readConfig(run);
  const { norm, batchSize } = config;
  const problem = await exportedNotice(run, norm);
  if (problem !== undefined) terminal.notice(problem);
  const { openReady } = await import('../runtime/open.js');
  const { name: backend, device, fallback } = await openReady(flags, { listener: terminal, signal });
  const [
    { loadModel },
    { loadFashionMnist },
    { accuracy, populationAccuracy },
    { defaultMode },
    { Trainer },
    { runLine },
  ] = await Promise.all([
    import('../run/checkpoints.js'),
    import('../data/fashionMnist.js'),
    import('../train/evaluate.js'),
    import('../train/step.js'),
    import('../train/trainer.js'),
    import('../report/lines.js'),
  ]);
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  assertOwnData(run, config, data);
  const { model, position } = await loadModel(run, config, flags.midEpoch);
  const trainer = await Trainer.open({ model, data, batchSize, mode: defaultMode() });
  const testAccuracy = await accuracy(trainer, signal);
  const population = await populationAccuracy(trainer, data.train.count, signal);
  const { testAccuracyPopulation, populationImages } = population;
  const epoch = position.batch === 0 ? position.epoch - 1 : position.epoch;
  if (flags.json) terminal.printJson({ run, norm, epoch, backend, device, fallback, testAccuracy, ...population });
  else terminal.print(runLine(run, config, position));
  if (flags.json) return;
  if (testAccuracyPopulation === null || populationImages === null)
    terminal.print(`test acc ${formatMetric(testAccuracy)}`);
  else
    terminal.print(
      `test acc ${formatMetric(testAccuracy)} with the moving average`,
      `test acc ${formatMetric(testAccuracyPopulation)} with population statistics (${formatCount(populationImages)} images)`,
    );
}

/** The evaluation of a saved run, from its flags to its lines. */
import { loadFashionMnist } from '../data/fashionMnist.js';
import { formatMetric } from '../common/format.js';
import { Terminal } from '../report/terminal.js';
import { readConfig } from '../run/config.js';
import { newestRun } from '../run/folder.js';
import { loadModel } from '../run/model.js';
import { accuracy, populationAccuracy } from '../train/evaluate.js';
import { defaultMode } from '../train/runner.js';
import { Trainer } from '../train/trainer.js';
import type { EvaluateFlags } from './options.js';
import { interruptSignal } from './session.js';

/** Prints the test accuracy under the moving average and under population statistics. */
export async function runEvaluation(run: string | undefined, flags: EvaluateFlags): Promise<void> {
  const folder = run ?? (await newestRun());
  const config = await readConfig(folder);
  const { norm, batchSize } = config;
  const terminal = new Terminal({ quiet: flags.quiet ?? false });
  const signal = interruptSignal();
  const { openReady } = await import('../runtime/open.js');
  await openReady(flags, { listener: terminal, signal });
  const model = await loadModel(folder, config);
  const data = await loadFashionMnist({ dataDir: flags.dataDir, listener: terminal });
  const trainer = await Trainer.open({ model, data, batchSize, mode: defaultMode() });
  const testAccuracy = await accuracy(trainer, signal);
  const testAccuracyPopulation = await populationAccuracy(trainer, signal);
  if (flags.json) console.log(JSON.stringify({ run: folder, norm, testAccuracy, testAccuracyPopulation }));
  else
    console.log(
      norm === 'none'
        ? `test acc ${formatMetric(testAccuracy)}`
        : `test acc ${formatMetric(testAccuracy)} with the moving average\ntest acc ${formatMetric(testAccuracyPopulation)} with population statistics`,
    );
}

/** `bn-train recalibrate`: a run with population statistics in the place of its moving averages, as a run of its own. */
import * as path from 'node:path';
import { Command } from 'commander';
import { cannot } from '../common/errors.js';
import { formatCount, formatMetric } from '../common/format.js';
import { toType } from '../common/invocation.js';
import type { RunConfig } from '../run/config.js';
import { addPlaceOptions, folder, type PlaceOptions } from './options.js';
import { aboutRun, openSavedRun, type SavedRun } from './savedRun.js';
import { type Session, withSession } from './session.js';

interface RecalibrateFlags extends PlaceOptions {
  runDir?: string;
  json?: boolean;
}

export function recalibrateCommand(): Command {
  const command = new Command('recalibrate')
    .description('keep a run with statistics of the whole training set in its layers, as a new run')
    .argument('[run]', 'run folder (default: the newest in ./runs)', folder);
  return addPlaceOptions(command)
    .option('--run-dir <folder>', 'keep it here; new or empty (default: runs/<date-time>-<norm>-recalibrated)', folder)
    .option('--json', 'print JSON')
    .action((run: string | undefined, flags: RecalibrateFlags) =>
      withSession(flags, async (session) => {
        const saved = await openSavedRun(run, flags, session, assertNormalized);
        const { emptyRunFolder, withNewRunFolder } = await import('../run/folder.js');
        const { norm } = saved.config;
        const keepAll = (target: string) =>
          keep(saved, target, flags, session).catch(async (error: unknown) => {
            await emptyRunFolder(target);
            throw error;
          });
        await withNewRunFolder(`${norm}-recalibrated`, flags.runDir, keepAll, 'start again: nothing was kept');
      }),
    );
}

function assertNormalized(run: string, { norm }: RunConfig): void {
  if (norm === 'none')
    throw cannot(`recalibrate ${run}`, {
      expected: 'a run with batch normalization',
      got: 'one without',
      hint: `train one: ${toType('scratch')}`,
    });
}

async function keep(saved: SavedRun, target: string, flags: RecalibrateFlags, session: Session): Promise<void> {
  const { terminal, signal, saves } = session;
  const [{ recalibrateRun }, { runLine }, { chartTitle, svgChart }] = await Promise.all([
    import('../run/recalibratedRun.js'),
    import('../report/lines.js'),
    import('../report/svgChart.js'),
  ]);
  const { run, config, position, data } = saved;
  const before = await recalibrateRun(saved, {
    folder: target,
    from: path.resolve(run),
    computer: saved.backend,
    signal,
    saves,
    chart: (epochs) => svgChart(epochs, chartTitle(data.name, config)),
  });
  const { testAccuracyPopulation, populationImages } = before;
  if (flags.json) return terminal.printJson({ ...aboutRun(saved), ...before, runDirectory: target });
  terminal.print(
    runLine(run, config, position),
    `test acc ${formatMetric(before.testAccuracy)} with ${config.recalibrated ? 'its own statistics' : 'the moving average'}`,
    `test acc ${formatMetric(testAccuracyPopulation)} with population statistics (${formatCount(populationImages)} images)`,
    `kept with these in ${target}`,
  );
}

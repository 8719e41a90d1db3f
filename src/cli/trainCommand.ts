/** `bn-train scratch | builtin | none`: turns flags into one training run, and shows it. */
import { randomInt } from 'node:crypto';
import * as os from 'node:os';
import { Command } from 'commander';
import { quoted, toType } from '../common/invocation.js';
import { backendLine, finalLines } from '../report/lines.js';
import type { Norm } from '../nn/lenet.js';
import type { RunOptions } from '../run/config.js';
import { LARGEST_SEED } from '../run/seed.js';
import { addPlaceOptions, addRecipeOptions, folder, recipeFrom, type TrainFlags, wholeNumber } from './options.js';
import type { Resumed } from './resume.js';
import { type Session, withSession } from './session.js';

const DESCRIPTIONS: Record<Norm, string> = {
  scratch: 'train with the batch normalization layer written from scratch',
  builtin: 'train with tf.layers.batchNormalization',
  none: 'train without batch normalization',
};

export function trainCommand(norm: Norm): Command {
  const command = new Command(norm).description(DESCRIPTIONS[norm]);
  return addPlaceOptions(addRecipeOptions(command))
    .option(
      '--seed <n>',
      `decides weights and order, 0 to ${LARGEST_SEED} (default: random)`,
      wholeNumber(0, LARGEST_SEED),
    )
    .option('--run-dir <folder>', 'keep the run here; new or empty (default: runs/<date-time>-<norm>)', folder)
    .option('--resume <folder>', 'go on with a run, with its own options; --epochs may be more', folder)
    .option('--checkpoint-steps <n>', 'a checkpoint every so many steps too, not only every epoch', wholeNumber(1))
    .option('--json', 'print one JSON object instead of lines')
    .action((flags: TrainFlags) =>
      withSession(flags, (session) =>
        flags.resume === undefined ? begin(norm, flags, session) : goOn(norm, flags.resume, flags, session),
      ),
    );
}

async function begin(norm: Norm, flags: TrainFlags, session: Session): Promise<void> {
  const { withNewRunFolder } = await import('../run/folder.js');
  await withNewRunFolder(norm, flags.runDir, (folder) => run(folder, beginning(norm, flags), flags, session));
}

async function goOn(norm: Norm, folder: string, flags: TrainFlags, session: Session): Promise<void> {
  const [{ assertRun, readRun }, { holdRunFolder }] = await Promise.all([
    import('./resume.js'),
    import('../run/folder.js'),
  ]);
  await assertRun(folder, norm);
  await holdRunFolder(folder, async () => {
    const resumed = await readRun(folder, flags, session.terminal);
    const { backend, mode, deterministic = false } = resumed.config;
    const how = { eager: mode === 'eager', fuse: mode === 'fused' };
    const own = { ...flags, ...how, backend, device: resumed.device, deterministic };
    await run(folder, resumed.config, own, session, resumed);
  });
}

/** Opens what the run needs, trains, and prints the result on stdout. */
async function run(
  folder: string,
  options: RunOptions,
  flags: TrainFlags,
  { terminal, signal, saves }: Session,
  resumed?: Resumed,
): Promise<void> {
  const { norm, seed } = options;
  const [
    { assertCalls, assertXla, configOf, recordedRun },
    { assertBatch, defaultMode },
    { assertOwnData },
    { assertTakes },
    { openReady },
    { describeData, loadFashionMnist },
    { textChart },
    { chartTitle, svgChart },
  ] = await Promise.all([
    import('../run/recordedRun.js'),
    import('../train/step.js'),
    import('../run/config.js'),
    import('../nn/lenet.js'),
    import('../runtime/open.js'),
    import('../data/fashionMnist.js'),
    import('../report/chart.js'),
    import('../report/svgChart.js'),
  ]);
  // Told before anything is installed or fetched; what depends on what is found there is looked at again.
  assertBatch(norm !== 'none', options.batchSize);
  const asked = { mode: flags.eager ? 'eager' : 'graph', backend: flags.backend } as const;
  assertXla({ ...options, ...asked });
  assertCalls({ ...flags, ...asked });
  const backend = await openReady(flags, { listener: terminal, signal });
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  if (resumed) assertOwnData(folder, resumed.config, data);
  const { height, width } = data.train;
  assertTakes({ classes: data.classes, height, width });
  signal.throwIfAborted();
  if (flags.anyData) terminal.notice(`${data.name}: ${describeData(data)}`);
  terminal.notice(
    `${norm}: seed ${seed}, ${backendLine(backend)}, ${os.availableParallelism()} cores; run folder ${folder}`,
  );
  const mode = flags.eager ? 'eager' : defaultMode({ xla: options.xla === true, fuse: flags.fuse });
  const now = configOf(options, backend, mode, data);
  const { config, change } = resumed?.goingOnAt(now) ?? { config: now, change: undefined };
  if (change !== undefined) terminal.notice(change);
  saves();
  const result = await recordedRun({
    ...{ folder, config, data, signal, from: resumed?.checkpoint },
    onEvent: (event) => terminal.train(event),
    notice: terminal.notice,
    chart: (epochs) => svgChart(epochs, chartTitle(data.name, options)),
  });
  const { epochs, final } = result;
  const own = flags.anyData ? ` --any-data --data-dir ${quoted(flags.dataDir ?? '')}` : '';
  if (!final)
    return terminal.notice(`kept in ${folder}; to go on: ${toType(`${norm} --resume ${quoted(folder)}${own}`)}`);
  terminal.notice('', ...textChart(epochs, terminal.columns()), '');
  if (norm !== 'none') terminal.notice(`to see what was learned: ${toType(`inspect-gamma ${quoted(folder)}`)}`);
  terminal.notice(`to look at it in a browser: ${toType(`report --open ${quoted(folder)}`)}`);
  const { name, device, fallback } = backend;
  const about = { norm, backend: name, device, fallback, mode: result.mode, seed };
  if (flags.json) terminal.printJson({ ...about, epochs, final, runDirectory: folder });
  else terminal.print(...finalLines(final, device));
}

function beginning(norm: Norm, flags: TrainFlags): RunOptions {
  const { seed = randomInt(LARGEST_SEED), checkpointSteps } = flags;
  return { ...recipeFrom(flags), norm, seed, checkpointSteps };
}

/** `bn-train fold`: a run's model without batch normalization, for use elsewhere, and what that changes. */
import * as path from 'node:path';
import { Command } from 'commander';
import { addPlaceOptions, folder, type PlaceOptions } from './options.js';
import { aboutRun, openSavedRun } from './savedRun.js';
import { type Session, withSession } from './session.js';

interface FoldFlags extends PlaceOptions {
  onnx?: boolean;
  savedModel?: boolean;
  output?: string;
  json?: boolean;
}

export function foldCommand(): Command {
  const command = new Command('fold')
    .description("fold a run's batch normalization into its convolutions and dense layers, for use elsewhere")
    .argument('[run]', 'run folder (default: the newest in ./runs)', folder);
  return addPlaceOptions(command)
    .option('--onnx', 'write model.onnx, too')
    .option('--saved-model', "write saved_model/, TensorFlow's SavedModel to be served, too")
    .option('--output <folder>', 'write into this new folder (default: folded, in the run folder)', folder)
    .option('--json', 'print JSON')
    .action((named: string | undefined, flags: FoldFlags) =>
      withSession(flags, (session) => run(named, flags, session)),
    );
}

async function run(named: string | undefined, flags: FoldFlags, session: Session): Promise<void> {
  const { terminal, signal } = session;
  const [{ assertNew, foldRun }, { foldLines }, { runLine }] = await Promise.all([
    import('../export/foldedRun.js'),
    import('../report/foldLines.js'),
    import('../report/lines.js'),
  ]);
  const outputOf = (run: string) => flags.output ?? path.join(run, 'folded');
  const saved = await openSavedRun(named, flags, session, (run) => assertNew(outputOf(run)));
  const { config, model, data, position } = saved;
  const output = outputOf(saved.run);
  if (config.norm === 'none') terminal.notice('there is no batch normalization to fold; the model stays as it is');
  const { onnx = false, savedModel = false } = flags;
  const folded = await foldRun(model, data.test, { output, onnx, savedModel, signal, listener: terminal });
  if (flags.json) return terminal.printJson({ ...aboutRun(saved), ...folded, output });
  const { name, device } = saved.backend;
  const place = { output, device: `${name} backend, ${device}`, columns: terminal.resultColumns() };
  terminal.print(runLine(saved.run, config, position), ...foldLines(folded, place));
}

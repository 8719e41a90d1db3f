/** `bn-train study`: what batch normalization does, held against many small runs. */
import { Command, Option } from 'commander';
import { addFolder, addPlaceOptions, folder, wholeNumber } from '../options.js';
import { withSession } from '../session.js';
import type { StudyFlags } from './openStudy.js';

export function studyCommand(): Command {
  const command = new Command('study')
    .description('measure what batch normalization does: claims from the literature, each held against many small runs')
    .argument('[claim...]', 'which claims (default: all; --list names them)')
    .option('--list', 'name the claims and what they cost, and run nothing')
    .option('--quick', 'a quick look of a few minutes: fewer and shorter trials, wider margins of chance')
    .addOption(
      new Option(
        '--shard <part>',
        "compute a part of the trials: i/n, or auto[/n] in an array of Slurm's or Kubernetes'",
      ),
    )
    .addOption(
      new Option('--merge <folder...>', 'join the trials of other study folders, and judge them')
        .argParser(addFolder)
        .conflicts(['shard', 'list', 'jobs']),
    )
    .option(
      '--jobs <n>',
      'trials at once, each with one thread (default: as many as there are cores)',
      wholeNumber(1, 1024),
    )
    .option('--study-dir <folder>', 'where trials are kept, and a study goes on', folder, 'study');
  return addPlaceOptions(command)
    .option('--json', 'print one JSON object instead of lines')
    .action((claims: string[], flags: StudyFlags) =>
      withSession(flags, async (session) => {
        const { runStudy } = await import('./runStudy.js');
        return runStudy(claims, flags, session);
      }),
    );
}

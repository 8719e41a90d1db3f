/** `bn-train compare`: no, own and built-in batch normalization from the same seeds, in one table. */
import { Command } from 'commander';
import { LARGEST_SEED } from '../../run/seed.js';
import { addPlaceOptions, addRecipeOptions, folder, type RecipeFlags, wholeNumber } from '../options.js';
import { withSession } from '../session.js';

export interface CompareFlags extends RecipeFlags {
  seeds?: number;
  seed?: number;
  turns: number;
  everySeed?: boolean;
  runDir?: string;
  resume?: string;
  json?: boolean;
}

export function compareCommand(): Command {
  const command = new Command('compare')
    .description('train without, with own and with built-in batch normalization from the same seeds, and compare')
    .option('--seeds <n>', 'how many seeds (default: 5)', wholeNumber(1, 1000))
    .option('--seed <n>', 'the first of them (default: 1)', wholeNumber(0, LARGEST_SEED - 1000));
  return addPlaceOptions(addRecipeOptions(command))
    .option('--turns <n>', 'turns that measure which layer is faster; 0 leaves that out', wholeNumber(0), 7)
    .option('--every-seed', "print each seed's figures, too")
    .option('--run-dir <folder>', 'keep the comparison here; new or empty (default: runs/<date-time>-compare)', folder)
    .option('--resume <folder>', 'go on with a comparison, with its own options; --seeds may be more', folder)
    .option('--json', 'print one JSON object instead of a table')
    .action((flags: CompareFlags) =>
      withSession(flags, async (session) => {
        const { beginComparison, resumeComparison } = await import('./runCompare.js');
        if (flags.resume === undefined) return beginComparison(flags, session);
        return resumeComparison(flags.resume, flags, session);
      }),
    );
}

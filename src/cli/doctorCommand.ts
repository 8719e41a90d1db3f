/** `bn-train doctor`: what this machine has, which backend would be chosen and why, and what is missing. */
import { Command } from 'commander';
import { doctorLines } from '../report/doctorLines.js';
import { runtimeDirOption, type SessionFlags } from './options.js';
import { withSession } from './session.js';
import { toType } from '../common/invocation.js';

interface DoctorFlags extends SessionFlags {
  runtimeDir?: string;
  json?: boolean;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('show what this machine has, which backend would be chosen and why, and what is missing')
    .addOption(runtimeDirOption())
    .option('--json', 'print JSON')
    .action((flags: DoctorFlags) =>
      withSession(flags, async ({ terminal, signal }) => {
        const [{ diagnose }, { findFashionMnist }] = await Promise.all([
          import('../runtime/doctor.js'),
          import('../data/fashionMnist.js'),
        ]);
        const diagnosis = await diagnose({ runtimeDir: flags.runtimeDir, signal });
        const data = await findFashionMnist();
        diagnosis.facts.push({ label: 'data set', value: data ?? 'not here yet' });
        if (data === undefined) diagnosis.missing.push({ what: 'Fashion-MNIST', command: toType('data') });
        if (flags.json) terminal.printJson(diagnosis);
        else terminal.print(...doctorLines(diagnosis));
      }),
    );
}

/** `bn-train doctor`: what this machine has, which backend would be chosen and why, and what is missing. */
import * as path from 'node:path';
import { Command } from 'commander';
import { doctorLines } from '../report/doctorLines.js';
import { runtimeDirOption, type SessionFlags } from './options.js';
import { withSession } from './session.js';
import type { Diagnosis } from '../runtime/doctor.js';
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
        diagnosis.facts.push({ label: 'fused kernels', value: await describeKernels(diagnosis.choice, signal) });
        const data = await findFashionMnist();
        diagnosis.facts.push({ label: 'data set', value: data ?? 'not here yet' });
        if (data === undefined) diagnosis.missing.push({ what: 'Fashion-MNIST', command: toType('data') });
        if (flags.json) terminal.printJson(diagnosis);
        else terminal.print(...doctorLines(diagnosis));
      }),
    );
}

/** In ms; a doctor is not waited for as long as a training run. */
const PATIENCE = 10_000;

/** Where kernels are kept and what compiles them, as a trial shows; or why steps would not be fused. */
async function describeKernels({ backend, device }: Diagnosis['choice'], signal: AbortSignal): Promise<string> {
  if (backend !== 'native' || device !== 'cpu') return 'none: they are for the native backend on the CPU';
  const { buildLibrary } = await import('../graph/fuse/library.js');
  const trial = await buildLibrary(['// nothing'], { signal, timeout: PATIENCE });
  if ('reason' in trial) return `none, which is slower: ${trial.reason}`;
  return `${path.dirname(path.dirname(trial.library))}, compiled by ${trial.compiler}`;
}

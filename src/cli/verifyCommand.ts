/** `bn-train verify`: checks the layer on this machine. */
import { Command } from 'commander';
import { cannot } from '../common/errors.js';
import { formatSeconds } from '../common/format.js';
import { toType } from '../common/invocation.js';
import { CheckTable, checkSummary } from '../report/checks.js';
import { backendLine } from '../report/lines.js';
import type { BackendInfo } from '../runtime/open.js';
import type { Subject } from '../verify/check.js';
import type { CheckResult } from '../verify/verify.js';
import { addBackendOptions, type BackendOptions } from './options.js';
import { type Session, withSession } from './session.js';
import { whyUnfused } from './whyUnfused.js';

interface VerifyFlags extends BackendOptions {
  json?: boolean;
}

export function verifyCommand(): Command {
  const command = new Command('verify').description(
    'check the batch normalization layer on this machine: against float64, the built-in layer, published values',
  );
  return addBackendOptions(command)
    .option('--json', 'print JSON')
    .action((flags: VerifyFlags) => withSession(flags, (session) => runChecks(flags, session)));
}

/** Prints the table, or one JSON object. Throws a BnTrainError when a check fails. */
async function runChecks(flags: VerifyFlags, { terminal, signal }: Session): Promise<void> {
  const { openReady } = await import('../runtime/open.js');
  // The bounds are those of float32.
  const backend = await openReady({ ...flags, tf32: false }, { listener: terminal, signal });
  const [{ compileSteps }, { batchNorm }, { BatchNorm }, { allChecks, verify }] = await Promise.all([
    import('../graph/compile.js'),
    import('../nn/batchNorm.js'),
    import('../nn/layer.js'),
    import('../verify/verify.js'),
  ]);
  const subject: Subject = { batchNorm, BatchNorm };
  if (backend.name === 'native') Object.assign(subject, { compileSteps, unfused: await whyUnfused(compileSteps) });
  const started = performance.now();
  const checks = allChecks();
  const table = new CheckTable(
    checks.map(({ name }) => name),
    terminal.resultColumns(),
  );
  const results: CheckResult[] = [];
  if (!flags.json) terminal.print(...table.header());
  for await (const result of verify(checks, subject, signal)) {
    results.push(result);
    if (!flags.json) terminal.print(...table.row(result));
  }
  const seconds = (performance.now() - started) / 1000;
  const { name, device, tensorflow, fallback } = backend;
  const about = { backend: name, device, tensorflow, fallback };
  if (flags.json) terminal.printJson({ ...about, seconds, checks: results.map(flat) });
  else terminal.print(`${checkSummary(results)}: ${backendLine(backend)}, ${formatSeconds(seconds)}`);
  assertAllPassed(results, name);
}

/** Throws a BnTrainError that names the checks that failed, if any. */
export function assertAllPassed(results: CheckResult[], name: BackendInfo['name']): void {
  const failed = results.filter(({ verdict }) => verdict === 'fail');
  if (failed.length > 0)
    throw cannot('vouch for batch normalization', {
      expected: 'every check within its tolerance',
      got: `${failed.length} beyond: ${failed.map((result) => result.name).join('; ')}`,
      hint: `to see whether the backend is at fault: ${toType(`verify --backend ${name === 'js' ? 'wasm' : 'js'}`)}`,
    });
}

function flat({ worst, ...rest }: CheckResult): object {
  return { ...rest, ...worst };
}

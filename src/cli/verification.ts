/** The checks of the layer, from their flags to their table. */
import { cannot } from '../common/errors.js';
import { formatSeconds } from '../common/format.js';
import { compileStep } from '../graph/compile.js';
import { batchNorm } from '../nn/batchNorm.js';
import { BatchNorm } from '../nn/layer.js';
import { CheckTable, checkSummary } from '../report/checks.js';
import { Terminal } from '../report/terminal.js';
import type { BackendInfo } from '../runtime/open.js';
import type { Subject } from '../verify/check.js';
import { allChecks, type CheckResult, verify } from '../verify/verify.js';
import type { VerifyFlags } from './options.js';
import { interruptSignal } from './session.js';

/** Prints the table, or one JSON object. Throws a BnTrainError when a check fails. */
export async function runVerification(flags: VerifyFlags): Promise<void> {
  const signal = interruptSignal();
  // The bounds are those of float32.
  const listener = new Terminal({ quiet: flags.quiet ?? false });
  const { openReady } = await import('../runtime/open.js');
  const backend = await openReady({ ...flags, tf32: false }, { listener, signal });
  const subject: Subject = { batchNorm, BatchNorm, ...(backend.name === 'native' && { compileStep }) };
  const started = performance.now();
  const checks = allChecks();
  const table = new CheckTable(checks.map(({ name }) => name));
  const results: CheckResult[] = [];
  if (!flags.json) console.log(table.header());
  for await (const result of verify(checks, subject, signal)) {
    results.push(result);
    if (!flags.json) console.log(table.row(result));
  }
  const seconds = (performance.now() - started) / 1000;
  const { name, device, tensorflow } = backend;
  if (flags.json)
    console.log(JSON.stringify({ backend: name, device, tensorflow, seconds, checks: results.map(flat) }));
  else console.log(`${checkSummary(results)}: ${describe(backend)}, ${formatSeconds(seconds)}`);
  assertAllPassed(results, name);
}

/** Throws a BnTrainError that names the checks that failed, if any. */
export function assertAllPassed(results: CheckResult[], name: BackendInfo['name']): void {
  const failed = results.filter(({ verdict }) => verdict === 'fail');
  if (failed.length > 0)
    throw cannot('vouch for batch normalization', {
      expected: 'every check within its tolerance',
      got: `${failed.length} beyond: ${failed.map((result) => result.name).join('; ')}`,
      hint: `to see whether the backend is at fault: bn-train verify --backend ${name === 'js' ? 'wasm' : 'js'}`,
    });
}

function flat({ worst, ...rest }: CheckResult): object {
  return { ...rest, ...worst };
}

function describe({ name, device, tensorflow }: BackendInfo): string {
  return `${name} backend on ${device}${tensorflow === undefined ? '' : `, TensorFlow ${tensorflow}`}`;
}

/** Runs the checks of a batch normalization layer; yields results and prints nothing. */
import * as tf from '@tensorflow/tfjs';
import { messageOf } from '../common/errors.js';
import { breathe } from '../train/evaluate.js';
import { agreementChecks } from './checks/agreement.js';
import { builtinChecks } from './checks/builtin.js';
import { type Check, type Subject, type Worst, worst } from './check.js';
import { compiledChecks } from './checks/compiled.js';
import { differenceChecks } from './checks/differences.js';
import { modeChecks } from './checks/modes.js';
import { publishedChecks } from './checks/published.js';
import { savedChecks } from './checks/saved.js';
import { stepChecks } from './checks/steps.js';

export interface CheckResult extends Pick<Check, 'name' | 'source'> {
  verdict: 'pass' | 'fail' | 'not applicable';
  /** The worst pair of numbers, where numbers were compared. */
  worst?: Worst;
  /** Why not applicable, or what was thrown. */
  reason?: string;
}

/** All checks, for the backend in use. */
export function allChecks(): Check[] {
  return [
    ...agreementChecks(),
    ...differenceChecks(),
    ...modeChecks(),
    ...builtinChecks(),
    ...compiledChecks(),
    ...savedChecks(),
    ...stepChecks(),
    ...publishedChecks(),
  ];
}

/** Runs the checks in order, each to its end; a subject that throws has failed the check. Stops, rejecting, on `signal`. */
export async function* verify(checks: Check[], subject: Subject, signal?: AbortSignal): AsyncGenerator<CheckResult> {
  for (const check of checks) {
    await breathe(signal);
    yield await runCheck(check, subject);
  }
}

async function runCheck({ notApplicable, run, ...named }: Check, subject: Subject): Promise<CheckResult> {
  const reason = notApplicable?.(subject);
  if (reason !== undefined) return { ...named, verdict: 'not applicable', reason };
  tf.engine().startScope(named.name);
  try {
    const found = worst(await run(subject));
    return { ...named, verdict: found.error <= found.tolerance ? 'pass' : 'fail', worst: found };
  } catch (error) {
    return { ...named, verdict: 'fail', reason: messageOf(error) };
  } finally {
    tf.engine().endScope();
  }
}

/** Runs the checks of a batch normalization layer; yields results and prints nothing. */
import * as tf from '@tensorflow/tfjs';
import { messageOf } from '../errors.js';
import { breathe } from '../train/evaluate.js';
import { agreementChecks } from './agreement.js';
import { builtinChecks } from './builtin.js';
import { type Check, type Subject, type Worst, worst } from './check.js';
import { compiledChecks } from './compiled.js';
import { differenceChecks } from './differences.js';
import { modeChecks } from './modes.js';
import { publishedChecks } from './published.js';
import { savedChecks } from './saved.js';

export interface CheckResult {
  name: string;
  /** Where the expected values are from, if another project states them. */
  source?: string;
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

async function runCheck({ name, source, notApplicable, run }: Check, subject: Subject): Promise<CheckResult> {
  const named = { name, ...(source !== undefined && { source }) };
  const reason = notApplicable?.(subject);
  if (reason !== undefined) return { ...named, verdict: 'not applicable', reason };
  tf.engine().startScope(name);
  try {
    const found = worst(await run(subject));
    return { ...named, verdict: found.error <= found.tolerance ? 'pass' : 'fail', worst: found };
  } catch (error) {
    return { ...named, verdict: 'fail', reason: messageOf(error) };
  } finally {
    tf.engine().endScope();
  }
}

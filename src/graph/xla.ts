/** What XLA does not do as TensorFlow does, said before or after it is asked to. */
import { cannot, messageOf } from '../common/errors.js';
import type { Graph } from './graph.js';
import { RANDOM } from './rewrite/editor.js';

const HINT = 'leave xla out for this step';

/** Throws a BnTrainError for a random op, whose seed XLA ignores. */
export function assertCompilable({ nodes }: Graph): void {
  if (nodes.some(({ op }) => op === RANDOM))
    throw cannot('compile the step with XLA', {
      expected: 'no random op, as XLA ignores seeds',
      got: RANDOM,
      hint: `draw outside and make it an input, or ${HINT}`,
    });
}

/** Runs a step that XLA compiles when it first runs; throws a BnTrainError naming an op that XLA does not have. */
export function explaining<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const [, op] = /unsupported operations .*?: (\w+) \(No registered/s.exec(messageOf(error)) ?? [];
    if (op === undefined) throw error;
    throw cannot('compile the step with XLA', { expected: 'ops that it has', got: op, hint: HINT, cause: error });
  }
}

/** Why functions of a model run op by op. */
import { BnTrainError, cannot } from '../../common/errors.js';
import type { Kind } from './calls.js';
import { reasonOf } from './culprit.js';

const WORDS: Record<Kind, string> = { train: 'training', test: 'evaluation', predict: 'prediction' };

/** What could be compiled, and is not. */
export class Limit extends Error {}

export class Refusals {
  private readonly reasons = new Map<Kind, BnTrainError>();

  /** A strict one throws what it is to keep. */
  constructor(
    private readonly model: string,
    private readonly isStrict: boolean,
  ) {}

  get(kind: Kind): BnTrainError | undefined {
    return this.reasons.get(kind);
  }

  add(kind: Kind, cause: unknown): void {
    const why = cannot(`accelerate the ${WORDS[kind]} of ${this.model}`, {
      expected: 'what one graph can hold',
      got: reasonOf(cause),
      hint: 'leave strict out, and it runs op by op',
      cause,
    });
    if (this.isStrict) throw cause instanceof BnTrainError || cause instanceof Limit ? why : cause;
    this.reasons.set(kind, why);
  }
}

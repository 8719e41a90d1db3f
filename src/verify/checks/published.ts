/** The function and the layer against values that other projects publish. */
import { analysisOf, evaluate } from '../apply.js';
import type { Shift } from '../bounds/analysis.js';
import type { Bounded } from '../bounds/bounded.js';
import { type Case, freshVectors } from '../cases.js';
import { type Check, type Comparison, type Subject, within } from '../check.js';
import { OTHERS } from '../published/others.js';
import type { Published, Stated } from '../published/publishedCase.js';
import { KERAS_FIT, TENSORFLOW_JS } from '../published/tensorflowJs.js';
import { kerasFit } from '../runs.js';
import { flatten, trainEagerly } from '../trainingRun.js';

export function publishedChecks(): Check[] {
  return [
    ...[...TENSORFLOW_JS, ...OTHERS].map((published) => ({
      name: `published: ${published.name}`,
      source: published.source,
      run: ({ batchNorm }: Subject) => compare(batchNorm, published),
    })),
    { name: `published: ${KERAS_FIT.name}`, source: KERAS_FIT.source, run: fit },
  ];
}

/** What float32 makes of a stated number. */
const read = (value: number): Bounded => ({ value, error: Math.abs(Math.fround(value) - value) });

function caseOf(published: Published): Case {
  const { name, shape, x, dy = x.map(() => 0), epsilon, momentum = 0 } = published;
  const { gamma, beta, movingMean, movingVariance } = { ...freshVectors(shape.at(-1) ?? 0), ...published };
  return { name, shape, x, dy, vectors: { gamma, beta, movingMean, movingVariance }, epsilon, momentum };
}

/**
 * Allowed is this project's bound, the bound of the program that gave the values where that was a float32 one (which
 * works on its data unshifted), and how precisely the values are stated.
 */
function compare(batchNorm: Subject['batchNorm'], published: Published): Comparison[] {
  const example = caseOf(published);
  const biased = evaluate(batchNorm, example, published.training);
  const unbiasedMovingVariance = [...biased.movingVariance].map((value, c) => unbiased(value, example, c));
  const got = { ...biased, unbiasedMovingVariance };
  const programs: Shift[] = published.exact ? ['first example'] : ['first example', 'none'];
  const bounds = programs.map((shift) => boundsOf(example, published.training, shift));
  return published.states.map(({ of, values, within: precision }) => {
    const stated = values.map((value) => ({ value, error: precision }));
    return within(of, values, got[of], stated, ...bounds.map((bound) => bound[of]));
  });
}

/** The moving variance that PyTorch would keep: its batch part is n/(n − 1) of the biased one. */
function unbiased(value: number, { x, vectors, momentum }: Case, c: number): number {
  const values = x.length / vectors.gamma.length;
  const kept = momentum * (vectors.movingVariance[c] ?? NaN);
  return kept + ((value - kept) * values) / (values - 1);
}

function boundsOf(example: Case, training: boolean, shift: Shift): Record<Stated['of'], Bounded[]> {
  const bounds = analysisOf(example, training, shift, read);
  const values = example.x.length / example.vectors.gamma.length;
  const stretched = bounds.movingVariance.map(({ value, error }) => ({
    value,
    error: (error * values) / (values - 1),
  }));
  return { ...bounds, unbiasedMovingVariance: stretched };
}

function fit({ BatchNorm }: Subject): Comparison[] {
  const { run, own, unshifted } = kerasFit();
  const got = trainEagerly(run, new BatchNorm({ epsilon: run.epsilon, momentum: run.momentum }));
  return [within('weights and loss', flatten(KERAS_FIT.end), got, own, unshifted)];
}

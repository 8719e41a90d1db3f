/** The function and the layer against values that other projects publish. */
import { boundsOf, evaluate, modeOf } from '../apply.js';
import { analyse, type Layout, vectorsOf } from '../bounds/analysis.js';
import type { Bounded } from '../bounds/bounded.js';
import type { Case } from '../cases.js';
import type { Check, Comparison, Subject } from '../check.js';
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

function caseOf({ name, shape, x, dy, epsilon, momentum = 0, ...vectors }: Published): Case {
  const channels = shape.at(-1) ?? 0;
  const {
    gamma = Array<number>(channels).fill(1),
    beta = Array<number>(channels).fill(0),
    movingMean = Array<number>(channels).fill(0),
    movingVariance = Array<number>(channels).fill(1),
  } = vectors;
  return {
    name,
    shape,
    x,
    dy: dy ?? x.map(() => 0),
    vectors: { gamma, beta, movingMean, movingVariance },
    epsilon,
    momentum,
  };
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
  const own = bounds(published, 'first example');
  const theirs = published.exact ? undefined : bounds(published, 'none');
  return published.states.map(({ of, values, within }) => ({
    of,
    expected: values,
    got: got[of],
    tolerance: values.map((_, i) => within + (own[of][i]?.error ?? NaN) + (theirs ? (theirs[of][i]?.error ?? NaN) : 0)),
  }));
}

/** The moving variance that PyTorch would keep: its batch part is n/(n − 1) of the biased one. */
function unbiased(value: number, { x, vectors, momentum }: Case, c: number): number {
  const values = x.length / vectors.gamma.length;
  const kept = momentum * (vectors.movingVariance[c] ?? NaN);
  return kept + ((value - kept) * values) / (values - 1);
}

function bounds(published: Published, shift: Layout['shift'] & string): Record<Stated['of'], Bounded[]> {
  const example = caseOf(published);
  const vectors = vectorsOf(example.vectors, read);
  const layout = { shape: example.shape, shift };
  const analysis = analyse(example.x.map(read), layout, vectors, modeOf(example, published.training));
  const values = example.x.length / vectors.gamma.length;
  const stretched = analysis.movingVariance.map(({ value, error }) => ({
    value,
    error: (error * values) / (values - 1),
  }));
  return { ...boundsOf(analysis, example.dy), unbiasedMovingVariance: stretched };
}

function fit({ BatchNorm }: Subject): Comparison[] {
  const { run, own, unshifted } = kerasFit();
  const got = trainEagerly(run, new BatchNorm({ epsilon: run.epsilon, momentum: run.momentum }));
  const tolerance = own.map((bound, i) => bound + (unshifted[i] ?? NaN));
  return [{ of: 'weights and loss', expected: flatten(KERAS_FIT.end), got: flatten(got), tolerance }];
}

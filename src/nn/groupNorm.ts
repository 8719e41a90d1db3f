/** Group normalization as mathematics: no state, one hand-derived gradient (Wu & He 2018, arXiv 1803.08494). */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';

export interface GroupNormOptions {
  /** Into how many groups of as many neighbouring channels each example is cut; 1 is layer normalization. */
  groups: number;
  /** Added to the variance; greater than 0. Default 1e-5. */
  epsilon?: number;
}

/**
 * y = γ·(x − mean)/√(variance + ε) + β, with the mean and the biased variance of each example's group of channels over all
 * positions: the same in training and inference, and whatever the other examples are.
 *
 * `x` is [batch, …, channels] of any rank from 2; `gamma` and `beta` are [channels]. Differentiable with respect to all
 * three, as are its gradients. Throws a BnTrainError for rank 0 or 1, vectors of another length than the channels, groups
 * that do not divide the channels, or ε ≤ 0.
 */
export function groupNorm<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor,
  beta: tf.Tensor,
  { groups, epsilon = 1e-5 }: GroupNormOptions,
): T {
  const channels = x.shape.at(-1) ?? 0;
  assertGroupOptions({ groups, epsilon });
  if (x.rank < 2)
    throw cannot('group-normalize', { expected: 'x of shape [batch, …, channels]', got: `[${x.shape.join(', ')}]` });
  for (const [name, { shape }] of Object.entries({ gamma, beta }))
    if (shape.length !== 1 || shape[0] !== channels)
      throw cannot('group-normalize', {
        expected: `${name} of shape [${channels}], one value per channel of x`,
        got: `[${shape.join(', ')}]`,
      });
  assertDivides(groups, channels);
  const cut = [x.shape[0], x.size / x.shape[0] / channels, groups, channels / groups];
  const perChannel = [1, 1, groups, channels / groups];
  const normalized = standardize(x.reshape(cut), epsilon);
  return normalized.mul(gamma.reshape(perChannel)).add(beta.reshape(perChannel)).reshape<T>(x.shape);
}

/** Throws unless groups and ε are such that some channels can be normalized by them. */
export function assertGroupOptions({ groups, epsilon }: Required<GroupNormOptions>): void {
  if (!(Number.isSafeInteger(groups) && groups >= 1))
    throw cannot('group-normalize', { expected: 'a whole number of groups', got: `${groups}` });
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw cannot('group-normalize', { expected: 'an epsilon greater than 0', got: `${epsilon}` });
}

/** Throws unless the groups are of one size each. */
export function assertDivides(groups: number, channels: number): void {
  if (channels % groups !== 0)
    throw cannot('group-normalize', {
      expected: `a number of groups that divides the ${channels} channels`,
      got: `${groups}`,
    });
}

/** Positions and the channels of a group. */
const AXES = [1, 3];

/**
 * x̂ = (x − mean)·r with r = 1/√(variance + ε), of x [batch, positions, groups, channels a group]. The statistics depend on
 * x, too, so that ∂x = r·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)).
 */
function standardize(x: tf.Tensor, epsilon: number): tf.Tensor {
  const centred = x.sub(x.mean(AXES, true));
  const r = centred.square().mean(AXES, true).add(epsilon).rsqrt();
  const own = centred.mul(r);
  // What the gradient needs comes from outside, and so keeps its own way back to x: it can be differentiated in its turn.
  const compute = (_x: tf.Tensor, save: tf.GradSaveFunc) => {
    save([own, r]);
    return {
      value: own.clone(),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [xHat, scale] = saved as [tf.Tensor, tf.Tensor];
        const along = xHat.mul(dy.mul(xHat).mean(AXES, true));
        return dy.sub(dy.mean(AXES, true)).sub(along).mul(scale);
      },
    };
  };
  return tf.customGrad(compute as Parameters<typeof tf.customGrad>[0])(x);
}

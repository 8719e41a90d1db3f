/** Batch normalization as mathematics: no state, no layer, one hand-derived gradient (Ioffe & Szegedy 2015, arXiv 1502.03167). */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';

export interface BatchNormOptions {
  /** True: normalize by the batch's statistics. False: by the moving ones. */
  training: boolean;
  /** Added to the variance; greater than 0. Default 1e-5. */
  epsilon?: number;
  /** Share of the old moving average that is kept, in [0, 1]. Default 0.9. */
  momentum?: number;
}

export interface BatchNormResult<T extends tf.Tensor> {
  y: T;
  movingMean: tf.Tensor1D;
  movingVariance: tf.Tensor1D;
}

/**
 * y = γ·(x − mean)/√(variance + ε) + β, channel by channel; channels are the last axis.
 *
 * `x` is [batch, …, channels] of any rank from 2, normalized over all axes but the last: [batch, channels] over the
 * batch, [batch, height, width, channels] over batch, height and width. `gamma`, `beta`, `movingMean` and
 * `movingVariance` are [channels].
 *
 * In training, mean and (biased) variance are the batch's, and the moving averages come back as
 * momentum·moving + (1 − momentum)·batch. In inference the moving ones normalize and come back unchanged.
 * Differentiable with respect to x, γ and β, as are its gradients.
 *
 * Throws a BnTrainError for rank 0 or 1, vectors of another length than the channels, a training batch with one value
 * per channel, ε ≤ 0, or a momentum outside [0, 1].
 */
export function batchNorm<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor,
  beta: tf.Tensor,
  movingMean: tf.Tensor,
  movingVariance: tf.Tensor,
  { training, epsilon = 1e-5, momentum = 0.9 }: BatchNormOptions,
): BatchNormResult<T> {
  assertHyperparameters({ epsilon, momentum });
  assertShapes(x, { gamma, beta, movingMean, movingVariance }, training);
  const moving = { movingMean: movingMean as tf.Tensor1D, movingVariance: movingVariance as tf.Tensor1D };
  if (!training) {
    const scale = gamma.mul(movingVariance.add(epsilon).rsqrt());
    return { y: x.sub(movingMean).mul(scale).add(beta), ...moving };
  }
  const statistics = batchStatistics(x);
  const average = (old: tf.Tensor, batch: tf.Tensor) => old.mul(momentum).add<tf.Tensor1D>(batch.mul(1 - momentum));
  return {
    y: normalize(x, gamma, beta, statistics, epsilon),
    movingMean: average(moving.movingMean, statistics.mean),
    movingVariance: average(moving.movingVariance, statistics.variance),
  };
}

/**
 * A batch seen as a matrix [batch, positions·channels]: the work per position then runs along long rows, and a mean over
 * the batch followed by one over positions adds few numbers at a time, which keeps float32 sums accurate and fast.
 */
class Rows {
  readonly channels: number;
  readonly positions: number;

  constructor(readonly x: tf.Tensor) {
    this.channels = x.shape[x.rank - 1] ?? 0;
    this.positions = x.size / this.channels / x.shape[0];
  }

  flat(t: tf.Tensor): tf.Tensor2D {
    return t.reshape([-1, this.positions * this.channels]);
  }

  /** [channels] → [positions·channels], to meet a flat row; tfjs's own gradient of it adds a slice per position. */
  spread(perChannel: tf.Tensor): tf.Tensor1D {
    if (this.positions === 1) return perChannel as tf.Tensor1D;
    const compute = (vector: tf.Tensor) => ({
      value: vector.tile([this.positions]),
      gradFunc: (dy: tf.Tensor) => dy.reshape([this.positions, this.channels]).sum(0),
    });
    return tf.customGrad(compute as Parameters<typeof tf.customGrad>[0])(perChannel) as tf.Tensor1D;
  }

  /** The mean over batch and positions of each channel. */
  mean(flat: tf.Tensor): tf.Tensor1D {
    const perPosition: tf.Tensor1D = flat.mean(0);
    return this.positions === 1 ? perPosition : perPosition.reshape([this.positions, this.channels]).mean(0);
  }
}

interface Statistics {
  mean: tf.Tensor1D;
  variance: tf.Tensor1D;
  /** x − shift, flat. */
  shifted: tf.Tensor2D;
  /** mean − shift. */
  offset: tf.Tensor1D;
}

/**
 * Mean and biased variance per channel, of data shifted near its mean first: E[x²] − E[x]² alone loses every digit of a
 * variance that is small beside the mean (Chan, Golub & LeVeque 1983). The shift is the first example's mean; whatever
 * the batch, N·variance ≥ offset², so the subtraction costs at most a factor N (the batch size) in relative accuracy.
 */
function batchStatistics(x: tf.Tensor): Statistics {
  const rows = new Rows(x);
  const flat = rows.flat(x);
  const shift = rows.mean(flat.slice([0, 0], [1, -1]));
  const shifted: tf.Tensor2D = flat.sub(rows.spread(shift));
  const offset = rows.mean(shifted);
  const variance: tf.Tensor1D = rows.mean(shifted.square()).sub(offset.square()).relu();
  return { mean: shift.add(offset), variance, shifted, offset };
}

/**
 * The normalized batch, with the gradient of the whole expression derived by hand (Ioffe & Szegedy 2015, section 3):
 * the statistics depend on x too, so with x̂ = (x − mean)·r, r = 1/√(variance + ε) and m values per channel
 *
 *   ∂β = Σ dy,   ∂γ = Σ dy·x̂,   ∂x = γ·r·(dy − ∂β/m − x̂·∂γ/m).
 *
 * What the gradient needs is computed before `customGrad`, which records nothing of what happens inside: a saved tensor
 * from outside keeps its way back to x and γ, so that the gradient can be differentiated in its turn.
 */
function normalize<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor,
  beta: tf.Tensor,
  { shifted, offset, variance }: Statistics,
  epsilon: number,
): T {
  const rows = new Rows(x);
  const values = x.size / rows.channels;
  const r = variance.add(epsilon).rsqrt();
  const scale = gamma.mul(r);
  const compute = (_x: tf.Tensor, _gamma: tf.Tensor, beta: tf.Tensor, save: tf.GradSaveFunc) => {
    save([shifted, offset, r, scale]);
    // γ·r·(shifted − offset) + β in two passes over the data.
    const y = shifted.mul(rows.spread(scale)).add(rows.spread(beta.sub(offset.mul(scale))));
    return {
      value: y.reshape(x.shape),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => gradient(rows, values, dy, saved),
    };
  };
  return tf.customGrad(compute as Parameters<typeof tf.customGrad>[0])(x, gamma, beta) as T;
}

function gradient(rows: Rows, values: number, dyShaped: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] {
  const [shifted, offset, r, scale] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  const dy = rows.flat(dyShaped);
  const meanDy = rows.mean(dy);
  const meanDyXHat = rows.mean(dy.mul(shifted)).sub(offset.mul(meanDy)).mul(r);
  // scale·(dy − meanDy − x̂·meanDyXHat), with x̂ = (shifted − offset)·r multiplied out to one term per full-size array.
  const slope = scale.mul(r).mul(meanDyXHat);
  const constant = offset.mul(slope).sub(scale.mul(meanDy));
  const dx = dy
    .mul(rows.spread(scale))
    .sub(shifted.mul(rows.spread(slope)))
    .add(rows.spread(constant));
  return [dx.reshape(rows.x.shape), meanDyXHat.mul(values), meanDy.mul(values)];
}

/** Throws unless ε > 0 and momentum is in [0, 1]. */
export function assertHyperparameters({ epsilon, momentum }: { epsilon: number; momentum: number }): void {
  if (!(epsilon > 0 && Number.isFinite(epsilon)))
    throw cannot('batch-normalize', { expected: 'an epsilon greater than 0', got: `${epsilon}` });
  if (!(momentum >= 0 && momentum <= 1))
    throw cannot('batch-normalize', { expected: 'a momentum from 0 to 1', got: `${momentum}` });
}

function assertShapes(x: tf.Tensor, vectors: Record<string, tf.Tensor>, training: boolean): void {
  if (x.rank < 2)
    throw cannot('batch-normalize', {
      expected: 'x of shape [batch, …, channels], of rank 2 or more',
      got: `rank ${x.rank}, shape [${x.shape.join(', ')}]`,
    });
  const channels = x.shape[x.rank - 1] ?? 0;
  for (const [name, vector] of Object.entries(vectors))
    if (vector.rank !== 1 || vector.size !== channels)
      throw cannot('batch-normalize', {
        expected: `${name} of shape [${channels}], one value per channel of x`,
        got: `[${vector.shape.join(', ')}]`,
      });
  const values = x.size / channels;
  if (training && !(values > 1))
    throw cannot('batch-normalize in training', {
      expected: 'at least 2 values per channel, as one value has no variance',
      got: `x of shape [${x.shape.join(', ')}]`,
      hint: 'use a larger batch, also for the last one of the epoch, or training: false',
    });
}

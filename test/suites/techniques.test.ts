/** Ways to train that people write by hand, each ten steps op by op and compiled. */
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { it } from 'vitest';
import { minimize, optimizerVariables } from '../../src/graph/optimizer.js';
import { sampleOf } from '../support/amount.js';
import { expectSameTraining, minimizing, normal, type Training } from './training.js';

const BATCH = 8;
const { losses, train } = tf;

type Matrix = tf.Tensor2D;
type Weights = tf.Variable<tf.Rank.R2>;

let seed = 0;
const weights = (rows: number, columns: number): Weights =>
  tf.variable(normal<tf.Rank.R2>([rows, columns], ++seed).mul(Math.sqrt(1 / rows)));
const like = (variables: tf.Variable[], trainable = false) =>
  variables.map((variable) => tf.variable(variable, trainable));
const counter = () => tf.variable(tf.scalar(0), false);
const x = (step: number, size = 4) => normal<tf.Rank.R2>([BATCH, size], step);
const y = (step: number, size = 3) => normal<tf.Rank.R2>([BATCH, size], 100 + step);
const labels = (step: number, below = 3) =>
  tf
    .randomUniform<tf.Rank.R1>([BATCH], 0, below, 'float32', 200 + step)
    .floor()
    .toInt<tf.Tensor1D>();
const uniform = (shape: number[], step: number) => tf.randomUniform(shape, 0.05, 0.95, 'float32', 300 + step);
const both = (step: number) => [x(step), y(step)];

/** One hidden layer. */
const mlp = (inputs: number, outputs: number) => [weights(inputs, 6), weights(6, outputs)] as [Weights, Weights];
const apply = ([first, second]: readonly [Matrix, Matrix], given: tf.Tensor) =>
  (given as Matrix).matMul(first).tanh().matMul(second);

/** The gradients of a loss of the variables, in their order, and its value. */
function gradients(loss: () => tf.Tensor, variables: tf.Variable[]): { value: tf.Scalar; grads: tf.Tensor[] } {
  const { value, grads } = tf.variableGrads(() => loss().asScalar(), variables);
  return { value, grads: variables.map(({ name }) => grads[name] as tf.Tensor) };
}

const descend = (variables: tf.Variable[], grads: tf.Tensor[], rate = 0.05) =>
  variables.forEach((variable, i) => variable.assign(variable.sub((grads[i] as tf.Tensor).mul(rate))));

const squares = (given: tf.Tensor, wanted: tf.Tensor) => losses.meanSquaredError<tf.Tensor, tf.Tensor>(wanted, given);

/** A step on one network and its mean squared error. */
function onNetwork(
  step: (net: [Weights, Weights], loss: () => tf.Tensor) => tf.Tensor[],
  more: tf.Variable[] = [],
): Training {
  const net = mlp(4, 3);
  return {
    variables: [...net, ...more],
    step: (given, wanted) => step(net, () => squares(apply(net, given), wanted)),
    inputs: both,
  };
}

function classifying(loss: (scores: tf.Tensor, label: tf.Tensor1D) => tf.Tensor): Training {
  const net = mlp(4, 3);
  return minimizing(((given: tf.Tensor, label: tf.Tensor1D) => loss(apply(net, given), label)) as never, {
    variables: net,
    inputs: (step) => [x(step), labels(step)],
  });
}

const TECHNIQUES: Record<string, () => Training> = {
  'a generator and a discriminator with an optimizer each': () => {
    const [maker, judge] = [mlp(2, 4), mlp(4, 1)];
    const [makers, judges] = [train.adam(0.01), train.rmsprop(0.01)];
    const cross = (is: number, scores: tf.Tensor) =>
      losses.sigmoidCrossEntropy(tf.fill(scores.shape, is), scores).asScalar();
    return {
      variables: [...maker, ...judge, ...optimizerVariables(makers, maker), ...optimizerVariables(judges, judge)],
      step: (real, noise) => {
        const judged = judges.minimize(
          () => cross(0.9, apply(judge, real as Matrix)).add(cross(0, apply(judge, apply(maker, noise as Matrix)))),
          true,
          judge,
        );
        const made = makers.minimize(() => cross(1, apply(judge, apply(maker, noise))), true, maker);
        return [judged as tf.Scalar, made as tf.Scalar];
      },
      inputs: (step) => [x(step), y(step, 2)],
    };
  },
  'gradients clipped by value': () =>
    onNetwork((net, loss) => {
      const { value, grads } = gradients(loss, net);
      descend(
        net,
        grads.map((gradient) => gradient.clipByValue(-0.05, 0.05)),
      );
      return [value];
    }),
  'gradients clipped by their global norm': () =>
    onNetwork((net, loss) => {
      const { value, grads } = gradients(loss, net);
      const norm = tf.addN(grads.map((gradient) => gradient.square().sum())).sqrt();
      const scale = tf.minimum(1, tf.div(0.3, norm));
      descend(
        net,
        grads.map((gradient) => gradient.mul(scale)),
      );
      return [value, norm];
    }),
  'weights averaged exponentially': () => {
    const average = like(mlp(4, 3));
    return onNetwork((net, loss) => {
      const { value, grads } = gradients(loss, net);
      descend(net, grads);
      average.forEach((mean, i) => mean.assign(mean.mul(0.9).add((net[i] as tf.Tensor).mul(0.1))));
      return [value];
    }, average);
  },
  'weights averaged over all steps': () => {
    const [steps, average] = [counter(), like(mlp(4, 3))];
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(loss, net);
        descend(net, grads);
        steps.assign(steps.add(1));
        average.forEach((mean, i) => mean.assign(mean.add((net[i] as tf.Tensor).sub(mean).div(steps))));
        return [value];
      },
      [steps, ...average],
    );
  },
  'a learning rate that is an input': () => {
    const net = mlp(4, 3);
    const adam = train.adam(1);
    return {
      variables: [...net, ...optimizerVariables(adam, net)],
      step: (given, wanted, rate) => [
        minimize(adam, rate as tf.Scalar, () => squares(apply(net, given as Matrix), wanted as Matrix).asScalar(), net),
      ],
      inputs: (step) => [x(step), y(step), tf.scalar(0.01 / (step + 1))],
    };
  },
  'a learning rate that warms up and falls as a cosine, by a counter': () => {
    const steps = counter();
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(loss, net);
        steps.assign(steps.add(1));
        const rate = tf.minimum(steps.div(3), steps.mul(Math.PI / 20).cos()).mul(0.05);
        net.forEach((variable, i) => variable.assign(variable.sub((grads[i] as tf.Tensor).mul(rate))));
        return [value, rate];
      },
      [steps],
    );
  },
  'gradients gathered over four runs': () => {
    const [steps, sums] = [counter(), like(mlp(4, 3))];
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(loss, net);
        steps.assign(steps.add(1));
        const due = steps.mod(4).equal(0).toFloat();
        net.forEach((variable, i) => {
          const sum = (sums[i] as tf.Variable).add(grads[i] as tf.Tensor);
          variable.assign(variable.sub(sum.mul(0.02).mul(due)));
          (sums[i] as tf.Variable).assign(sum.mul(tf.sub(1, due)));
        });
        return [value];
      },
      [steps, ...sums],
    );
  },
  'a scaled loss that skips steps which overflow': () => {
    const scale = tf.variable(tf.scalar(2 ** 124), false);
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(() => loss().mul(100).mul(scale), net);
        const finite = tf.stack(grads.map((gradient) => gradient.isFinite().all())).all();
        net.forEach((variable, i) => {
          const moved = variable.sub<Matrix>((grads[i] as tf.Tensor).div(scale).mul(0.0005));
          variable.assign(tf.where<Matrix>(finite, moved, variable));
        });
        scale.assign(tf.where<tf.Scalar>(finite, scale.mul(2), scale.mul(2 ** -40)));
        return [value.div(scale).isFinite().toFloat()];
      },
      [scale],
    );
  },
  'contrastive learning of two views': () => {
    const net = mlp(4, 3);
    const embed = (given: tf.Tensor) => {
      const z = apply(net, given);
      return z.div<Matrix>(z.norm(2, 1, true));
    };
    const loss = (a: tf.Tensor, b: tf.Tensor) => {
      const z = tf.concat([embed(a), embed(b)]);
      const alike = z
        .matMul(z, false, true)
        .div(0.5)
        .sub(tf.eye(2 * BATCH).mul(1e9));
      const partner = tf.concat([tf.eye(BATCH).reverse(0).reverse(0), tf.eye(BATCH)], 0);
      const wanted = tf.concat([
        tf.concat([tf.zeros([BATCH, BATCH]), tf.eye(BATCH)], 1),
        tf.concat([tf.eye(BATCH), tf.zeros([BATCH, BATCH])], 1),
      ]);
      return losses.softmaxCrossEntropy(wanted, alike).add(partner.sum().mul(0));
    };
    return minimizing(loss as never, { variables: net, inputs: (step) => [x(step), x(50 + step)] });
  },
  'smoothed one-hot labels': () =>
    classifying((scores, label) =>
      losses.softmaxCrossEntropy(
        tf
          .oneHot(label, 3)
          .toFloat()
          .mul(0.9)
          .add(0.1 / 3),
        scores,
      ),
    ),
  'a focal loss': () =>
    classifying((scores, label) => {
      const right = tf.oneHot(label, 3).toFloat().mul(scores.softmax()).sum(1);
      return tf.sub(1, right).square().mul(right.log()).neg().mean();
    }),
  'a loss over some of the batch': () =>
    classifying((scores, label) => {
      const mask = label.notEqual(0).toFloat();
      const each = scores.logSoftmax().mul(tf.oneHot(label, 3).toFloat()).sum(1).neg();
      return each.mul(mask).sum().div(mask.sum().add(1e-6));
    }),
  'class weights looked up by label': () =>
    classifying((scores, label) => {
      const each = scores.logSoftmax().mul(tf.oneHot(label, 3).toFloat()).sum(1).neg();
      return each.mul(tf.gather(tf.tensor1d([1, 2, 0.5]), label)).mean();
    }),
  'accuracy by argMax beside the loss': () => {
    const net = mlp(4, 3);
    const sgd = train.sgd(0.1);
    return {
      variables: [...net, ...optimizerVariables(sgd, net)],
      step: (given, label) => {
        const scores = () => apply(net, given);
        const hot = tf.oneHot(label as tf.Tensor1D, 3).toFloat();
        const loss = sgd.minimize(() => losses.softmaxCrossEntropy(hot, scores()).asScalar(), true, net) as tf.Scalar;
        return [
          loss,
          scores()
            .argMax(1)
            .equal(label as tf.Tensor1D)
            .mean(),
        ];
      },
      inputs: (step) => [x(step), labels(step)],
    };
  },
  'accuracy among the best two': () => ({
    variables: [],
    step: (scores, label) => {
      const { indices } = tf.topk(scores as Matrix, 2);
      return [
        indices
          .equal((label as tf.Tensor1D).expandDims(1))
          .any(1)
          .toFloat()
          .mean(),
      ];
    },
    inputs: (step) => [y(step, 5), labels(step, 5)],
  }),
  'a penalty on the gradient by the input': () => {
    const judge = [weights(4, 6), weights(6, 1)] as [Weights, Weights];
    const score = (given: tf.Tensor) => (given as Matrix).matMul(judge[0]).relu().matMul(judge[1]);
    const loss = (real: tf.Tensor, fake: tf.Tensor, between: tf.Tensor) => {
      const mixed = real.mul(between).add(fake.mul(tf.sub(1, between)));
      const norm = tf
        .grad((given) => score(given).sum())(mixed)
        .square()
        .sum(1)
        .add(1e-8)
        .sqrt();
      return score(fake).mean().sub(score(real).mean()).add(norm.sub(1).square().mean().mul(10));
    };
    return minimizing(loss as never, {
      variables: judge,
      inputs: (step) => [x(step), x(50 + step), uniform([BATCH, 1], step)],
      optimizer: train.adam(0.01, 0.5),
    });
  },
  'a teacher that stays as it is': () => {
    const [teacher, student] = [mlp(4, 3), mlp(4, 3)];
    const loss = (given: tf.Tensor) =>
      losses.softmaxCrossEntropy(apply(teacher, given).div(2).softmax(), apply(student, given).div(2));
    return minimizing(loss as never, {
      variables: [...teacher, ...student],
      trainable: student,
      inputs: (step) => [x(step)],
    });
  },
  'a mix of examples and of their labels': () => {
    const net = mlp(4, 3);
    const loss = (given: tf.Tensor, wanted: tf.Tensor, share: tf.Tensor) => {
      const mix = (values: tf.Tensor) => values.mul(share).add(values.reverse(0).mul(tf.sub(1, share)));
      return squares(apply(net, mix(given)), mix(wanted));
    };
    return minimizing(loss as never, { variables: net, inputs: (step) => [...both(step), uniform([BATCH, 1], step)] });
  },
  'triplets with a margin': () => {
    const net = mlp(4, 3);
    const loss = (...[anchor, near, far]: tf.Tensor[]) => {
      const distance = (other: tf.Tensor) =>
        apply(net, anchor as Matrix)
          .squaredDifference(apply(net, other))
          .sum(1);
      return distance(near as Matrix)
        .sub(distance(far as Matrix))
        .add(0.5)
        .relu()
        .mean();
    };
    return minimizing(loss as never, { variables: net, inputs: (step) => [x(step), x(50 + step), x(90 + step)] });
  },
  'a variational autoencoder whose noise is an input': () => {
    const [encoder, decoder] = [mlp(4, 4), mlp(2, 4)];
    const loss = (given: tf.Tensor, noise: tf.Tensor) => {
      const [mean, spread] = tf.split(apply(encoder, given), 2, 1) as [Matrix, Matrix];
      const z = mean.add(spread.mul(0.5).exp().mul(noise));
      const divergence = spread.exp().add(mean.square()).sub(1).sub(spread).sum(1).mean().mul(0.5);
      return squares(apply(decoder, z), given).add(divergence.mul(0.1));
    };
    return minimizing(loss as never, { variables: [...encoder, ...decoder], inputs: (step) => [x(step), y(step, 2)] });
  },
  'action values with a target network that follows': () => {
    const net = mlp(4, 3);
    const target = like(net) as [Weights, Weights];
    const adam = train.adam(0.01);
    return {
      variables: [...net, ...target, ...optimizerVariables(adam, net)],
      step: (state, next, action, reward) => {
        const wanted = (reward as tf.Tensor1D).add(
          apply(target, next as Matrix)
            .max(1)
            .mul(0.9),
        );
        const chosen = () =>
          apply(net, state as Matrix)
            .mul(tf.oneHot(action as tf.Tensor1D, 3).toFloat())
            .sum(1);
        const loss = adam.minimize(() => losses.huberLoss(wanted, chosen()).asScalar(), true, net) as tf.Scalar;
        target.forEach((old, i) => old.assign(old.mul(0.95).add((net[i] as Weights).mul(0.05))));
        return [loss];
      },
      inputs: (step) => [x(step), x(50 + step), labels(step), normal([BATCH], step)],
    };
  },
  'a policy by its returns': () => {
    const net = mlp(4, 3);
    const loss = (state: tf.Tensor, action: tf.Tensor1D, reward: tf.Tensor1D) => {
      const returns = reward.cumsum(0, false, true);
      const advantage = returns.sub(returns.mean()).div(tf.moments(returns).variance.sqrt().add(1e-6));
      const scores = apply(net, state).logSoftmax();
      const entropy = scores.exp().mul(scores).sum(1).mean().neg();
      return scores.mul(tf.oneHot(action, 3).toFloat()).sum(1).mul(advantage).mean().neg().sub(entropy.mul(0.01));
    };
    return minimizing(loss as never, {
      variables: net,
      inputs: (step) => [x(step), labels(step), normal([BATCH], step)],
    });
  },
  'a policy whose ratio is clipped': () => {
    const net = mlp(4, 3);
    const loss = (state: tf.Tensor, action: tf.Tensor1D, before: tf.Tensor, gain: tf.Tensor) => {
      const now = apply(net, state).logSoftmax().mul(tf.oneHot(action, 3).toFloat()).sum(1);
      const ratio = now.sub(before).exp();
      return tf.minimum(ratio.mul(gain), ratio.clipByValue(0.8, 1.2).mul(gain)).mean().neg();
    };
    return minimizing(loss as never, {
      variables: net,
      inputs: (step) => [x(step), labels(step), normal([BATCH], step).abs().neg(), normal([BATCH], 60 + step)],
    });
  },
  'minimization that looks around itself': () =>
    onNetwork((net, loss) => {
      const { grads } = gradients(loss, net);
      const norm = tf.addN(grads.map((gradient) => gradient.square().sum())).sqrt();
      const steps = grads.map((gradient) => gradient.mul(0.05).div(norm.add(1e-12)));
      net.forEach((variable, i) => variable.assign(variable.add(steps[i] as Matrix)));
      const { value, grads: around } = gradients(loss, net);
      net.forEach((variable, i) => variable.assign(variable.sub(steps[i] as Matrix)));
      descend(net, around);
      return [value];
    }),
  'slow weights that follow fast ones every third step': () => {
    const [steps, slow] = [counter(), like(mlp(4, 3))];
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(loss, net);
        descend(net, grads);
        steps.assign(steps.add(1));
        const due = steps.mod(3).equal(0);
        net.forEach((fast, i) => {
          const old = slow[i] as tf.Variable;
          const between = tf.where(due, old.add(fast.sub(old).mul(0.5)), old);
          fast.assign(tf.where<Matrix>(due, between as Matrix, fast));
          old.assign(between);
        });
        return [value];
      },
      [steps, ...slow],
    );
  },
  'Adam by hand, its weights decaying by themselves': () => {
    const [steps, first, second] = [counter(), like(mlp(4, 3)), like(mlp(4, 3))];
    for (const variable of [...first, ...second]) variable.assign(tf.zerosLike(variable));
    return onNetwork(
      (net, loss) => {
        const { value, grads } = gradients(loss, net);
        steps.assign(steps.add(1));
        net.forEach((variable, i) => {
          const [m, v, gradient] = [first[i], second[i], grads[i]] as [tf.Variable, tf.Variable, tf.Tensor];
          m.assign(m.mul(0.9).add(gradient.mul(0.1)));
          v.assign(v.mul(0.999).add(gradient.square().mul(0.001)));
          const unbiased = m.div(tf.sub(1, tf.pow(0.9, steps)));
          const scale = v
            .div(tf.sub(1, tf.pow(0.999, steps)))
            .sqrt()
            .add(1e-8);
          variable.assign(variable.mul(1 - 0.01 * 0.1).sub(unbiased.div(scale).mul(0.01)));
        });
        return [value];
      },
      [steps, ...first, ...second],
    );
  },
  'signs of averaged gradients': () => {
    const momenta = like(mlp(4, 3));
    return onNetwork((net, loss) => {
      const { value, grads } = gradients(loss, net);
      net.forEach((variable, i) => {
        const [momentum, gradient] = [momenta[i] as tf.Variable, grads[i] as tf.Tensor];
        variable.assign(variable.sub(momentum.mul(0.9).add(gradient.mul(0.1)).sign().mul(0.005)));
        momentum.assign(momentum.mul(0.99).add(gradient.mul(0.01)));
      });
      return [value];
    }, momenta);
  },
  'tasks weighed by their uncertainty': () => {
    const [shared, heads] = [weights(4, 6), [weights(6, 2), weights(6, 1)] as const];
    const spreads = [tf.variable(tf.scalar(0)), tf.variable(tf.scalar(0))];
    const loss = (given: tf.Tensor, ...wanted: tf.Tensor[]) => {
      const hidden = (given as Matrix).matMul(shared).relu();
      const each = wanted.map((target, i) => {
        const spread = spreads[i] as tf.Scalar;
        return squares(hidden.matMul(heads[i] as Weights), target)
          .mul(spread.neg().exp())
          .add(spread);
      });
      return tf.addN(each);
    };
    return minimizing(loss as never, {
      variables: [shared, ...heads, ...spreads],
      inputs: (step) => [x(step), y(step, 2), y(50 + step, 1)],
    });
  },
  'weights that learn to be adapted': () => {
    const kernel = weights(4, 3);
    const loss = (...[seen, seenWanted, given, wanted]: tf.Tensor[]) => {
      const error = (w: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => squares((a as Matrix).matMul(w), b);
      const inner = tf.grad((w) => error(w, seen as Matrix, seenWanted as Matrix))(kernel);
      return error(kernel.sub(inner.mul(0.1)), given as Matrix, wanted as Matrix);
    };
    return minimizing(loss as never, { variables: [kernel], inputs: (step) => [...both(step), ...both(40 + step)] });
  },
  'examples made harder by the sign of their gradient': () => {
    const net = mlp(4, 3);
    const loss = (given: tf.Tensor, wanted: tf.Tensor) => {
      const direction = tf
        .grad((values) => squares(apply(net, values), wanted))(given)
        .sign();
      return squares(apply(net, given.add(direction.mul(0.1))), wanted);
    };
    return minimizing(loss as never, { variables: net, inputs: both });
  },
  'rounding whose gradient goes straight through': () => {
    const kernel = weights(4, 3);
    const round = tf.customGrad((values: tf.Tensor | tf.GradSaveFunc) => ({
      value: (values as tf.Tensor).mul(8).round().div(8),
      gradFunc: (dy: tf.Tensor) => dy,
    }));
    const loss = (given: tf.Tensor, wanted: tf.Tensor) => squares((given as Matrix).matMul(round(kernel)), wanted);
    return minimizing(loss as never, { variables: [kernel], inputs: both });
  },
  'choices that can be differentiated, noise an input': () => {
    const [choose, use] = [weights(4, 5), weights(5, 3)];
    const loss = (given: tf.Tensor, wanted: tf.Tensor, chance: tf.Tensor) => {
      const gumbel = chance.log().neg().log().neg();
      return squares((given as Matrix).matMul(choose).add(gumbel).div(0.7).softmax().matMul(use), wanted);
    };
    return minimizing(loss as never, {
      variables: [choose, use],
      inputs: (step) => [...both(step), uniform([BATCH, 5], step)],
    });
  },
  'word vectors with negative samples': () => {
    const [words, contexts] = [weights(11, 4), weights(11, 4)];
    const loss = (word: tf.Tensor1D, context: tf.Tensor1D, other: tf.Tensor1D) => {
      const score = (at: tf.Tensor1D) => words.gather(word).mul(contexts.gather(at)).sum(1);
      return score(context).neg().softplus().add(score(other).softplus()).mean();
    };
    return minimizing(loss as never, {
      variables: [words, contexts],
      inputs: (step) => [labels(step, 11), labels(20 + step, 11), labels(40 + step, 11)],
    });
  },
  'a factorized matrix of users and items, with biases': () => {
    const [users, items, bias] = [weights(7, 3), weights(9, 3), weights(7, 1)];
    const loss = (user: tf.Tensor1D, item: tf.Tensor1D, rating: tf.Tensor) => {
      const predicted = users
        .gather(user)
        .mul(items.gather(item))
        .sum(1)
        .add(bias.gather(user).squeeze([1]));
      return squares(predicted, rating).add(users.square().mean().mul(0.01));
    };
    return minimizing(loss as never, {
      variables: [users, items, bias],
      inputs: (step) => [labels(step, 7), labels(30 + step, 9), normal([BATCH], step)],
      optimizer: train.adagrad(0.1),
    });
  },
  'means of clusters that move to their points': () => {
    const centers = tf.variable(normal<tf.Rank.R2>([3, 4], 77), false);
    return {
      variables: [centers],
      step: (points) => {
        const distances = (points as Matrix).expandDims(1).squaredDifference(centers.expandDims(0)).sum(2);
        const nearest = distances.argMin<tf.Tensor1D>(1);
        const counts = tf.unsortedSegmentSum(tf.ones([BATCH]), nearest, 3).expandDims(1);
        const sums = tf.unsortedSegmentSum(points as Matrix, nearest, 3);
        centers.assign(centers.mul(0.5).add<Matrix>(sums.div(tf.maximum(counts, 1)).mul(0.5)));
        return [distances.min(1).mean(), nearest];
      },
      inputs: (step) => [x(step)],
    };
  },
  'a weight divided by its largest singular value': () => {
    const [kernel, direction] = [weights(4, 3), tf.variable<tf.Rank.R2>(normal([1, 3], 78), false)];
    const sgd = train.sgd(0.1);
    return {
      variables: [kernel, direction, ...optimizerVariables(sgd, [kernel])],
      step: (given, wanted) => {
        const unit = (values: Matrix) => values.div<Matrix>(values.norm().add(1e-12));
        const left = unit(direction.matMul(kernel, false, true) as Matrix);
        direction.assign(unit(left.matMul(kernel) as Matrix));
        const loss = () => {
          const sigma = left.matMul(kernel).matMul(direction, false, true).squeeze();
          return squares((given as Matrix).matMul(kernel.div(sigma)), wanted as Matrix).asScalar();
        };
        return [sgd.minimize(loss, true, [kernel]) as tf.Scalar];
      },
      inputs: both,
    };
  },
  'a confusion matrix that adds up': () => {
    const total = tf.variable(tf.zeros<tf.Rank.R2>([3, 3], 'int32'), false);
    return {
      variables: [total],
      step: (label, scores) => {
        const seen = tf.math.confusionMatrix(label as tf.Tensor1D, (scores as Matrix).argMax<tf.Tensor1D>(1), 3);
        total.assign(total.add(seen));
        return [seen];
      },
      inputs: (step) => [labels(step), y(step)],
    };
  },
  'statistics of the batch that move, by hand': () => {
    const kernel = weights(4, 3);
    const [mean, variance] = [tf.variable(tf.zeros([3]), false), tf.variable(tf.ones([3]), false)];
    const sgd = train.momentum(0.05, 0.9);
    return {
      variables: [kernel, mean, variance, ...optimizerVariables(sgd, [kernel])],
      step: (given, wanted) => {
        const loss = () => {
          const moments = tf.moments((given as Matrix).matMul(kernel), 0);
          mean.assign(mean.mul(0.9).add(moments.mean.mul(0.1)));
          variance.assign(variance.mul(0.9).add(moments.variance.mul(0.1)));
          const offset = tf.zeros([3]);
          const normalized = tf.batchNorm(
            (given as Matrix).matMul(kernel),
            moments.mean,
            moments.variance,
            offset,
            tf.onesLike(offset),
          );
          return squares(normalized, wanted as Matrix).asScalar();
        };
        return [sgd.minimize(loss, true, [kernel]) as tf.Scalar];
      },
      inputs: both,
    };
  },
  'scores of a group by an evolution strategy, noise an input': () => {
    const kernel = weights(4, 3);
    return {
      variables: [kernel],
      step: (given, wanted, noise) => {
        const each = tf.unstack(noise) as Matrix[];
        const scores = tf.stack(
          each.map((change) => squares((given as Matrix).matMul(kernel.add(change.mul(0.1))), wanted as Matrix)),
        );
        const ranks = scores.sub(scores.mean()).div(tf.moments(scores).variance.sqrt().add(1e-6));
        kernel.assign(kernel.sub<Matrix>(tf.einsum('n,nij->ij', ranks, noise as tf.Tensor3D).mul(0.01)));
        return [scores.mean(), scores.argMin()];
      },
      inputs: (step) => [...both(step), normal([5, 4, 3], step)],
    };
  },
};

const LATER = /^(class weights looked|word vectors|a factorized|accuracy by argMax)/;
it.each(
  sampleOf(
    Object.entries(TECHNIQUES).filter(([name]) => !LATER.test(name)),
    4,
  ),
)('%s', (_, make) => expectSameTraining(make()));

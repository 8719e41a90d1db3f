/** Batch normalization broken on purpose, one flaw each, to see which checks notice. */
import * as tf from '@tensorflow/tfjs';
import { compileSteps } from '../../src/graph/compile.js';
import { batchNorm } from '../../src/nn/batchNorm.js';
import { BatchNorm } from '../../src/nn/layer.js';
import { weightOf } from '../../src/nn/population.js';
import type { CompileSteps, Subject } from '../../src/verify/check.js';

type Function = Subject['batchNorm'];
type Vectors = [gamma: tf.Tensor, beta: tf.Tensor, movingMean: tf.Tensor, movingVariance: tf.Tensor];
type Options = Parameters<Function>[5];

/** Runs a step op by op, so that what these flaws do outside of graphs does not matter. */
const compileNothing: CompileSteps = (steps) =>
  Promise.resolve({ run: (name, ...inputs) => steps[name]?.step(...inputs) ?? [], dispose: () => undefined });

let layers = 0;

/** A function, and this project's layer with the function inside; its class name is its own, so that it can be loaded. */
function subjectOf(f: Function): Subject {
  class Mutant extends BatchNorm {
    static override readonly className = `Mutant${layers++}`;

    override call(inputs: tf.Tensor | tf.Tensor[], { training = false }: { training?: boolean } = {}): tf.Tensor {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs;
        const weights = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((weight) => weightOf(this, weight));
        const vectors = weights.map((weight) => weight?.read()) as Vectors;
        const { epsilon, momentum } = this;
        const { y, movingMean, movingVariance } = f(x, ...vectors, { training, epsilon, momentum });
        weights[2]?.write(movingMean);
        weights[3]?.write(movingVariance);
        return y;
      });
    }
  }
  tf.serialization.registerClass(Mutant);
  return { batchNorm: f, BatchNorm: Mutant, compileSteps: compileNothing };
}

interface Flaws {
  axes?: number[];
  /** Takes no shift off before it sums. */
  unshifted?: true;
  variance?: (x: tf.Tensor, mean: tf.Tensor, axes: number[]) => tf.Tensor;
  movingVariance?: (variance: tf.Tensor, values: number) => tf.Tensor;
  /** 1/deviation. */
  inverse?: (variance: tf.Tensor, epsilon: number) => tf.Tensor;
  momentum?: (momentum: number) => number;
  /** What the gradient takes for constant. */
  constant?: 'mean' | 'statistics';
  gammaGradient?: (gradient: tf.Tensor, values: number) => tf.Tensor;
  batchInInference?: true;
  moveInInference?: true;
}

const biased = (x: tf.Tensor, mean: tf.Tensor, axes: number[]) => x.sub(mean).square().mean(axes);
const asConstant = (t: tf.Tensor) => tf.tensor(t.dataSync(), t.shape);

/** The formulas as the paper has them, on shifted data, with automatic gradients; and a flaw. */
function plain(flaws: Flaws): Function {
  const f = (input: tf.Tensor, ...[gamma, beta, oldMean, oldVariance, options]: [...Vectors, Options]) => {
    const { training, epsilon = 1e-5, momentum = 0.9 } = options;
    const axes = flaws.axes ?? input.shape.slice(0, -1).map((_, axis) => axis);
    const values = input.size / gamma.size;
    const byBatch = training || flaws.batchInInference;
    const first = input.slice(0, 1).mean<tf.Tensor>(axes);
    const shift = flaws.unshifted || !byBatch ? tf.zerosLike(first) : asConstant(first);
    const x = input.sub(shift);
    const batchMean = x.mean<tf.Tensor>(axes);
    const batchVariance = (flaws.variance ?? biased)(x, batchMean, axes);
    const mean = byBatch ? batchMean : oldMean;
    const variance = byBatch ? batchVariance : oldVariance;
    const inverse = (flaws.inverse ?? ((v, e) => v.add(e).rsqrt()))(
      flaws.constant === 'statistics' ? asConstant(variance) : variance,
      epsilon,
    );
    const scale = flaws.gammaGradient ? withGradient(gamma, (dy) => flaws.gammaGradient?.(dy, values) ?? dy) : gamma;
    const kept = flaws.momentum?.(momentum) ?? momentum;
    const perChannel = (t: tf.Tensor) => t.reshape([-1, gamma.size]).mean(0);
    const average = (old: tf.Tensor, now: tf.Tensor) =>
      training || flaws.moveInInference ? old.mul(kept).add(perChannel(now).mul(1 - kept)) : old;
    return {
      y: x
        .sub(flaws.constant ? asConstant(mean) : mean)
        .mul(scale)
        .mul(inverse)
        .add(beta),
      movingMean: average(oldMean, batchMean.add(shift)),
      movingVariance: average(oldVariance, flaws.movingVariance?.(batchVariance, values) ?? batchVariance),
    };
  };
  return f as Function;
}

function withGradient(t: tf.Tensor, change: (dy: tf.Tensor) => tf.Tensor): tf.Tensor {
  const identity = (value: unknown) => ({ value: (value as tf.Tensor).clone(), gradFunc: change });
  return tf.customGrad(identity)(t);
}

const FLAWS: Record<string, Flaws> = {
  'unbiased variance': {
    variance: (x, mean, axes) => {
      const values = axes.reduce((product, axis) => product * (x.shape[axis] ?? NaN), 1);
      return biased(x, mean, axes).mul(values / (values - 1));
    },
  },
  'unbiased moving variance': { movingVariance: (variance, values) => variance.mul(values / (values - 1)) },
  'no epsilon': { inverse: (variance) => variance.rsqrt() },
  'epsilon outside of the root': { inverse: (variance, epsilon) => variance.sqrt().add(epsilon).reciprocal() },
  'momentum swapped': { momentum: (momentum) => 1 - momentum },
  'E[x²] − E[x]² without a shift': {
    unshifted: true,
    variance: (x, mean, axes) => x.square().mean(axes).sub(mean.square()).relu(),
  },
  'two passes without a shift': { unshifted: true },
  'gradient without the mean’s part': { constant: 'mean' },
  'gradient without the statistics’ part': { constant: 'statistics' },
  'gradient of γ a mean, not a sum': { gammaGradient: (gradient, values) => gradient.div(values) },
  'statistics of the batch in inference': { batchInInference: true },
  'moving statistics move in inference': { moveInInference: true },
  'statistics of each position by itself': { axes: [0] },
};

/** Leaves out of its configuration what it was made with. */
class Forgetful extends BatchNorm {
  static override readonly className = 'Forgetful';

  override getConfig(): tf.serialization.ConfigDict {
    const { momentum: _, epsilon: __, ...rest } = super.getConfig();
    return rest;
  }
}
tf.serialization.registerClass(Forgetful);

/** Its first step is another one, by a counter that is no weight: lost when a run is resumed. */
class Counting extends BatchNorm {
  static override readonly className = 'Counting';
  private steps = 0;

  override call(inputs: tf.Tensor | tf.Tensor[], options: { training?: boolean } = {}): tf.Tensor {
    const y = super.call(inputs, options);
    const mean = weightOf(this, 'moving_mean');
    if (options.training && this.steps++ === 0) tf.tidy(() => void mean?.write(mean.read().mul(1.5)));
    return y;
  }
}
tf.serialization.registerClass(Counting);

const own = { batchNorm, BatchNorm, compileSteps };
const broken = (change: (run: Run, variables: readonly tf.Variable[]) => Run) => ({
  ...own,
  compileSteps: async (...given: Parameters<CompileSteps>) => {
    const compiled = await compileSteps(...given);
    const run: Run = (...given) => compiled.run(...given);
    return { run: change(run, given[1].variables), dispose: () => compiled.dispose() };
  },
});
type Run = Awaited<ReturnType<CompileSteps>>['run'];

/** A run after which the variables are what they were. */
const forgetting =
  (run: Run, variables: readonly tf.Variable[]): Run =>
  (...inputs) => {
    const before = variables.map((variable) => variable.clone());
    const outputs = run(...inputs);
    for (const [i, variable] of variables.entries()) variable.assign(before[i] as tf.Tensor);
    return outputs;
  };

/** Without a flaw: right, as far as float32 goes without care. */
export const PLAIN = subjectOf(plain({}));

export const MUTANTS: Record<string, Subject> = {
  ...Object.fromEntries(Object.entries(FLAWS).map(([name, flaws]) => [name, subjectOf(plain(flaws))])),
  'configuration not saved': { ...own, BatchNorm: Forgetful },
  'state that is no weight': { ...own, BatchNorm: Counting, compileSteps: compileNothing },
  'compiled step that keeps what it trained to itself': broken(forgetting),
  'compiled step with the precision of TF32': broken(
    (run) =>
      (...inputs) =>
        run(...inputs).map((output) => output.mul(1 + 2 ** -11)),
  ),
};

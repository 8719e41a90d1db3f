/** The training of a trial: batch by batch, with all that is watched on the way. */
import { shuffledOrder } from '../data/batches.js';
import { isBatchNorm } from '../nn/population.js';
import { breathe } from '../train/evaluate.js';
import { type Call, epochCalls, GRADIENT_STEPS, watches } from './trialPlan.js';
import { type Moments, movement, MovingAverages } from './replay.js';
import { rounded } from './rounded.js';
import type { LayerNorms, Trial, TrialRecord } from './trial.js';
import type { Network } from './trialData.js';
import { isActivation } from './trialModel.js';

/** Momenta whose moving averages are compared. */
const MOMENTA = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999];

/** So many significant digits have norms, of which small differences are looked at. */
const NORM_DIGITS = 9;

export type Trained = Pick<TrialRecord, 'losses' | 'accuracies' | 'gradients' | 'instability' | 'norms'>;

export class Training {
  readonly averages: readonly MovingAverages[];
  /** Of training steps alone. */
  seconds = 0;
  private readonly losses: number[] = [];
  private readonly accuracies: number[] = [];
  private readonly gradients: NonNullable<TrialRecord['gradients']> = [];
  private readonly instability: number[] = [];
  private readonly norms: NonNullable<TrialRecord['norms']> = [];
  private moments: Moments | undefined;

  constructor(
    private readonly trial: Trial,
    private readonly network: Network,
  ) {
    // At another batch size, 0.9 forgets each image faster or slower: one more forgets as 0.9 does at 256.
    const momenta = new Set([...MOMENTA, 0.9 ** (trial.batchSize / 256)]);
    this.averages = watches(trial, 'momenta') ? Array.from(momenta, (momentum) => new MovingAverages(momentum)) : [];
  }

  /** False where it diverged: what was seen before stands. */
  async epoch(epoch: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { trial } = this;
    const order = shuffledOrder(trial.examples, trial.seed, epoch);
    for (const call of epochCalls(trial, order, this.losses.length)) {
      if (!this.watchGradients(call.batches[0] as Int32Array) || !this.step(call)) return false;
      await breathe(signal);
    }
    return true;
  }

  /** Before the step with these rows, if it is one of those where gradients are watched; false where one is not finite. */
  watchGradients(rows: Int32Array): boolean {
    const step = this.losses.length;
    if (!watches(this.trial, 'gradients') || !GRADIENT_STEPS.includes(step)) return true;
    const norms = (this.network.steps.run('gradients', [rows])[0] ?? []).map(([value = NaN]) => value);
    if (!norms.every(Number.isFinite)) return false;
    const layers = Array.from({ length: norms.length / 3 }, (_, i): LayerNorms => {
      const [weight = NaN, weightGradient = NaN, outputGradient = NaN] = norms
        .slice(3 * i, 3 * i + 3)
        .map((value) => rounded(value, NORM_DIGITS));
      return { layer: i + 1, weight, weightGradient, outputGradient };
    });
    this.gradients.push({ step, layers });
    return true;
  }

  /** What was seen, and as much as is watched. */
  get seen(): Trained {
    const { trial, losses, accuracies, gradients, instability, norms } = this;
    return {
      losses,
      accuracies,
      ...(watches(trial, 'gradients') && { gradients }),
      ...(watches(trial, 'instability') && { instability }),
      ...(watches(trial, 'norms') && { norms }),
    };
  }

  private step({ batches, learningRate }: Call): boolean {
    const started = performance.now();
    const results = this.network.steps.run('train', batches, learningRate);
    this.seconds += (performance.now() - started) / 1000;
    return results.every((values, i) => this.see(values, batches[i]?.length ?? 0));
  }

  /** Takes down what one step gave, unless it is not finite. */
  private see([losses, corrects, ...watched]: Float32Array[], size: number): boolean {
    const [loss, correct] = [losses?.[0] ?? NaN, corrects?.[0] ?? NaN];
    const { trial, network } = this;
    const layers = (is: typeof isActivation) => 2 * network.model.layers.filter(is).length;
    const inputs = watched.splice(0, watches(trial, 'momenta') ? layers(isBatchNorm) : 0);
    const moments = watched.splice(0, watches(trial, 'instability') ? layers(isActivation) : 0);
    const norms = watched.map((squares) => rounded(Math.sqrt(squares.reduce((sum, one) => sum + one, 0)), NORM_DIGITS));
    if (![loss, ...norms].every(Number.isFinite)) return false;
    this.losses.push(rounded(loss));
    this.accuracies.push(rounded(correct / size));
    for (const average of this.averages) average.add(inputs);
    if (this.moments) this.instability.push(rounded(movement(this.moments, moments)));
    this.moments = moments;
    const [weight = NaN, gradient = NaN] = norms;
    if (norms.length > 0) this.norms.push({ weight, gradient });
    return true;
  }
}

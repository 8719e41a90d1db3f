/** What the trials of a process share: the data on the backend, and the compiled steps of models of one shape. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import type { StepDefinition } from '../graph/compile.js';
import type { StepFunction } from '../graph/record/record.js';
import { type Generator, generator } from '../graph/random.js';
import { RowSteps } from '../train/rowSteps.js';
import { assertBatch, DeviceDataset, type Mode, momentsStep } from '../train/step.js';
import { type BatchSizes, batchSizes, isNormalized, type StepName } from './trialPlan.js';
import { hiddenKernels, type Sizes, trialModel } from './trialModel.js';
import { gradientStep, scoreStep, watchedStep } from './trialSteps.js';
import type { Trial } from './trial.js';

/** A model, and what runs its steps. */
export interface Network {
  model: tf.Sequential;
  steps: RowSteps<StepName>;
}

interface How {
  mode: Mode;
  signal: AbortSignal | undefined;
}

interface Kept extends Network {
  draws: Generator;
}

/** Of models of other shapes; each holds a session with graphs. */
const MOST_KEPT = 6;

export class TrialData {
  private readonly train: DeviceDataset;
  private readonly test: DeviceDataset;
  private readonly sizes: Sizes;
  /** The last used at the end. */
  private readonly kept = new Map<string, Kept>();

  /** Uploads the data. */
  constructor({ train, test, classes }: Pick<FashionMnist, 'train' | 'test' | 'classes'>) {
    this.train = new DeviceDataset(train);
    this.test = new DeviceDataset(test);
    this.sizes = { classes, height: train.height, width: train.width };
  }

  get testCount(): number {
    return this.test.count;
  }

  /** A trial's network with its initial weights; what was compiled for another trial of the same shape serves again. */
  async network(trial: Trial, { mode, signal }: How): Promise<Network> {
    const { model, seed, weightScale = 1, watch } = trial;
    const sizes = batchSizes(trial, this.test.count);
    const key = JSON.stringify([mode, model, weightScale, [...watch].sort(), sizes]);
    const kept = this.kept.get(key) ?? (await this.compile(trial, sizes, { mode, signal }));
    this.kept.delete(key);
    this.kept.set(key, kept);
    for (const old of [...this.kept.keys()].slice(0, -MOST_KEPT)) this.drop(old);
    const fresh = trialModel(model, seed, this.sizes, kept.draws);
    kept.model.setWeights(fresh.getWeights());
    fresh.dispose();
    tf.tidy(() => {
      kept.draws.state.assign(tf.tensor1d([seed, 0], 'int32'));
      for (const kernel of weightScale === 1 ? [] : hiddenKernels(kept.model)) kernel.assign(kernel.mul(weightScale));
    });
    return kept;
  }

  dispose(): void {
    for (const key of [...this.kept.keys()]) this.drop(key);
    this.train.dispose();
    this.test.dispose();
  }

  private drop(key: string): void {
    const { model, steps, draws } = this.kept.get(key) as Kept;
    this.kept.delete(key);
    steps.dispose();
    model.dispose();
    draws.dispose();
  }

  private async compile(trial: Trial, sizes: BatchSizes, how: How): Promise<Kept> {
    assertBatch(isNormalized(trial), trial.batchSize, trial.examples);
    const draws = generator(trial.seed);
    const model = trialModel(trial.model, trial.seed, this.sizes, draws);
    try {
      const variables = [model, ...this.train.variables, ...this.test.variables, draws];
      const all = this.definitions(model, trial, sizes) as Record<StepName, StepDefinition>;
      const steps = await RowSteps.open(all, { variables, ...how });
      assertMode(how.mode, steps);
      return { model, steps, draws };
    } catch (error) {
      model.dispose();
      draws.dispose();
      throw error;
    }
  }

  /** Only those that the trial will run, as each takes time to be compiled. */
  private definitions(
    model: tf.Sequential,
    trial: Trial,
    sizes: BatchSizes,
  ): Partial<Record<StepName, StepDefinition>> {
    const { train, test } = this;
    const rate = { shape: [], dtype: 'float32' } as const;
    const steps: Record<StepName, StepFunction> = {
      train: watchedStep(model, train, trial),
      test: scoreStep(model, test, { byBatch: false }),
      testByBatch: scoreStep(model, test, { byBatch: true }),
      trainingSet: scoreStep(model, train, { byBatch: false }),
      moments: momentsStep(model, train),
      gradients: gradientStep(model, train),
    };
    return Object.fromEntries(
      (Object.entries(sizes) as [StepName, number[]][]).map(([name, each]) => {
        const rows = each.map((size) => ({ shape: [size], dtype: 'int32' }) as const);
        const inputs = rows.map((one) => (name === 'train' ? [one, rate] : [one]));
        return [name, { step: steps[name], inputs }];
      }),
    );
  }
}

/** Throws a BnTrainError where steps do not run as their trial's name says. */
function assertMode(mode: Mode, { how: { kernels } }: RowSteps<StepName>): void {
  if (mode !== 'fused' || !kernels || 'hash' in kernels) return;
  throw cannot('compute a trial', { expected: 'fused kernels, as others of its study had', got: kernels.reason });
}

/** What a trial's network makes of images: on the test set and the training set, by each kind of statistics. */
import { batches } from '../data/batches.js';
import { combineMoments, isBatchNorm, type LayerStatistics, withStatistics } from '../nn/population.js';
import { breathe } from '../train/evaluate.js';
import { EVALUATION_BATCH } from '../train/trainer.js';
import { inOrder, isNormalized, populationBatches, type StepName, takesPopulation, watches } from './trialPlan.js';
import type { MovingAverages } from './replay.js';
import { rounded } from './rounded.js';
import type { Evaluation, Trial, TrialEpoch } from './trial.js';
import type { Network } from './trialData.js';

/** How much of its start a moving average may hold and count as corrected without being so. */
const FORGOTTEN = 0.01;

/** A trial's evaluations while its network has the weights of now. */
export class Evaluations {
  constructor(
    private readonly trial: Trial,
    private readonly network: Network,
    private readonly testCount: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** At the end of an epoch: what is watched then. */
  async epoch(averages: readonly MovingAverages[]): Promise<TrialEpoch> {
    const { trial } = this;
    const population = await this.population();
    const test = await this.score('test');
    const result: TrialEpoch = { test: evaluationOf(test) };
    if (watches(trial, 'epochs') && isNormalized(trial)) {
      result.testBatch = evaluationOf(await this.score('testByBatch'));
      result.testPopulation = evaluationOf(await withStatistics(population, () => this.score('test')));
    }
    if (watches(trial, 'training-set'))
      result.trainingSet = evaluationOf(await withStatistics(population, () => this.score('trainingSet')));
    if (watches(trial, 'momenta')) result.momenta = await this.momenta(averages);
    return result;
  }

  /** One digit an image of the test set. */
  async images(): Promise<string> {
    return (await withStatistics(await this.population(), () => this.score('test'))).right.join('');
  }

  private async momenta(averages: readonly MovingAverages[]): Promise<NonNullable<TrialEpoch['momenta']>> {
    const found = [];
    for (const average of averages) {
      const by = async (corrected: boolean) => {
        const statistics = this.statistics(average.values(corrected));
        return (await withStatistics(statistics, () => this.score('test'))).accuracy;
      };
      const accuracy = await by(false);
      const corrected = average.start > FORGOTTEN ? await by(true) : accuracy;
      found.push({ momentum: average.momentum, accuracy, corrected });
    }
    return found;
  }

  private statistics(vectors: readonly Float32Array[]): LayerStatistics[] {
    const layers = this.network.model.layers.filter(isBatchNorm);
    return layers.map((layer, i) => ({
      layer,
      mean: vectors[2 * i] as Float32Array,
      variance: vectors[2 * i + 1] as Float32Array,
    }));
  }

  /** Of the weights of now; none without batch normalization, and where nobody looks at them. */
  private async population(): Promise<LayerStatistics[]> {
    const { network, signal } = this;
    async function* moments(all: readonly Int32Array[]) {
      for (const rows of all) {
        yield { size: rows.length, vectors: network.steps.run('moments', [rows])[0] ?? [] };
        await breathe(signal);
      }
    }
    if (!takesPopulation(this.trial)) return [];
    return combineMoments(network.model, moments(populationBatches(this.trial)));
  }

  private async score(name: StepName & ('test' | 'testByBatch' | 'trainingSet')) {
    const count = name === 'trainingSet' ? this.trial.examples : this.testCount;
    const right: number[] = [];
    let sum = 0;
    for (const rows of batches(inOrder(count), EVALUATION_BATCH)) {
      const [[loss, correct] = []] = this.network.steps.run(name, [rows]);
      sum += (loss?.[0] ?? NaN) * rows.length;
      right.push(...(correct ?? []));
      await breathe(this.signal);
    }
    return { accuracy: right.reduce((total, one) => total + one, 0) / count, loss: rounded(sum / count), right };
  }
}

const evaluationOf = ({ accuracy, loss }: Evaluation): Evaluation => ({ accuracy, loss });

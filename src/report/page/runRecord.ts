/** What a run's page is made of, read from the run's folder alone. */
import type { SavedWeight } from '../../run/checkpoint.js';
import { readLearned } from '../../run/checkpoints.js';
import { readConfig, type RunConfig } from '../../run/config.js';
import { readEnding } from '../../run/ending.js';
import { readEvaluation } from '../../run/evaluation.js';
import { type LayerParameters, parametersOf } from '../../run/parameters.js';
import type { EpochResult, FinalResult } from '../../train/events.js';
import type { Review } from '../../train/review.js';
import type { Texts } from './texts/index.js';

export interface RunRecord {
  folder: string;
  config: RunConfig;
  history: EpochResult[];
  /** Undefined where the run has not ended. */
  final: FinalResult | undefined;
  weights: SavedWeight[];
  /** Of batch normalization, where there is any. */
  parameters: LayerParameters[];
  review: Review | undefined;
}

/** Throws a BnTrainError for a folder without a run, a run without a finished epoch, and what is damaged. */
export async function readRunRecord(folder: string): Promise<RunRecord> {
  const config = await readConfig(folder);
  const { weights, position, history } = await readLearned(folder);
  const ending = await readEnding(folder);
  // What an older ending says, or an evaluation, is not of the epochs that a resumed run has trained since.
  const final = position.epoch > config.epochs ? ending : undefined;
  const parameters = config.norm === 'none' ? [] : parametersOf(weights, folder, { layer: 'all', moving: true });
  const review = final && (await readEvaluation(folder));
  return { folder, config, history: history.slice(0, position.epoch - 1), final, weights, parameters, review };
}

/** Of each hidden layer, from the input on, a name. */
export function layerNames(weights: SavedWeight[], { layer }: Texts['run']): string[] {
  const kernels = weights.filter(({ name }) => name.endsWith('/kernel')).slice(0, -1);
  return kernels.map(({ shape }, i) => {
    const [inputs, outputs] = shape.slice(-2);
    const channels = `${inputs ?? '?'}→${outputs ?? '?'}`;
    const size = shape.slice(0, 2).join('×');
    return shape.length === 4 ? layer.conv(i + 1, size, channels) : layer.dense(i + 1, channels);
  });
}

/** The classes by name: Fashion-MNIST's have some, others are numbered. */
export function classNames({ data, classes = 10 }: RunConfig, { classes: names, classNumber }: Texts['run']): string[] {
  const known = (data?.name ?? 'Fashion-MNIST') === 'Fashion-MNIST' ? names : [];
  return Array.from({ length: classes }, (_, label) => known[label] ?? classNumber(label));
}

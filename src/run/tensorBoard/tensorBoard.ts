/** Listens to a run and writes what TensorBoard shows of it: event files in the run folder, without any doubled step. */
import { appendFile, open, readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { isBatchNorm, weightOf } from '../../nn/population.js';
import type { EpochResult, Position, TrainEvent } from '../../train/events.js';
import type { RunConfig } from '../config.js';
import { writing } from '../folder.js';
import { framed, lengthOfWanted } from './records.js';
import {
  fileVersion,
  histogram,
  hyperParameters,
  restartedAt,
  scalar,
  sessionEnd,
  stepOf,
  type Summary,
  summaryEvent,
} from './summaries.js';

export type StartEvent = Extract<TrainEvent, { type: 'start' }>;

interface Run {
  folder: string;
  config: RunConfig;
  model: tf.LayersModel;
  /** Epochs that it has behind it. */
  history: readonly EpochResult[];
}

/** Steps are shown this often, in ms, while an epoch is under way. */
const OFTEN = 1000;

const PREFIX = 'events.out.tfevents.';

/** All steps are training steps since the run began, an epoch's figures standing at its last one. */
export class TensorBoard {
  private waiting: Buffer[] = [];
  private written = Date.now();

  private constructor(
    private readonly run: Run,
    private readonly batches: number,
    private readonly file: string,
  ) {}

  /** Begins a file, after cutting off from those before it what lies behind the position that the run goes on from. */
  static async open(run: Run, { batches, position }: StartEvent): Promise<TensorBoard> {
    return writing(run.folder, async () => {
      const step = stepAt(position, batches);
      const before = await cutFiles(run.folder, step);
      const name = `${PREFIX}${Math.floor(Date.now() / 1000)}.${String(before).padStart(4, '0')}.${hostname()}`;
      const board = new TensorBoard(run, batches, path.join(run.folder, name));
      board.add(fileVersion());
      if (before > 0) board.add(restartedAt(step + 1));
      else board.addBeginning();
      await board.flush();
      return board;
    });
  }

  /**
   * Call before the run folder's own files are written: what stands in a checkpoint stands here, too, and what does not is
   * cut off when the run goes on.
   */
  async record(event: TrainEvent): Promise<void> {
    if (event.type === 'step') {
      const { batchLoss, batchAccuracy, examplesPerSecond } = event;
      this.addSummaries(stepAt(event, this.batches), [
        scalar('step/loss', batchLoss),
        scalar('step/train_accuracy', batchAccuracy),
        scalar('step/examples_per_second', examplesPerSecond),
      ]);
      if (Date.now() - this.written < OFTEN) return;
    } else if (event.type === 'epoch') {
      this.addSummaries(event.epoch * this.batches, [...scalarsOf(event), ...(await histogramsOf(this.run.model))]);
    } else if (event.type === 'end') {
      this.addSummaries(this.run.config.epochs * this.batches, [
        scalar('final/test_accuracy', event.testAccuracy),
        ...populationOf('final', event.testAccuracyPopulation),
        sessionEnd(),
      ]);
    } else if (event.type === 'evaluate') return;
    await writing(this.run.folder, () => this.flush());
  }

  /** Of a run that has no files yet, though it may have epochs behind it. */
  private addBeginning(): void {
    this.addSummaries(0, [hyperParameters(hyperParametersOf(this.run.config))]);
    for (const epoch of this.run.history) this.addSummaries(epoch.epoch * this.batches, scalarsOf(epoch));
  }

  private addSummaries(step: number, summaries: Summary[]): void {
    this.add(summaryEvent(step, summaries));
  }

  private add(event: Buffer): void {
    this.waiting.push(framed(event));
  }

  private async flush(): Promise<void> {
    const bytes = Buffer.concat(this.waiting);
    [this.waiting, this.written] = [[], Date.now()];
    await appendFile(this.file, bytes, { flush: true });
  }
}

/** Training steps before a position, or up to a batch. */
function stepAt({ epoch, batch }: Pick<Position, 'epoch' | 'batch'>, batches: number): number {
  return (epoch - 1) * batches + batch;
}

/** Cuts off what is not whole and what is of later steps. Returns how many files there are. */
async function cutFiles(folder: string, step: number): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const file = path.join(folder, name);
    const content = await readFile(file);
    const length = lengthOfWanted(content, (event) => stepOf(event) <= step && !isEnd(event));
    if (length < content.length) await truncateTo(file, length);
  }
  return names.length;
}

async function truncateTo(file: string, length: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.truncate(length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The result comes again where all epochs are trained, and after more of them. */
function isEnd(event: Buffer): boolean {
  return event.includes('_hparams_/session_end_info');
}

function scalarsOf(epoch: EpochResult): Summary[] {
  return [
    scalar('epoch/loss', epoch.loss),
    scalar('epoch/train_accuracy', epoch.trainAccuracy),
    scalar('epoch/test_accuracy', epoch.testAccuracy),
    ...populationOf('epoch', epoch.testAccuracyPopulation),
    scalar('epoch/examples_per_second', epoch.examplesPerSecond),
  ];
}

function populationOf(of: string, accuracy: number | null): Summary[] {
  return accuracy === null ? [] : [scalar(`${of}/test_accuracy_population`, accuracy)];
}

const PARAMETERS = ['gamma', 'beta', 'moving_mean', 'moving_variance'];

/** Layers are counted from 1, as `inspect-gamma` does. */
async function histogramsOf(model: tf.LayersModel): Promise<Summary[]> {
  const found = model.layers.filter(isBatchNorm).flatMap((layer, i) =>
    PARAMETERS.flatMap((name) => {
      const tensor = weightOf(layer, name)?.read();
      return tensor ? [{ tag: `batch_norm_${i + 1}/${name}`, tensor }] : [];
    }),
  );
  return Promise.all(found.map(async ({ tag, tensor }) => histogram(tag, await tensor.data<'float32'>())));
}

function hyperParametersOf(config: RunConfig): Record<string, string | number | boolean> {
  const { norm, learningRate, batchSize, epochs, seed, momentum, epsilon, data, backend, device, mode } = config;
  return {
    ...{ norm, learning_rate: learningRate, batch_size: batchSize, epochs, seed, momentum, epsilon },
    ...{ data: data?.name ?? 'Fashion-MNIST', backend, device, mode },
  };
}

/** Keeps a run: listens to its events and writes the run folder, so that what was trained is never lost. */
import { appendFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { makeFolder, writeFileAtomic } from '../common/files.js';
import type { EpochResult, Position, Progressed, TrainEvent } from '../train/events.js';
import { startOf } from '../train/loop.js';
import type { Review } from '../train/review.js';
import { Checkpoints } from './checkpoints.js';
import type { RunConfig } from './config.js';
import { EVALUATION, encodeEvaluation } from './evaluation.js';
import { writing } from './folder.js';

const COLUMNS = [
  'epoch',
  'loss',
  'trainAccuracy',
  'testAccuracy',
  'testAccuracyPopulation',
  'populationImages',
  'examplesPerSecond',
  'seconds',
] as const;

function toCsv(history: EpochResult[]): string {
  return [COLUMNS.join(','), ...history.map(toRow), ''].join('\n');
}

function toRow(epoch: EpochResult): string {
  return COLUMNS.map((column) => epoch[column]).join(',');
}

/**
 * Writes config.json, checkpoint/, model/, metrics.csv and events.jsonl of one run as its events come in. The checkpoint
 * comes first: what any other file, or a line shown to somebody, tells of an epoch is never lost to a kill. The others
 * follow from it, and are put right when the run is resumed.
 */
export class Recorder {
  private constructor(
    readonly folder: string,
    private readonly model: tf.LayersModel,
    private readonly checkpoints: Checkpoints,
    private readonly history: EpochResult[],
  ) {}

  /** Starts the files of a run, or of one that goes on from a checkpoint, with its weights in `model`. */
  static async open(folder: string, config: RunConfig, model: tf.LayersModel, from?: Progressed): Promise<Recorder> {
    const checkpoints = await writing(folder, () => Checkpoints.open(folder, from?.position));
    const recorder = new Recorder(folder, model, checkpoints, [...(from?.history ?? [])]);
    await recorder.keepConfig(config);
    const lines = recorder.history.map((epoch) => `${JSON.stringify({ type: 'epoch', ...epoch })}\n`);
    await writing(folder, async () => {
      if (from) await exportModel(model, folder);
      await writeFileAtomic(recorder.file('metrics.csv'), toCsv(recorder.history));
      await writeFileAtomic(recorder.file('events.jsonl'), lines.join(''));
    });
    return recorder;
  }

  /** Call with every event, before telling anybody of it, and wait for it before asking for the next. */
  async record(event: TrainEvent): Promise<void> {
    if (event.type === 'step' || event.type === 'evaluate' || event.type === 'population') return;
    await writing(this.folder, async () => {
      if (event.type === 'checkpoint') return this.saveCheckpoint(event.position);
      if (event.type === 'epoch') await this.keepEpoch(event);
      if (event.type === 'interrupted') await this.keepWeights(event.position);
      await appendFile(this.file('events.jsonl'), `${JSON.stringify(event)}\n`);
    });
  }

  /** Writes config.json, or writes it anew. */
  async keepConfig(config: RunConfig): Promise<void> {
    await this.add('config.json', `${JSON.stringify(config, null, 2)}\n`);
  }

  /** Adds a file of somebody else's making, such as the chart. */
  async add(name: string, content: string): Promise<void> {
    await writing(this.folder, () => writeFileAtomic(this.file(name), content));
  }

  /** Keeps what a page shows of the network. The result is safe without it, so a run that is told to stop leaves it out. */
  async keepReview(make: () => Promise<Review>, signal: AbortSignal): Promise<void> {
    const made = await make().catch((error: unknown) => {
      if (!signal.aborted || error !== signal.reason) throw error;
    });
    if (made) await this.add(EVALUATION, encodeEvaluation(made));
  }

  private async keepEpoch({ type: _, ...epoch }: { type: 'epoch' } & EpochResult): Promise<void> {
    this.history.push(epoch);
    await this.keepWeights(startOf(epoch.epoch + 1));
    await appendFile(this.file('metrics.csv'), `${toRow(epoch)}\n`);
  }

  private async keepWeights(position: Position): Promise<void> {
    await this.saveCheckpoint(position);
    await exportModel(this.model, this.folder);
  }

  private saveCheckpoint(position: Position): Promise<void> {
    return this.checkpoints.save(this.model, { position, history: this.history });
  }

  private file(name: string): string {
    return path.join(this.folder, name);
  }
}

/** Writes model/model.json and model/weights.bin, which this program itself never reads. */
export async function exportModel(model: tf.LayersModel, runFolder: string): Promise<void> {
  const folder = path.join(runFolder, 'model');
  await makeFolder(folder);
  for (const [name, content] of await layersFormat(model)) await writeFileAtomic(path.join(folder, name), content);
}

/** The files of tfjs's layers format, by name. */
export async function layersFormat(model: tf.LayersModel): Promise<Map<string, string | Uint8Array>> {
  const files = new Map<string, string | Uint8Array>();
  await model.save(
    tf.io.withSaveHandler(({ modelTopology, weightSpecs: weights, weightData, format, generatedBy }) => {
      const weightsManifest = [{ paths: ['weights.bin'], weights }];
      files.set(
        'model.json',
        JSON.stringify({ format, generatedBy, convertedBy: null, modelTopology, weightsManifest }),
      );
      files.set('weights.bin', new Uint8Array(weightData as ArrayBuffer));
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }),
  );
  return files;
}

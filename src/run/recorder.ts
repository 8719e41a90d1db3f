/** Keeps a run: listens to its events and writes the run folder, so that what was trained is never lost. */
import { appendFile } from 'node:fs/promises';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { cannot } from '../errors.js';
import { describeFileError, writeFileAtomic } from '../files.js';
import { type EpochResult, type Position, startOf, type TrainEvent } from '../train/events.js';
import { saveCheckpoint } from './checkpoint.js';
import type { RunConfig } from './config.js';
import { saveModel } from './model.js';

const COLUMNS = ['epoch', 'loss', 'trainAccuracy', 'testAccuracy', 'examplesPerSecond', 'seconds'] as const;

export function toCsv(history: EpochResult[]): string {
  return [COLUMNS.join(','), ...history.map(toRow), ''].join('\n');
}

function toRow(epoch: EpochResult): string {
  return COLUMNS.map((column) => epoch[column]).join(',');
}

/** Writes config.json, metrics.csv, events.jsonl, model/ and checkpoint/ of one run as its events come in. */
export class Recorder {
  private constructor(
    readonly folder: string,
    private readonly model: tf.LayersModel,
    private readonly history: EpochResult[],
  ) {}

  /** Starts the files of a run; `history` holds the epochs of a resumed one, whose later rows, if any, are dropped. */
  static async open(
    folder: string,
    config: RunConfig,
    model: tf.LayersModel,
    history: EpochResult[],
  ): Promise<Recorder> {
    const recorder = new Recorder(folder, model, [...history]);
    const lines = history.map((epoch) => `${JSON.stringify({ type: 'epoch', ...epoch })}\n`);
    await recorder.writing(async () => {
      await writeFileAtomic(recorder.file('config.json'), `${JSON.stringify(config, null, 2)}\n`);
      await writeFileAtomic(recorder.file('metrics.csv'), toCsv(history));
      await writeFileAtomic(recorder.file('events.jsonl'), lines.join(''));
    });
    return recorder;
  }

  /** Call with every event, and wait for it before asking for the next. */
  async record(event: TrainEvent): Promise<void> {
    if (event.type === 'step' || event.type === 'evaluate') return;
    await this.writing(async () => {
      await appendFile(this.file('events.jsonl'), `${JSON.stringify(event)}\n`);
      if (event.type === 'epoch') await this.keepEpoch(event);
      if (event.type === 'interrupted') await this.keepWeights(event.position);
    });
  }

  /** Adds a file of somebody else's making, such as the chart. */
  async add(name: string, content: string): Promise<void> {
    await this.writing(() => writeFileAtomic(this.file(name), content));
  }

  private async keepEpoch({ type: _, ...epoch }: { type: 'epoch' } & EpochResult): Promise<void> {
    this.history.push(epoch);
    await appendFile(this.file('metrics.csv'), `${toRow(epoch)}\n`);
    await this.keepWeights(startOf(epoch.epoch + 1));
  }

  private async keepWeights(position: Position): Promise<void> {
    await saveModel(this.model, this.folder);
    await saveCheckpoint(this.folder, this.model, { position, history: this.history });
  }

  private file(name: string): string {
    return path.join(this.folder, name);
  }

  private async writing(write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      throw cannot(`write the run folder ${this.folder}`, {
        expected: 'room and permission',
        got: describeFileError(error),
        hint: `free some space, then go on with --resume '${this.folder}'`,
        cause: error,
      });
    });
  }
}

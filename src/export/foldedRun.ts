/** A run's model without batch normalization: its files for other programs, and what was changed and gained. */
import { mkdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { type InferenceSpeed, measureInference } from '../bench/inference.js';
import { cannot, EXIT } from '../common/errors.js';
import { assertWritable, describeFileError, exists, writeFolderAtomic } from '../common/files.js';
import type { Listener } from '../common/listener.js';
import { packageVersion } from '../common/machine.js';
import type { Dataset } from '../data/idx.js';
import { fold } from '../nn/fold.js';
import { layersFormat } from '../run/recorder.js';
import { imagesOf } from '../train/predictions.js';
import { type Difference, differenceBetween } from './difference.js';
import { networkOf } from './network.js';
import { encodeOnnx } from './onnx.js';
import { encodeServing } from './serving.js';

interface FoldOptions {
  /** A new folder. */
  output: string;
  onnx: boolean;
  savedModel: boolean;
  signal: AbortSignal;
  listener: Pick<Listener, 'progress'>;
}

export interface FoldedRun {
  difference: Difference;
  /** Of the files, in bytes. */
  size: { before: number; after: number };
  inference: InferenceSpeed[];
  /** What was written, by its name in the folder, with its size in bytes. */
  files: Record<string, number>;
}

/** How many images a call: as in evaluation, and as where one image is looked at. */
const CALLS = [250, 1];
const TURNS = { turns: 21, seconds: 0.05 };

/** Throws a BnTrainError where there is a file or folder of that name, of usage, or where none can be made. */
export async function assertNew(output: string): Promise<void> {
  if (await exists(output))
    throw cannot(`write ${output}`, {
      expected: 'a new folder',
      got: 'one that is there already',
      hint: 'name another one with --output',
      exitCode: EXIT.usage,
    });
  await assertWritable(path.dirname(output), `write ${output}`);
}

/** Rejects on `signal`, with nothing written; throws a BnTrainError where the folder cannot be written. */
export async function foldRun(
  model: tf.Sequential,
  test: Dataset,
  { output, onnx, savedModel, signal, listener }: FoldOptions,
): Promise<FoldedRun> {
  const folded = await fold(model);
  const difference = await differenceBetween(model, folded, test, signal);
  const inference = [];
  for (const count of CALLS) {
    const x = imagesOf(
      test,
      Int32Array.from({ length: Math.min(count, test.count) }, (_, row) => row),
    );
    inference.push(await measureInference(model, folded, x, { ...TURNS, signal, listener }));
    x.dispose();
  }
  const [before, after] = [await layersFormat(model), await layersFormat(folded)];
  const files = new Map(after);
  const network = await networkOf(folded);
  if (onnx) files.set('model.onnx', encodeOnnx(network, packageVersion()));
  if (savedModel) files.set('saved_model/saved_model.pb', encodeServing(network));
  await writeFiles(output, files);
  const sizes = [...files].map(([name, content]) => [name, Buffer.byteLength(content)]);
  const size = { before: sizeOf(before), after: sizeOf(after) };
  return { difference, size, inference, files: Object.fromEntries(sizes) as Record<string, number> };
}

type Files = ReadonlyMap<string, string | Uint8Array>;

function sizeOf(files: Files): number {
  return [...files.values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0);
}

async function writeFiles(output: string, files: Files): Promise<void> {
  const fill = async (folder: string) => {
    for (const [name, content] of files) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), content);
    }
  };
  await writeFolderAtomic(output, fill).catch((error: unknown) => {
    throw cannot(`write ${output}`, {
      expected: 'room and permission',
      got: describeFileError(error),
      hint: 'name another folder with --output',
      cause: error,
    });
  });
}

/** What a user's file exports to be measured: a model, or what makes one, and data to train it on. */
import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { type BnTrainError, cannot, EXIT, kindOf, messageOf, type Reason, shown } from '../common/errors.js';
import { describeFileError } from '../common/files.js';
import { copyWeights, modelFrom } from '../nn/copy.js';

/** As `fit` takes it: for one input or output, for several in order, or by their names. */
export type Data = tf.Tensor | tf.Tensor[] | tf.NamedTensorMap;

export interface ModelFile {
  name: string;
  /** Another model at each call, as it is before training. */
  make: () => Promise<tf.LayersModel>;
  xs: Data;
  ys: Data;
  examples: number;
  batchSize: number;
}

/** What `fit` takes by default. */
const BATCH_SIZE = 32;
const HINT = 'export const model = () => makeAndCompile(), data = { xs, ys }, batchSize = 32';

const wrong = (file: string, reason: Reason): BnTrainError =>
  cannot(`measure ${path.basename(file)}`, { exitCode: EXIT.usage, ...reason });

/** Loads the file. Throws a BnTrainError for what is no such file, and for exports that are not as they have to be. */
export async function loadModelFile(file: string, batchSize?: number): Promise<ModelFile> {
  const exported = await load(file);
  const { model, data, batchSize: own = BATCH_SIZE } = exported;
  if (model === undefined || data === undefined) {
    const names = Object.keys(exported).filter((name) => !/^(default|module\.exports)$/.test(name));
    const got = names.length === 0 ? 'no exports' : `the exports ${names.join(', ')}`;
    throw wrong(file, { expected: 'the exports model and data', got, hint: HINT });
  }
  if (!(Number.isSafeInteger(own) && (own as number) >= 1))
    throw wrong(file, { expected: 'batchSize to be a whole number from 1', got: shown(own) });
  const { xs, ys, examples } = await dataOf(file, data);
  return { name: path.basename(file), make: maker(file, model), xs, ys, examples, batchSize: batchSize ?? Number(own) };
}

async function load(file: string): Promise<Record<string, unknown>> {
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    (error: unknown) => describeFileError(error),
  );
  if (isFile !== true)
    throw wrong(file, {
      expected: 'a JavaScript file',
      got: isFile === false ? 'a folder' : isFile,
      hint: '--model FILE',
    });
  const exported = await attempt(
    () => import(pathToFileURL(path.resolve(file)).href) as Promise<Record<string, unknown>>,
    (got, cause) =>
      wrong(file, { expected: 'a JavaScript module that loads', got, hint: '--verbose shows where', cause }),
  );
  // Of a CommonJS module this is all that it exports.
  const { default: whole } = exported;
  return typeof whole === 'object' && whole !== null ? { ...whole, ...exported } : exported;
}

/** What is a user's may throw anything. */
async function attempt<T>(
  action: () => T | Promise<T>,
  failed: (got: string, cause: unknown) => BnTrainError,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw failed(messageOf(error), error);
  }
}

/** A model that comes twice is copied, before anybody trains it. */
function maker(file: string, exported: unknown): ModelFile['make'] {
  const made = new Set<tf.LayersModel>();
  return async () => {
    const given = await attempt(
      () => (typeof exported === 'function' ? (exported as () => unknown)() : exported),
      (got, cause) => wrong(file, { expected: 'model() to make a model', got, hint: '--verbose shows where', cause }),
    );
    const model = compiledModel(file, given);
    if (made.has(model)) return copyOf(file, model);
    made.add(model);
    return model;
  };
}

function compiledModel(file: string, given: unknown): tf.LayersModel {
  if (!(given instanceof tf.LayersModel)) {
    const [expected, got] = ['model to be a LayersModel, or a function that makes one', whatIs(given)];
    throw wrong(file, { expected, got, hint: HINT });
  }
  if ((given.optimizer as tf.Optimizer | null | undefined) == null) {
    const hint = "model.compile({ optimizer: 'adam', loss: 'meanSquaredError' }) before it is exported";
    throw wrong(file, { expected: 'a compiled model', got: 'one without an optimizer', hint });
  }
  return given;
}

/** "a GraphModel", "an array". */
function whatIs(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return kindOf(value);
  if (value instanceof tf.Tensor) return 'a tensor that is disposed';
  if ('trainOnBatch' in value) return 'one of another copy of TensorFlow.js';
  const { name } = value.constructor;
  return name === 'Object' ? kindOf(value) : `a ${name}`;
}

type Optimizer = tf.Optimizer & { constructor: { fromConfig: (cls: unknown, config: unknown) => tf.Optimizer } };

function copyOf(file: string, model: tf.LayersModel): Promise<tf.LayersModel> {
  return attempt(
    async () => {
      const copy = modelFrom(model, model.getConfig());
      copyWeights(model, copy);
      const { constructor: optimizerClass } = model.optimizer as Optimizer;
      const optimizer = optimizerClass.fromConfig(optimizerClass, model.optimizer.getConfig());
      copy.compile({ optimizer, loss: model.loss, metrics: model.metrics });
      // What it has learned of the gradients, if it was trained already.
      await optimizer.setWeights(await model.optimizer.getWeights());
      return copy;
    },
    (got, cause) =>
      wrong(file, { expected: 'a model that can be copied', got, hint: 'export a function that makes it', cause }),
  );
}

async function dataOf(file: string, exported: unknown): Promise<Pick<ModelFile, 'xs' | 'ys' | 'examples'>> {
  const data = await attempt(
    () => (typeof exported === 'function' ? (exported as () => unknown)() : exported),
    (got, cause) => wrong(file, { expected: 'data() to make data', got, hint: '--verbose shows where', cause }),
  );
  const { xs, ys } = Object(data) as Partial<Record<'xs' | 'ys', unknown>>;
  for (const [name, value] of Object.entries({ xs, ys }))
    if (!isData(value)) {
      const expected = `${name} of data to be a tensor, a list of them, or an object of them by name`;
      throw wrong(file, { expected, got: whatIs(value), hint: HINT });
    }
  const counts = [xs, ys].flatMap((part) => tensorsIn(part as Data)).map(({ shape: [count = 0] }) => count);
  const [examples = 0] = counts;
  if (examples === 0 || counts.some((count) => count !== examples))
    throw wrong(file, { expected: 'tensors of as many examples each, and of at least one', got: counts.join(', ') });
  return { xs: xs as Data, ys: ys as Data, examples };
}

function isData(value: unknown): value is Data {
  if (value instanceof tf.Tensor) return !value.isDisposed;
  const parts = typeof value === 'object' && value !== null ? Object.values(value) : [];
  return parts.length > 0 && parts.every((part) => part instanceof tf.Tensor && !part.isDisposed);
}

export function tensorsIn(data: Data): tf.Tensor[] {
  return data instanceof tf.Tensor ? [data] : Object.values(data);
}

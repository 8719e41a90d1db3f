/** The private parts of tfjs's models that acceleration stands on, in the versions that are known to have them. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../../common/errors.js';
import { Exchange } from '../record/host.js';
import {
  batchesOf,
  type Data,
  type Kind,
  type ModelFunction,
  preparing,
  type Runner,
  sizesOf,
  specsOf,
} from './calls.js';

type Tensors = tf.Tensor | tf.Tensor[];
type Arguments = Readonly<Record<string, unknown>>;

/** Of a LayersModel; a Sequential has one in `model`, another one each time that it is built. */
export interface PrivateModel {
  readonly name: string;
  readonly layers: readonly tf.layers.Layer[];
  readonly weights: readonly tf.LayerVariable[];
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly optimizer_?: tf.Optimizer;
  readonly collectedTrainableWeights?: readonly tf.LayerVariable[];
  readonly loss?: unknown;
  readonly metrics?: unknown;
  readonly lossFunctions?: readonly unknown[];
  readonly metricsTensors?: readonly (readonly [metric: unknown, output: unknown])[];
  testFunction?: ModelFunction;
  makeTrainFunction: () => ModelFunction;
  makeTestFunction: () => void;
  predictLoop: (inputs: Tensors, batchSize?: number, verbose?: boolean) => Tensors;
  fitLoop: (...given: unknown[]) => Promise<unknown>;
  standardizeUserDataXY: (x: unknown, y: unknown) => [Data, Data];
  trainOnBatch: (x: unknown, y: unknown) => Promise<unknown>;
  fitDataset: (dataset: object, args?: Arguments) => Promise<unknown>;
  evaluateDataset: (dataset: object, args?: Arguments) => Promise<unknown>;
}

/** Those of tfjs-layers that have these parts. */
const VERSIONS = /^4\.(?:1[0-9]|2[0-2])\.0$/;

const DOING = 'accelerate the model';

/** Throws a BnTrainError for what is no model of this copy of tfjs. */
export function assertModel(model: unknown): asserts model is tf.LayersModel {
  // tfjs's own check reads properties of null.
  if (model == null || !(model instanceof tf.LayersModel))
    throw cannot(DOING, {
      expected: 'a sequential or functional model of the same copy of TensorFlow.js',
      got: model == null ? String(model) : `an object of the class ${model.constructor.name}`,
      hint: 'npm ls @tensorflow/tfjs shows the copies, npm dedupe leaves one',
    });
}

/** Throws a BnTrainError for a version whose models nobody has looked into. */
export function assertVersion(version = tf.version['tfjs-layers']): void {
  if (!VERSIONS.test(version))
    throw cannot(DOING, {
      expected: 'tfjs-layers from 4.10.0 to 4.22.0, whose models are known from within',
      got: version,
      hint: 'npm install @tensorflow/tfjs@4.22.0',
    });
}

/** What trains and predicts: the model itself, or what a Sequential has built; undefined before that. */
export function innerOf(model: tf.LayersModel): PrivateModel | undefined {
  const inner: unknown = model instanceof tf.Sequential ? Reflect.get(model, 'model') : model;
  return inner as PrivateModel | undefined;
}

/** What a compiled model has now, each another one after the next `compile`. */
export function compiledOf(model: PrivateModel) {
  const { optimizer_: optimizer, collectedTrainableWeights: trainable, lossFunctions, metricsTensors } = model;
  return { optimizer, trainable, identities: [optimizer, trainable, lossFunctions, metricsTensors] };
}

/** The functions that tfjs runs op by op. */
export function stockFunctions(model: PrivateModel): Readonly<Record<Kind, ModelFunction>> {
  const { testFunction } = model;
  model.makeTestFunction();
  const test = model.testFunction as ModelFunction;
  Object.assign(model, { testFunction });
  const predictLoop = model.predictLoop.bind(model);
  const predict: ModelFunction = (data) => [predictLoop(data as tf.Tensor[], data[0]?.shape[0])].flat();
  return { train: model.makeTrainFunction(), test, predict };
}

/** Has a runner called in the place of these functions, and told beforehand of the batches that are to come. */
export function takeOver(model: PrivateModel, runner: Runner): Exchange {
  const exchange = new Exchange();
  const { predictLoop, fitLoop, trainOnBatch, fitDataset, evaluateDataset } = model;
  const put = <Name extends keyof PrivateModel>(name: Name, value: PrivateModel[Name]) =>
    exchange.put(model, name, value);
  const test: ModelFunction = (data) => tf.tidy(() => runner.run('test', data));

  const standardSpecs = (x: unknown, y: unknown) => {
    tf.engine().startScope();
    try {
      return specsOf(model.standardizeUserDataXY(x, y).flat());
    } finally {
      tf.engine().endScope();
    }
  };
  put('makeTrainFunction', () => (data) => runner.run('train', data));
  put('makeTestFunction', () => {
    model.testFunction = test;
  });
  put('predictLoop', (given, batchSize = 32, verbose = false) => {
    const inputs = [given].flat();
    const rows = inputs[0]?.shape[0] ?? 0;
    if (verbose || rows === 0) return predictLoop.call(model, given, batchSize, verbose);
    return tf.tidy(() => {
      const results = batchesOf(inputs, batchSize).map((batch) => runner.run('predict', batch));
      const outputs = (results[0] ?? []).map((_, i) => tf.concat(results.map((result) => result[i] as tf.Tensor)));
      return outputs.length === 1 ? (outputs[0] as tf.Tensor) : outputs;
    });
  });
  put('fitLoop', async (...given) => {
    const [, data, , batchSize = 32, , , , , validation] = given as [unknown, Data, unknown, number?, ...unknown[]];
    const ahead = (kind: Kind, whole: Data) =>
      sizesOf(whole, batchSize).map((rows) => ({ kind, specs: specsOf(whole, rows) }));
    await runner.prepare([...ahead('train', data), ...ahead('test', (validation as Data | null) ?? [])]);
    return fitLoop.apply(model, given);
  });
  put('trainOnBatch', async (x, y) => {
    await runner.prepare([{ kind: 'train', specs: standardSpecs(x, y) }]);
    return trainOnBatch.call(model, x, y);
  });
  const named = { xs: model.inputNames, ys: model.outputNames };
  put('fitDataset', (dataset, args) => {
    const weights = weightsIn(args?.['classWeight'], model.outputNames);
    const look = (data: Data) => {
      const [rows = 0] = data[0]?.shape ?? [];
      const weighing = weights.map((weighs) => (weighs ? ({ shape: [rows], dtype: 'float32' } as const) : null));
      return runner.prepare([{ kind: 'train', specs: [...specsOf(data), ...weighing] }]);
    };
    return fitDataset.call(model, preparing(dataset, named, look), args);
  });
  put('evaluateDataset', (dataset, args) => {
    const look = (data: Data) => runner.prepare([{ kind: 'test', specs: specsOf(data) }]);
    return evaluateDataset.call(model, preparing(dataset, named, look), args);
  });
  return exchange;
}

/** For each output whether its examples are weighed. */
function weightsIn(classWeight: unknown, outputs: readonly string[]): boolean[] {
  if (classWeight == null) return [];
  const named = classWeight as Record<string, unknown>;
  return outputs.map((name, i) => outputs.length === 1 || (Array.isArray(named) ? named[i] : named[name]) != null);
}

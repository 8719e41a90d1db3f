/** A sequential model as the few kinds of steps that can be written for other runtimes, with its weights. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';

export interface Weights {
  shape: number[];
  values: Float32Array;
}

type Pair = [height: number, width: number];

/** Of an image: its windows' size is the kernel's, or `size`. */
interface Windows {
  strides: Pair;
  padding: 'valid' | 'same';
}

export type Step =
  /** The kernel is [height, width, input channels, output channels]. */
  | ({ kind: 'convolution'; kernel: Weights; bias: Weights | undefined } & Windows)
  | ({ kind: 'pooling'; of: 'average' | 'max'; size: Pair } & Windows)
  /** The kernel is [inputs, outputs]. */
  | { kind: 'dense'; kernel: Weights; bias: Weights | undefined }
  | { kind: 'activation'; of: Activation }
  /** To [batch, size]; channels move fastest, then columns, then rows. */
  | { kind: 'flatten'; size: number };

const ACTIVATIONS = ['sigmoid', 'relu', 'tanh'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** From images [batch, height, width, channels] to logits [batch, classes]. */
export interface Network {
  image: number[];
  classes: number;
  steps: Step[];
}

type Layer = tf.layers.Layer;
interface Config {
  activation?: string;
  strides?: number | Pair;
  poolSize?: number | Pair;
  padding?: 'valid' | 'same';
  dataFormat?: string;
  dilationRate?: number | Pair;
}

/** By the class of a layer, what it computes before its activation. */
const STEPS: Readonly<Record<string, (layer: Layer, config: Config) => Promise<Step[]>>> = {
  Conv2D: async (layer, config) => [{ kind: 'convolution', ...(await weightsOf(layer)), ...windowsOf(config) }],
  Dense: async (layer) => [{ kind: 'dense', ...(await weightsOf(layer)) }],
  AveragePooling2D: (_, config) => Promise.resolve([poolingOf('average', config)]),
  MaxPooling2D: (_, config) => Promise.resolve([poolingOf('max', config)]),
  Flatten: ({ outputShape }) => Promise.resolve([{ kind: 'flatten', size: (outputShape as number[])[1] ?? 0 }]),
  Activation: () => Promise.resolve([]),
};

/** Throws a BnTrainError that names the first layer which has no step here. */
export async function networkOf(model: tf.Sequential): Promise<Network> {
  const steps: Step[] = [];
  for (const layer of model.layers) {
    const config = layer.getConfig() as Config;
    const { activation = 'linear', dataFormat = 'channelsLast', dilationRate = 1 } = config;
    const make = STEPS[layer.getClassName()];
    if (!make) throw refusal(layer, Object.keys(STEPS).join(', '), layer.getClassName());
    if (dataFormat !== 'channelsLast') throw refusal(layer, 'channels last', dataFormat);
    if ([dilationRate].flat().some((rate) => rate !== 1))
      throw refusal(layer, 'no dilation', [dilationRate].flat().join(' by '));
    steps.push(...(await make(layer, config)));
    const known = ACTIVATIONS.find((name) => name === activation);
    if (known) steps.push({ kind: 'activation', of: known });
    else if (activation !== 'linear') throw refusal(layer, `one of ${ACTIVATIONS.join(', ')}`, activation);
  }
  const [image, logits] = [model.inputs[0]?.shape.slice(1), model.outputs[0]?.shape];
  return { image: image as number[], classes: logits?.at(-1) ?? 0, steps };
}

async function weightsOf({ weights: [kernel, bias] }: Layer) {
  return { kernel: await read(kernel as Layer['weights'][number]), bias: bias && (await read(bias)) };
}

async function read(weight: Layer['weights'][number]): Promise<Weights> {
  return { shape: weight.shape as number[], values: await weight.read().data<'float32'>() };
}

function pairOf(value: number | Pair = 1): Pair {
  return typeof value === 'number' ? [value, value] : value;
}

function windowsOf({ strides, padding = 'valid' }: Config): Windows {
  return { strides: pairOf(strides), padding };
}

function poolingOf(of: 'average' | 'max', config: Config): Step {
  return { kind: 'pooling', of, size: pairOf(config.poolSize), ...windowsOf(config) };
}

function refusal({ name }: Layer, expected: string, got: string) {
  return cannot(`export the layer ${name}`, { expected, got });
}

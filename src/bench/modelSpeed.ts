/** One model trained as TensorFlow.js does and accelerated: some steps from the same start, and what speeds are made of. */
import * as tf from '@tensorflow/tfjs';
import { BnTrainError, cannot, messageOf } from '../common/errors.js';
import { accelerate } from '../graph/accelerate/accelerate.js';
import { breathe } from '../train/evaluate.js';
import { type Data, type ModelFile, tensorsIn } from './modelFile.js';
import type { Hello, Pace, Program } from './program.js';

/** Of these the losses and weights are compared. */
const FIRST_STEPS = 10;

/** tfjs does not export its names of these numbers. */
const SILENT = { verbose: 0 };

/** The largest ones between two trainings: of any step's loss, and of any weight after the last step. */
export interface Difference {
  loss: number;
  weight: number;
}

export interface FirstSteps {
  /** Of each step by its own batch, as TensorFlow.js trains. */
  losses: number[];
  /** From stock. */
  accelerated: Difference;
  /** From another stock training: not zero where a model draws random numbers. */
  stock: Difference;
  /** How long they took, compiling included. */
  seconds: Record<Contestant, number>;
}

type Contestant = 'stock' | 'accelerated';

interface Options {
  versions: Hello['versions'];
  threads: number;
  signal: AbortSignal;
}

/** The two contestants train on the file's data, in its order, and go on from turn to turn. */
export class ModelPair implements Program<Pace> {
  readonly hello: Hello;

  private constructor(
    private readonly file: ModelFile,
    private readonly models: Record<Contestant, tf.LayersModel>,
    readonly firstSteps: FirstSteps,
    private readonly acceleration: { release: () => void },
    private readonly options: Options,
  ) {
    const { versions, threads } = options;
    this.hello = { program: file.name, versions, threads, contestants: Object.keys(models) };
  }

  /** Throws a BnTrainError for a model that cannot be trained on its data, or not be compiled. */
  static async open(file: ModelFile, options: Options): Promise<ModelPair> {
    const [stock, again, accelerated] = [await file.make(), await file.make(), await file.make()];
    for (const model of [again, accelerated]) startAs(file, stock, model);
    const acceleration = await accelerate(accelerated, { strict: true });
    const one = await follow(file, stock, options.signal);
    const two = await follow(file, again, options.signal);
    const fast = await follow(file, accelerated, options.signal);
    const firstSteps = {
      losses: one.losses,
      accelerated: difference(one, fast),
      stock: difference(one, two),
      seconds: { stock: one.seconds, accelerated: fast.seconds },
    };
    return new ModelPair(file, { stock, accelerated }, firstSteps, acceleration, options);
  }

  /** How many layers, and numbers in all of them. */
  get size(): { layers: number; parameters: number } {
    const { layers } = this.models.stock;
    return { layers: layers.length, parameters: this.models.stock.countParams() };
  }

  /** Whole passes over as many examples as so many steps take, or over all. */
  async run(name: string, steps: number): Promise<Pace> {
    await breathe(this.options.signal);
    const plan = planFor(this.file, steps);
    const started = performance.now();
    await fit(this.file, this.models[name as Contestant], plan);
    const seconds = (performance.now() - started) / 1000;
    dispose(plan);
    return { ...plan.pace, seconds };
  }

  close(): Promise<void> {
    this.acceleration.release();
    return Promise.resolve();
  }
}

/** The file may make each model with weights of its own. */
function startAs({ name }: ModelFile, from: tf.LayersModel, to: tf.LayersModel): void {
  const shapes = ({ weights }: tf.LayersModel) => weights.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');
  if (shapes(from) !== shapes(to))
    throw cannot(`measure ${name}`, {
      expected: 'model() to make the same model each time',
      got: `weights of shape ${shapes(from)}, then ${shapes(to)}`,
    });
  to.setWeights(from.getWeights());
}

interface Plan {
  xs: Data;
  ys: Data;
  epochs: number;
  pace: Pick<Pace, 'steps' | 'examples'>;
}

function planFor({ xs, ys, examples, batchSize }: ModelFile, steps: number): Plan {
  const taken = Math.min(examples, steps * batchSize);
  const perEpoch = Math.ceil(taken / batchSize);
  const epochs = Math.ceil(steps / perEpoch);
  const pace = { steps: epochs * perEpoch, examples: epochs * taken };
  return { xs: firstOf(xs, taken), ys: firstOf(ys, taken), epochs, pace };
}

function dispose({ xs, ys }: Plan): void {
  for (const tensor of [...tensorsIn(xs), ...tensorsIn(ys)]) tensor.dispose();
}

function firstOf(data: Data, count: number): Data {
  const first = (tensor: tf.Tensor) => tensor.slice(0, count);
  if (data instanceof tf.Tensor) return first(data);
  if (Array.isArray(data)) return data.map(first);
  return Object.fromEntries(Object.entries(data).map(([name, tensor]) => [name, first(tensor)]));
}

async function fit(
  { name, batchSize }: ModelFile,
  model: tf.LayersModel,
  { xs, ys, epochs }: Plan,
  callbacks?: tf.CustomCallbackArgs,
): Promise<void> {
  try {
    await model.fit(xs, ys, { batchSize, epochs, shuffle: false, ...SILENT, ...(callbacks && { callbacks }) });
  } catch (error) {
    // What cannot be compiled says so itself.
    if (error instanceof BnTrainError) throw error;
    throw cannot(`train the model of ${name}`, { expected: 'data that it takes', got: messageOf(error), cause: error });
  }
}

interface Followed {
  losses: number[];
  weights: (Float32Array | Int32Array | Uint8Array)[];
  seconds: number;
}

async function follow(file: ModelFile, model: tf.LayersModel, signal: AbortSignal): Promise<Followed> {
  await breathe(signal);
  const plan = planFor(file, FIRST_STEPS);
  const losses: number[] = [];
  const started = performance.now();
  await fit(file, model, plan, { onBatchEnd: (_, logs) => void losses.push(logs?.['loss'] as number) });
  const seconds = (performance.now() - started) / 1000;
  dispose(plan);
  const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
  if (wrong >= 0)
    throw cannot(`measure ${file.name}`, {
      expected: 'losses that are finite',
      got: `${losses[wrong] ?? 'none'} at step ${wrong + 1}`,
      hint: 'a smaller learning rate, or other data',
    });
  return { losses, weights: model.getWeights().map((weight) => weight.dataSync()), seconds };
}

function difference(a: Followed, b: Followed): Difference {
  return {
    loss: largest(a.losses, b.losses),
    weight: Math.max(0, ...a.weights.map((weight, i) => largest(weight, b.weights[i] ?? []))),
  };
}

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  // NaN stays.
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)));
  return most;
}

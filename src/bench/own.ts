/** This project's contestants: LeNet with each kind of normalization, its step run in each way there is. */
import type * as tf from '@tensorflow/tfjs';
import { batches, shuffledOrder } from '../data/batches.js';
import type { Dataset } from '../data/fashionMnist.js';
import { cannot, EXIT } from '../errors.js';
import { lenet, type Norm } from '../nn/lenet.js';
import { breathe } from '../train/evaluate.js';
import { DeviceDataset, eagerStep, type Step } from '../train/step.js';
import type { Hello, Program, Turn } from './program.js';

type OpenStep = (model: tf.Sequential, data: DeviceDataset, learningRate: number) => Step | Promise<Step>;

/** The ways to run a step; the first is the one that training takes. */
const OPENERS: Record<string, OpenStep> = { eager: eagerStep };

const LEARNING_RATE = 1;
const SEED = 1;

export interface OwnOptions {
  norms: Norm[];
  /** All there are if left out. */
  modes?: string[] | undefined;
  batchSize: number;
  data: Dataset;
  versions: Record<string, string>;
  threads: number;
  signal?: AbortSignal | undefined;
}

/** The modes asked for, or all, each with its way to run a step. Throws a BnTrainError for a mode that there is not. */
export function stepOpeners(modes: string[] = Object.keys(OPENERS)): [mode: string, open: OpenStep][] {
  return modes.map((mode) => {
    const open = OPENERS[mode];
    if (open) return [mode, open];
    throw cannot(`measure the mode ${mode}`, {
      expected: Object.keys(OPENERS).join(' or '),
      got: mode,
      hint: 'name other --modes, or leave them out for all',
      exitCode: EXIT.usage,
    });
  });
}

/** Measures in this very process, on the backend that is open. */
export class OwnProgram implements Program {
  readonly hello: Hello;
  private readonly all: Map<string, Contestant>;
  private readonly data: DeviceDataset;

  constructor({ norms, modes, batchSize, data, versions, threads, signal }: OwnOptions) {
    this.data = new DeviceDataset(data);
    const openers = stepOpeners(modes);
    const named = norms.flatMap((norm) =>
      openers.map(([mode, open]) => {
        const build = () => openTrainee(lenet({ norm, seed: SEED }), open, this.data);
        return [`${norm}/${mode}`, new Contestant(build, endlessRows(data.count, batchSize), signal)] as const;
      }),
    );
    this.all = new Map(named);
    this.hello = { program: 'bn-train', versions, threads, contestants: [...this.all.keys()] };
  }

  async run(name: string, steps: number): Promise<Turn> {
    const contestant = this.all.get(name);
    if (!contestant) throw cannot('measure', { expected: this.hello.contestants.join(', '), got: name });
    return contestant.run(steps);
  }

  close(): Promise<void> {
    for (const contestant of this.all.values()) contestant.dispose();
    this.data.dispose();
    return Promise.resolve();
  }
}

interface Trainee {
  model: tf.Sequential;
  step: Step;
}

async function openTrainee(model: tf.Sequential, open: OpenStep, data: DeviceDataset): Promise<Trainee> {
  return { model, step: await open(model, data, LEARNING_RATE) };
}

/** One model and its step, trained a little further each turn; built when it first runs. */
class Contestant {
  private trainee: Trainee | undefined;

  constructor(
    private readonly build: () => Promise<Trainee>,
    private readonly rows: Generator<Int32Array, never>,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async run(steps: number): Promise<Turn> {
    const { step } = (this.trainee ??= await this.build());
    const sums = { loss: 0, correct: 0, examples: 0 };
    const started = performance.now();
    for (let i = 0; i < steps; i++) {
      const rows = this.rows.next().value;
      const { loss, correct } = step.run(rows);
      sums.loss += loss * rows.length;
      sums.correct += correct;
      sums.examples += rows.length;
      await breathe(this.signal);
    }
    const seconds = (performance.now() - started) / 1000;
    const { loss, correct, examples } = sums;
    const peakMemory = process.resourceUsage().maxRSS * 1024;
    return { steps, examples, seconds, loss: loss / examples, accuracy: correct / examples, peakMemory };
  }

  dispose(): void {
    this.trainee?.step.dispose();
    this.trainee?.model.dispose();
  }
}

/** Epoch after epoch. The first has two whole batches left, so that warming up meets the smaller last one too. */
function* endlessRows(count: number, batchSize: number): Generator<Int32Array, never> {
  let start = Math.max(0, Math.floor(count / batchSize) - 2) * batchSize;
  for (let epoch = 1; ; epoch++, start = 0)
    yield* batches(shuffledOrder(count, SEED, epoch).subarray(start), batchSize);
}

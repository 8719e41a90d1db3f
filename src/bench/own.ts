/** This project's contestants: LeNet with each kind of normalization, its step run in each way there is. */
import { batches, shuffledOrder } from '../data/batches.js';
import type { FashionMnist } from '../data/fashionMnist.js';
import { cannot, EXIT } from '../errors.js';
import { lenet, type Norm } from '../nn/lenet.js';
import { breathe } from '../train/evaluate.js';
import { defaultMode, type Mode } from '../train/runner.js';
import { Trainer } from '../train/trainer.js';
import type { Hello, Program, Turn } from './program.js';

const LEARNING_RATE = 1;
const SEED = 1;

export interface OwnOptions {
  norms: Norm[];
  /** All there are if left out. */
  modes?: Mode[] | undefined;
  batchSize: number;
  data: Pick<FashionMnist, 'train' | 'test'>;
  versions: Record<string, string>;
  threads: number;
  signal?: AbortSignal | undefined;
}

/** Those that the open backend has; the first is the one that training takes. */
function modesHere(): Mode[] {
  return defaultMode() === 'graph' ? ['graph', 'eager'] : ['eager'];
}

/** The modes asked for, or all. Throws a BnTrainError for a mode that there is not. */
function chooseModes(modes?: Mode[]): Mode[] {
  const here = modesHere();
  for (const mode of modes ?? [])
    if (!here.includes(mode))
      throw cannot(`measure the mode ${mode}`, {
        expected: `${here.join(' or ')} on this backend`,
        got: mode,
        hint: '--backend native has both',
        exitCode: EXIT.usage,
      });
  return modes ?? here;
}

/** Measures in this very process, on the backend that is open. */
export class OwnProgram implements Program {
  readonly hello: Hello;
  private readonly all: Map<string, Contestant>;

  constructor({ norms, modes, batchSize, data, versions, threads, signal }: OwnOptions) {
    const named = norms.flatMap((norm) =>
      chooseModes(modes).map((mode) => {
        const build = () =>
          Trainer.open({ model: lenet({ norm, seed: SEED }), data, batchSize, learningRate: LEARNING_RATE, mode });
        return [`${norm}/${mode}`, new Contestant(build, endlessRows(data.train.count, batchSize), signal)] as const;
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
    return Promise.resolve();
  }
}

/** One model and its step, trained a little further each turn; built when it first runs. */
class Contestant {
  private trainer: Trainer | undefined;

  constructor(
    private readonly build: () => Promise<Trainer>,
    private readonly rows: Generator<Int32Array, never>,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async run(steps: number): Promise<Turn> {
    const trainer = (this.trainer ??= await this.build());
    const sums = { loss: 0, correct: 0, examples: 0 };
    const started = performance.now();
    for (let i = 0; i < steps; i++) {
      const rows = this.rows.next().value;
      const { loss, correct } = trainer.step(rows);
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
    this.trainer?.dispose();
    this.trainer?.model.dispose();
  }
}

/** Epoch after epoch. The first has two whole batches left, so that warming up meets the smaller last one too. */
function* endlessRows(count: number, batchSize: number): Generator<Int32Array, never> {
  let start = Math.max(0, Math.floor(count / batchSize) - 2) * batchSize;
  for (let epoch = 1; ; epoch++, start = 0)
    yield* batches(shuffledOrder(count, SEED, epoch).subarray(start), batchSize);
}

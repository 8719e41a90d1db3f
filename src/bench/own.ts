/** This project's contestants: LeNet with each kind of normalization, its step run in each way there is. */
import { batches, calls, shuffledOrder } from '../data/batches.js';
import type { Datasets } from '../data/idx.js';
import { cannot, EXIT } from '../common/errors.js';
import { lenet, type Norm } from '../nn/lenet.js';
import { breathe } from '../train/evaluate.js';
import { defaultMode, MANY } from '../train/step.js';
import { Trainer } from '../train/trainer.js';
import type { Hello, Program, Turn } from './program.js';

/** Ways to run a step: op by op, as a graph, fused or not, many in one call of a graph, or as one of the last two compiled by XLA. */
const BENCH_MODES = {
  fused: { mode: 'fused', stepsPerCall: 1, xla: false },
  graph: { mode: 'graph', stepsPerCall: 1, xla: false },
  eager: { mode: 'eager', stepsPerCall: 1, xla: false },
  loop: { mode: 'graph', stepsPerCall: MANY, xla: false },
  xla: { mode: 'graph', stepsPerCall: 1, xla: true },
  'loop+xla': { mode: 'graph', stepsPerCall: MANY, xla: true },
} as const;
export type BenchMode = keyof typeof BENCH_MODES;

const LEARNING_RATE = 1;
const SEED = 1;

interface OwnOptions {
  norms: Norm[];
  /** Default: those worth comparing on this device. */
  modes?: BenchMode[] | undefined;
  batchSize: number;
  data: Datasets;
  versions: Record<string, string>;
  threads: number;
  /** Why not on the best of what was asked for. */
  fallback?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** The modes asked for, or those that tell most; of these the first is the one that training takes. */
function chooseModes(modes?: BenchMode[]): BenchMode[] {
  const best = defaultMode();
  if (best !== 'eager') return modes ?? (best === 'fused' ? ['fused', 'graph', 'eager'] : ['loop', 'graph', 'eager']);
  const wrong = modes?.find((mode) => mode !== 'eager');
  if (wrong === undefined) return ['eager'];
  const [expected, hint] = ['eager on this backend', '--backend native has them all'];
  throw cannot(`measure the mode ${wrong}`, { expected, got: wrong, hint, exitCode: EXIT.usage });
}

/** Fused steps that cannot be had are graphs, which are not to be measured for them. */
function assertMode(mode: BenchMode, trainer: Trainer): Trainer {
  const { mode: got, kernels } = trainer.how;
  if (got === BENCH_MODES[mode].mode) return trainer;
  trainer.dispose();
  const why = kernels && 'reason' in kernels ? kernels.reason : 'they are for the CPU';
  throw cannot(`measure the mode ${mode}`, { expected: 'fused kernels', got: why, hint: '--modes graph,eager' });
}

/** Measures in this very process, on the backend that is open. */
export class OwnProgram implements Program {
  readonly hello: Hello;
  private readonly all = new Map<string, Contestant>();

  constructor({ norms, modes, batchSize, data, versions, threads, fallback, signal }: OwnOptions) {
    const { height, width } = data.train;
    const chosen = chooseModes(modes);
    for (const norm of norms)
      for (const mode of chosen) {
        const build = async () => {
          const model = lenet({ norm, seed: SEED, classes: data.classes, height, width });
          const how = { batchSize, learningRate: LEARNING_RATE, ...BENCH_MODES[mode] };
          return assertMode(mode, await Trainer.open({ model, data, ...how }));
        };
        const rows = endlessRows(data.train.count, batchSize);
        this.all.set(`${norm}/${mode}`, new Contestant(build, rows, signal));
      }
    const contestants = [...this.all.keys()];
    this.hello = { program: 'bn-train', versions, threads, contestants, ...(fallback !== undefined && { fallback }) };
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
    let [loss, correct, examples] = [0, 0, 0];
    const started = performance.now();
    const batches = Array.from({ length: steps }, () => this.rows.next().value);
    for (const call of calls(batches, { most: trainer.stepsPerCall })) {
      for (const [i, result] of trainer.step(call).entries()) {
        const size = call[i]?.length ?? 0;
        loss += result.loss * size;
        correct += result.correct;
        examples += size;
      }
      await breathe(this.signal);
    }
    const seconds = (performance.now() - started) / 1000;
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

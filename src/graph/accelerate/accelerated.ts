/** A model while it is accelerated: its functions are exchanged, also where a Sequential is built anew, until it is released. */
import * as tf from '@tensorflow/tfjs';
import type { BnTrainError } from '../../common/errors.js';
import { printable } from '../../common/format.js';
import { requireNative } from '../binding.js';
import { type Generator, generator } from '../random.js';
import { Exchange } from '../record/host.js';
import { drawsBy } from '../record/layers.js';
import { assertVersion, innerOf, type PrivateModel, takeOver } from './privates.js';
import { CompiledModel } from './compiledModel.js';

export interface AccelerateOptions {
  /**
   * On the CPU: code made for this model and this CPU, for what `fit`, `fitDataset`, `trainOnBatch` and `evaluateDataset`
   * run; the first time it takes a C++ compiler some seconds. Default true.
   */
  fuse?: boolean;
  /** Throws where something cannot be compiled. By default that runs op by op, as one line on stderr says. */
  strict?: boolean;
  /** What dropouts and noises of layers without a seed of their own draw by, a whole number. Default: another one each time. */
  seed?: number;
}

export interface Acceleration {
  /** What is compiled by now: functions of the model and the batches that they take. */
  readonly compiled: readonly string[];
  /** Why something runs op by op. */
  readonly refused: readonly string[];
  /** Has the model run op by op again, and frees all that was made for it. */
  release: () => void;
}

interface Running {
  readonly inner: PrivateModel;
  readonly compiled: CompiledModel;
  readonly functions: Exchange;
}

export class Accelerated implements Acceleration {
  readonly refused: string[] = [];
  private readonly around = new Exchange();
  private running: Running | undefined;
  private dice: Generator | undefined;

  constructor(
    private readonly model: tf.LayersModel,
    private readonly options: AccelerateOptions,
  ) {
    try {
      assertVersion();
      requireNative('accelerate the model');
    } catch (error) {
      if (options.strict) throw error;
      this.tell(error as BnTrainError);
      return;
    }
    this.dice = generator(options.seed);
    this.follow();
    const [build, dispose] = [model.build.bind(model), model.dispose.bind(model)];
    if (model instanceof tf.Sequential)
      this.around.put(model, 'build', (...given: Parameters<typeof build>) => {
        build(...given);
        this.follow();
      });
    this.around.put(model, 'dispose', () => {
      const result = dispose();
      if (result.refCountAfterDispose === 0) this.release();
      return result;
    });
  }

  get compiled(): string[] {
    return this.running?.compiled.names ?? [];
  }

  readonly release = (): void => {
    this.around.putBack();
    this.stop();
    this.dice?.dispose();
    this.dice = undefined;
  };

  /** Starts on what trains and predicts now, which a Sequential makes anew when it is built. */
  private follow(): void {
    const inner = innerOf(this.model);
    if (!this.dice || !inner || inner === this.running?.inner) return;
    this.stop();
    const compiled = new CompiledModel(inner, {
      fuse: this.options.fuse ?? true,
      draws: drawsBy(this.dice),
      strict: this.options.strict ?? false,
      tell: (why) => this.tell(why),
    });
    this.running = { inner, compiled, functions: takeOver(inner, compiled) };
  }

  private stop(): void {
    this.running?.functions.putBack();
    this.running?.compiled.release();
    this.running = undefined;
  }

  private tell(why: BnTrainError): void {
    const line = `${why.message}: it runs op by op`;
    if (this.refused.includes(line)) return;
    this.refused.push(line);
    process.stderr.write(`${printable(line)}\n`);
  }
}

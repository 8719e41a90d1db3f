/** The functions of one model as compiled steps: each made for a shape when it first comes, all dropped when the model changes. */
import type * as tf from '@tensorflow/tfjs';
import { BnTrainError, cannot } from '../../common/errors.js';
import { type NativeBackend, nativeBackend } from '../binding.js';
import { fusedOf, openSteps } from '../compile.js';
import type { CompiledSteps } from '../compiledSteps.js';
import { describe } from '../inputs.js';
import { isWatched } from '../record/guard.js';
import type { Draws } from '../record/layers.js';
import { type Rate, rateOf } from '../record/rate.js';
import { type Call, type Data, type Kind, type ModelFunction, type Runner, specsOf } from './calls.js';
import { changedIn, type Setting, settingsOf } from './constants.js';
import { reasonOf } from './culprit.js';
import { compiledOf, type PrivateModel, stockFunctions } from './privates.js';
import { recordCalls } from './recording.js';

export interface Settings {
  readonly fuse: boolean;
  readonly draws: Draws;
  /** What cannot be compiled throws. */
  readonly strict: boolean;
  /** Gets why something runs op by op, once it did. */
  readonly tell: (why: BnTrainError) => void;
}

interface Entry {
  readonly steps: CompiledSteps<string>;
  readonly step: string;
}

/** What was compiled of the model as it was then. */
interface Compiled {
  readonly identities: readonly unknown[];
  readonly settings: readonly Setting[];
  readonly rate: Rate | undefined;
  /** By the name of the call. */
  readonly entries: Map<string, Entry>;
  /** What runs op by op. */
  readonly refused: Map<Kind, BnTrainError>;
}

const KINDS = ['train', 'test', 'predict'] as const;
const WORDS: Record<Kind, string> = { train: 'training', test: 'evaluation', predict: 'prediction' };

/** Shapes of one function: each may have a session, with a copy of all weights. */
export const MOST_SHAPES = 16;

/** How often settings may change before the model is compiled again. */
export const MOST_CHANGES = 8;

/** What could be compiled, and is not. */
class Limit extends Error {}

export class CompiledModel implements Runner {
  private readonly stock: Readonly<Record<Kind, ModelFunction>>;
  private compiled: Compiled | undefined;
  private changes = 0;
  private made = 0;
  private released = false;

  /** `model` as tfjs made it. */
  constructor(
    private readonly model: PrivateModel,
    private readonly settings: Settings,
  ) {
    this.stock = stockFunctions(model);
  }

  /** "train(float32 [256, 784], float32 [256, 10])". */
  get names(): string[] {
    return [...(this.compiled?.entries.keys() ?? [])];
  }

  run(kind: Kind, data: Data): tf.Tensor[] {
    const backend = this.released || isWatched() ? undefined : nativeBackend();
    if (!backend) return this.stock[kind](data);
    const call = { kind, specs: specsOf(data) };
    const compiled = this.current();
    if (this.isToCome(compiled, call)) {
      const made = this.record(backend, compiled, [call]);
      if (made) this.enter(compiled, made.steps, () => openSteps(backend, made.contents, {}));
    }
    const entry = compiled.entries.get(this.nameOf(call));
    if (!entry) return this.runStock(kind, data, compiled.refused.get(kind));
    compiled.rate?.follow();
    return entry.steps.run(entry.step, ...data.filter((tensor) => tensor != null));
  }

  /** What fails op by op, too, is the model's own fault. */
  private runStock(kind: Kind, data: Data, why: BnTrainError | undefined): tf.Tensor[] {
    const outputs = this.stock[kind](data);
    if (why) this.settings.tell(why);
    return outputs;
  }

  async prepare(calls: readonly Call[]): Promise<void> {
    const backend = this.released ? undefined : nativeBackend();
    if (!backend) return;
    const compiled = this.current();
    const isToCome = (call: Call) => this.isToCome(compiled, call);
    const made = this.record(backend, compiled, calls.filter(isToCome));
    if (!made) return;
    const fused = this.settings.fuse ? await fusedOf(backend, made.contents) : undefined;
    // Meanwhile another call may have come first, or the model changed.
    if (this.compiled === compiled && [...made.steps.values()].some(isToCome))
      this.enter(compiled, made.steps, () => openSteps(backend, made.contents, { fused }));
  }

  release(): void {
    this.released = true;
    this.drop();
  }

  /** What there is for the model as it is now. */
  private current(): Compiled {
    const { optimizer, identities } = compiledOf(this.model);
    const before = this.compiled;
    const isSame = before?.identities.every((one, i) => one === identities[i]) ?? false;
    const changed = isSame ? changedIn(before?.settings ?? []) : undefined;
    if (before && isSame && changed === undefined) return before;
    this.changes = isSame ? this.changes + 1 : 0;
    this.drop();
    const rate = optimizer && rateOf(optimizer);
    const isRate = ([owner, name]: Setting) => rate?.optimizer === owner && name === 'learningRate';
    const settings = settingsOf([...this.model.layers, ...(optimizer ? [optimizer] : [])]);
    const made = { identities, rate, entries: new Map<string, Entry>(), refused: new Map<Kind, BnTrainError>() };
    this.compiled = { ...made, settings: settings.filter((one) => !isRate(one)) };
    if (this.changes <= MOST_CHANGES) return this.compiled;
    const why = new Limit(`${changed ?? ''} of a layer or the optimizer, which changes all the time`);
    for (const kind of KINDS) this.refuse(made.refused, kind, why);
    return (this.compiled = { ...made, settings: [] });
  }

  /** Whether a call is to be compiled. */
  private isToCome({ entries, refused }: Compiled, call: Call): boolean {
    const { kind } = call;
    if (entries.has(this.nameOf(call))) return false;
    if (refused.has(kind)) return false;
    const shapes = [...entries.keys()].filter((name) => name.startsWith(kind));
    if (shapes.length < MOST_SHAPES) return true;
    this.refuse(refused, kind, new Limit(`batches of more than ${MOST_SHAPES} shapes`));
    return false;
  }

  /** Weights may be frozen and thawed in turn, as in adversarial training: each state has steps of its own. */
  private nameOf({ kind, specs }: Call): string {
    const given = specs.map((spec) => (spec ? describe([spec]) : 'none')).join(', ');
    const trainable = kind === 'train' ? (compiledOf(this.model).trainable ?? []) : [];
    const frozen = trainable.filter((weight) => !isTrainable(weight)).map(({ name }) => name);
    return `${kind}(${given})${frozen.length > 0 ? ` without ${frozen.join(', ')}` : ''}`;
  }

  private drop(): void {
    const { entries, rate } = this.compiled ?? {};
    this.compiled = undefined;
    for (const steps of new Set([...(entries?.values() ?? [])].map((entry) => entry.steps))) steps.dispose();
    rate?.dispose();
  }

  private record(backend: NativeBackend, { rate, refused }: Compiled, calls: readonly Call[]) {
    const { model, stock, made } = this;
    const { draws } = this.settings;
    const steps = new Map(calls.map((call, i) => [`${call.kind}${made + i}`, call]));
    this.made += calls.length;
    const contents = recordCalls(backend, { model, stock, draws, rate }, steps, (name, error) => {
      const kind = steps.get(name)?.kind;
      steps.delete(name);
      if (kind) this.refuse(refused, kind, error);
    });
    return contents && { contents, steps };
  }

  private enter(
    { entries, refused }: Compiled,
    made: ReadonlyMap<string, Call>,
    open: () => CompiledSteps<string>,
  ): void {
    try {
      const steps = open();
      for (const [step, call] of made) entries.set(this.nameOf(call), { steps, step });
    } catch (error) {
      for (const { kind } of made.values()) this.refuse(refused, kind, error);
    }
  }

  private refuse(refused: Map<Kind, BnTrainError>, kind: Kind, cause: unknown): void {
    const why = cannot(`accelerate the ${WORDS[kind]} of ${this.model.name}`, {
      expected: 'what one graph can hold',
      got: reasonOf(cause),
      hint: 'leave strict out, and it runs op by op',
      cause,
    });
    if (this.settings.strict) throw cause instanceof BnTrainError || cause instanceof Limit ? why : cause;
    refused.set(kind, why);
  }
}

const isTrainable = (weight: tf.LayerVariable) => (weight.read() as tf.Variable).trainable;

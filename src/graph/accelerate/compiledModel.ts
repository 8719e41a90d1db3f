/** The functions of one model as compiled steps: each made for a shape when it first comes, all dropped when the model changes. */
import type * as tf from '@tensorflow/tfjs';
import { BnTrainError, cannot, messageOf } from '../../common/errors.js';
import { type NativeBackend, nativeBackend } from '../binding.js';
import { fusedOf, openSteps } from '../compile.js';
import type { CompiledSteps } from '../compiledSteps.js';
import { describe } from '../inputs.js';
import { isWatched } from '../record/guard.js';
import type { Draws } from '../record/layers.js';
import { type Rate, rateOf } from '../record/rate.js';
import { type Call, type Data, type Kind, type ModelFunction, type Runner, specsOf } from './calls.js';
import { changedIn, type Setting, settingsOf } from './constants.js';
import { culpritOf } from './culprit.js';
import { compiledOf, type PrivateModel, stockFunctions } from './privates.js';
import { recordCalls } from './recording.js';

export interface Settings {
  readonly fuse: boolean;
  readonly draws: Draws;
  /** Gets what keeps a call from being compiled, and may throw it. */
  readonly refuse: (why: BnTrainError) => void;
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
  /** By the name of the call; undefined for what runs op by op. */
  readonly entries: Map<string, Entry | undefined>;
}

const WORDS: Record<Kind, string> = { train: 'training', test: 'evaluation', predict: 'prediction' };

/** Shapes of one function: each may have a session, with a copy of all weights. */
export const MOST_SHAPES = 16;

/** How often settings may change before the model is compiled again. */
export const MOST_CHANGES = 8;

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
    return [...(this.compiled?.entries ?? [])].flatMap(([name, entry]) => (entry ? [name] : []));
  }

  run(kind: Kind, data: Data): tf.Tensor[] {
    const backend = this.released ? undefined : nativeBackend();
    const compiled = backend && !isWatched() ? this.current() : undefined;
    if (!backend || !compiled) return this.stock[kind](data);
    const call = { kind, specs: specsOf(data) };
    const name = nameOf(call);
    if (!compiled.entries.has(name)) {
      const made = this.record(backend, compiled, [call]);
      if (made) this.enter(compiled, made.steps, () => openSteps(backend, made.contents, {}));
    }
    const entry = compiled.entries.get(name);
    if (!entry) return this.stock[kind](data);
    compiled.rate?.follow();
    return entry.steps.run(entry.step, ...data.filter((tensor) => tensor != null));
  }

  async prepare(calls: readonly Call[]): Promise<void> {
    const backend = this.released ? undefined : nativeBackend();
    const compiled = backend && this.current();
    if (!backend || !compiled) return;
    const isMissing = (call: Call) => !compiled.entries.has(nameOf(call));
    const made = this.record(backend, compiled, calls.filter(isMissing));
    if (!made) return;
    const fused = this.settings.fuse ? await fusedOf(backend, made.contents) : undefined;
    // Meanwhile another call may have come first, or the model changed.
    if (this.compiled !== compiled || ![...made.steps.values()].some(isMissing)) return;
    this.enter(compiled, made.steps, () => openSteps(backend, made.contents, { fused }));
  }

  release(): void {
    this.released = true;
    this.drop();
  }

  /** What there is for the model as it is now; undefined where it changes all the time. */
  private current(): Compiled | undefined {
    const { optimizer, identities } = compiledOf(this.model);
    const before = this.compiled;
    if (before?.identities.every((one, i) => one === identities[i])) {
      if (this.changes > MOST_CHANGES) return undefined;
      const changed = changedIn(before.settings);
      if (changed === undefined) return before;
      if (++this.changes > MOST_CHANGES) {
        this.refuse('training', `a ${changed} that changed ${this.changes} times`, new Error(changed));
        return undefined;
      }
    } else this.changes = 0;
    this.drop();
    const rate = optimizer && rateOf(optimizer);
    const isRate = ([owner, name]: Setting) => rate?.optimizer === owner && name === 'learningRate';
    const settings = settingsOf([...this.model.layers, ...(optimizer ? [optimizer] : [])]);
    this.compiled = { identities, settings: settings.filter((one) => !isRate(one)), rate, entries: new Map() };
    return this.compiled;
  }

  private drop(): void {
    const { entries, rate } = this.compiled ?? {};
    this.compiled = undefined;
    for (const steps of new Set([...(entries?.values() ?? [])].map((entry) => entry?.steps))) steps?.dispose();
    rate?.dispose();
  }

  private record(backend: NativeBackend, compiled: Compiled, calls: readonly Call[]) {
    const { model, stock, made } = this;
    const { draws } = this.settings;
    const steps = new Map(calls.map((call, i) => [`${call.kind}${made + i}`, call]));
    this.made += calls.length;
    const refuse = (call: Call, error: unknown) => this.refuseCall(compiled, call, error);
    const contents = recordCalls(backend, { model, stock, draws, rate: compiled.rate }, steps, refuse);
    return contents && { contents, steps };
  }

  private enter(compiled: Compiled, made: ReadonlyMap<string, Call>, open: () => CompiledSteps<string>): void {
    try {
      const steps = open();
      for (const [step, call] of made)
        if (!compiled.entries.has(nameOf(call))) compiled.entries.set(nameOf(call), { steps, step });
    } catch (error) {
      for (const call of made.values()) this.refuseCall(compiled, call, error);
    }
  }

  private refuseCall({ entries }: Compiled, call: Call, error: unknown): void {
    entries.set(nameOf(call), undefined);
    this.refuse(WORDS[call.kind], reasonOf(error), error);
  }

  private refuse(what: string, got: string, cause: unknown): void {
    this.settings.refuse(
      cannot(`accelerate the ${what} of ${this.model.name}`, {
        expected: 'what one graph can hold',
        got,
        hint: 'leave strict out, and it runs op by op',
        cause,
      }),
    );
  }
}

const nameOf = ({ kind, specs }: Call) =>
  `${kind}(${specs.map((spec) => (spec ? describe([spec]) : 'none')).join(', ')})`;

/** "UniqueV2, whose result's shape follows from values, in the layer lambda_1 (Lambda)". */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  const got = error instanceof BnTrainError ? (/, got (.*)$/s.exec(message)?.[1] ?? message) : message;
  const culprit = culpritOf(error);
  return culprit === undefined ? got : `${got}, in ${culprit}`;
}

/** The functions of one model as compiled steps: each made for a shape when it first comes, all dropped when the model changes. */
import type * as tf from '@tensorflow/tfjs';
import type { BnTrainError } from '../../common/errors.js';
import { type NativeBackend, nativeBackend } from '../binding.js';
import { fusedOf, openSteps } from '../compile.js';
import type { CompiledSteps } from '../compiledSteps.js';
import { isWatched } from '../record/guard.js';
import type { Draws } from '../record/layers.js';
import { type Rate, rateOf } from '../record/rate.js';
import { type Call, type Data, type Kind, type ModelFunction, type Runner, specsOf } from './calls.js';
import { changedIn, type Setting, settingsOf } from './constants.js';
import { Entries } from './entries.js';
import { ownPartsOf, ownPlacesOf, type Place } from './ownCode.js';
import { compiledOf, type PrivateModel, stockFunctions } from './privates.js';
import type { Probing } from './probes.js';
import { type RecordedCalls, recordCalls } from './recording.js';
import { Limit, Refusals } from './refusals.js';

export interface Settings {
  readonly fuse: boolean;
  readonly draws: Draws;
  /** What cannot be compiled throws. */
  readonly strict: boolean;
  /** Gets why something runs op by op, once it did. */
  readonly tell: (why: BnTrainError) => void;
}

/** What was compiled of the model as it was then. */
interface Compiled {
  readonly identities: readonly unknown[];
  readonly settings: readonly Setting[];
  readonly rate: Rate | undefined;
  readonly entries: Entries;
  /** Where the model has code of the user's own, which is called again at every step. */
  readonly places: readonly Place[];
  /** What runs op by op. */
  readonly refused: Refusals;
}

const KINDS = ['train', 'test', 'predict'] as const;

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
    return this.compiled?.entries.names ?? [];
  }

  run(kind: Kind, data: Data): tf.Tensor[] {
    const backend = this.released || isWatched() ? undefined : nativeBackend();
    if (!backend) return this.stock[kind](data);
    const call = { kind, specs: specsOf(data) };
    const compiled = this.current();
    if (compiled.places.length > 0) this.look(compiled, call);
    if (this.isToCome(compiled, call)) {
      const made = this.record(backend, compiled, [call]);
      if (made) this.enter(compiled, made, () => openSteps(backend, made.contents, {}));
    }
    const entry = compiled.entries.get(call);
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
      this.enter(compiled, made, () => openSteps(backend, made.contents, { fused }));
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
    const own = ownPartsOf(this.model);
    const places = ownPlacesOf(this.model);
    const isWatched = ([owner]: Setting) => own.includes(owner) && owner !== optimizer;
    const settings = settingsOf([...this.model.layers, ...(optimizer ? [optimizer] : [])]);
    const made = {
      identities,
      rate,
      entries: new Entries(this.model),
      refused: new Refusals(this.model.name, this.settings.strict),
      places,
    };
    this.compiled = { ...made, settings: settings.filter((one) => !isRate(one) && !isWatched(one)) };
    if (this.changes <= MOST_CHANGES) return this.compiled;
    const why = new Limit(`${changed ?? ''} of a layer or the optimizer, which changes all the time`);
    for (const kind of KINDS) made.refused.add(kind, why);
    return (this.compiled = { ...made, settings: [] });
  }

  /** Whether a call is to be compiled. */
  private isToCome({ entries, refused }: Compiled, call: Call): boolean {
    const { kind } = call;
    if (entries.get(call)) return false;
    if (refused.get(kind)) return false;
    const shapes = entries.names.filter((name) => name.startsWith(kind));
    if (shapes.length < MOST_SHAPES) return true;
    refused.add(kind, new Limit(`batches of more than ${MOST_SHAPES} shapes`));
    return false;
  }

  /** Has a call compiled anew where the user's own code computes something else than was compiled. */
  private look({ entries, refused }: Compiled, call: Call): void {
    if (entries.forgetIfOther(call) > MOST_CHANGES)
      refused.add(call.kind, new Limit('a loss, metric or layer of your own, which does otherwise all the time'));
  }

  private drop(): void {
    const { entries, rate } = this.compiled ?? {};
    this.compiled = undefined;
    entries?.dispose();
    rate?.dispose();
  }

  private record(backend: NativeBackend, { rate, refused, entries, places }: Compiled, calls: readonly Call[]) {
    const { model, stock, made } = this;
    const { draws } = this.settings;
    const steps = new Map(calls.map((call, i) => [`${call.kind}${made + i}`, call]));
    this.made += calls.length;
    const held = new Map([...steps].map(([step, call]) => [step, entries.heldFor(call)]));
    const contents = recordCalls(backend, { model, stock, draws, rate, held, places }, steps, (name, error) => {
      const kind = steps.get(name)?.kind;
      steps.delete(name);
      if (kind) refused.add(kind, error);
    });
    return contents && { contents, steps };
  }

  private enter(
    { entries, refused }: Compiled,
    { contents, steps: calls }: { contents: RecordedCalls; steps: ReadonlyMap<string, Call> },
    open: () => CompiledSteps<string>,
  ): void {
    try {
      const steps = open();
      for (const { step, graph } of contents.recorded.values()) {
        const probing = contents.probing.get(step) as Probing;
        entries.set(calls.get(step) as Call, { steps, step, graph, probing });
      }
    } catch (error) {
      for (const { kind } of calls.values()) refused.add(kind, error);
    }
  }
}

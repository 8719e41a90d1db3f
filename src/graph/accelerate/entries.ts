/** The compiled steps of a model, by the calls that they are for. */
import type * as tf from '@tensorflow/tfjs';
import type { CompiledSteps } from '../compiledSteps.js';
import { describe } from '../inputs.js';
import type { RecordedGraph } from '../record/record.js';
import type { Call } from './calls.js';
import { Held } from './held.js';
import { compiledOf, type PrivateModel } from './privates.js';
import type { Probing } from './probes.js';

export interface Entry {
  readonly steps: CompiledSteps<string>;
  readonly step: string;
  readonly graph: RecordedGraph;
  readonly probing: Probing;
}

export class Entries {
  private readonly entries = new Map<string, Entry>();
  private readonly held = new Map<string, Held>();
  private readonly forgotten = new Map<string, number>();

  constructor(private readonly model: PrivateModel) {}

  /** "train(float32 [256, 784], float32 [256, 10])". */
  get names(): string[] {
    return [...this.entries.keys()];
  }

  get(call: Call): Entry | undefined {
    return this.entries.get(this.nameOf(call));
  }

  set(call: Call, entry: Entry): void {
    this.entries.set(this.nameOf(call), entry);
  }

  /** The numbers that are no constants in the steps for a call. */
  heldFor(call: Call): Held {
    const name = this.nameOf(call);
    const held = this.held.get(name) ?? new Held();
    this.held.set(name, held);
    return held;
  }

  /** Forgets the steps for a call if own code, called again, does otherwise by now; tells how often that was so, or 0. */
  forgetIfOther(call: Call): number {
    const name = this.nameOf(call);
    const entry = this.entries.get(name);
    if (!entry || entry.probing.isSame) return 0;
    const held = this.heldFor(call);
    const found = held.look(entry.graph);
    if (found === 'same') {
      entry.probing.renew();
      return 0;
    }
    this.entries.delete(name);
    if (![...this.entries.values()].some(({ steps }) => steps === entry.steps)) entry.steps.dispose();
    if (found === 'other') {
      this.held.delete(name);
      held.dispose();
    }
    const times = (this.forgotten.get(name) ?? 0) + 1;
    this.forgotten.set(name, times);
    return times;
  }

  dispose(): void {
    for (const steps of new Set([...this.entries.values()].map((entry) => entry.steps))) steps.dispose();
    for (const held of this.held.values()) held.dispose();
  }

  /** Weights may be frozen and thawed in turn, as in adversarial training: each state has steps of its own. */
  private nameOf({ kind, specs }: Call): string {
    const given = specs.map((spec) => (spec ? describe([spec]) : 'none')).join(', ');
    const trainable = kind === 'train' ? (compiledOf(this.model).trainable ?? []) : [];
    const frozen = trainable.filter((weight) => !isTrainable(weight)).map(({ name }) => name);
    return `${kind}(${given})${frozen.length > 0 ? ` without ${frozen.join(', ')}` : ''}`;
  }
}

const isTrainable = (weight: tf.LayerVariable) => (weight.read() as tf.Variable).trainable;

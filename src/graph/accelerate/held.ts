/** Numbers that a model's own functions and layers have otherwise by now: variables of a step, where they were constants of its graph. */
import * as tf from '@tensorflow/tfjs';
import { type Constant, DTYPE } from '../graph.js';
import type { StandIns, Written } from '../record/rate.js';
import type { RecordedGraph } from '../record/record.js';

interface Slot {
  readonly shape: number[];
  readonly variable: tf.Variable;
  values: Float32Array;
  /** Those that the variable has. */
  stored?: Float32Array;
}

export class Held implements StandIns {
  /** By how many values a step writes before. */
  private readonly slots = new Map<number, Slot>();

  get variables(): tf.Variable[] {
    return [...this.slots.values()].map(({ variable }) => variable);
  }

  standsFor({ shape, dtype, values }: Written, nth: number): tf.Variable | undefined {
    const slot = this.slots.get(nth);
    if (!slot || dtype !== DTYPE.float32 || String(shape) !== String(slot.shape)) return undefined;
    slot.values = Float32Array.from(values as Float32Array);
    return slot.variable;
  }

  /**
   * Calls a step again. 'same' but for numbers that are held, which the variables have from then on; 'more' numbers are
   * held now, and it is to be recorded again; or something 'other' than numbers is no longer as it was.
   */
  look({ nodes, again }: RecordedGraph): 'same' | 'more' | 'other' {
    const found: [number, Written][] = [];
    // How long a range is follows from its numbers, as shapes do from integers.
    const isRange = ({ id }: Constant) => nodes.some(({ op, inputs }) => op === 'Range' && inputs.includes(id));
    const isStill = again((constant, written, nth) => {
      const isFloat = [constant, written].every(({ dtype }) => dtype === DTYPE.float32);
      const isNumbers = isFloat && String(constant.shape) === String(written.shape) && !isRange(constant);
      if (isNumbers) found.push([nth, written]);
      return isNumbers;
    });
    if (!isStill) return 'other';
    for (const [nth, { shape, values }] of found) this.hold(nth, [...shape], Float32Array.from(values as Float32Array));
    this.follow();
    return found.length > 0 ? 'more' : 'same';
  }

  dispose(): void {
    tf.dispose(this.variables);
  }

  private hold(nth: number, shape: number[], values: Float32Array): void {
    const variable = tf.tidy(() => tf.variable(tf.zeros(shape), false));
    this.slots.set(nth, { shape, variable, values });
  }

  private follow(): void {
    for (const slot of this.slots.values()) {
      const { variable, values, stored, shape } = slot;
      if (stored && values.every((value, i) => Object.is(value, stored[i]))) continue;
      tf.tidy(() => variable.assign(tf.tensor(values, shape)));
      slot.stored = values;
    }
  }
}

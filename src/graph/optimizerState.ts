/** What compiled steps have of an optimizer, and how they follow it: it may be given other variables, and counts its steps. */
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { describe } from './inputs.js';
import { Exchange } from './record/host.js';
import type { StepFunction } from './record/record.js';

type Fields = Record<string, unknown>;

export const fieldsOf = (optimizer: tf.Optimizer) => optimizer as unknown as Fields;

/** Where an optimizer keeps a variable: in a field, or in a list of slots, one per trained variable. */
type Place = readonly [field: string, slot?: number];

export function placesOf(optimizer: tf.Optimizer): Place[] {
  const places = Object.entries(optimizer).flatMap(([field, value]): Place[] =>
    Array.isArray(value) ? value.map((_, slot): Place => [field, slot]) : [[field]],
  );
  return places.filter((place) => at(optimizer, place) instanceof tf.Variable);
}

export function at(optimizer: tf.Optimizer, [field, slot]: Place): unknown {
  const value = fieldsOf(optimizer)[field];
  return slot === undefined ? value : (value as { variable?: unknown }[] | undefined)?.[slot]?.variable;
}

/** Makes a variable of a tensor in this field; tells whether there was one. */
export function makeVariable(optimizer: tf.Optimizer, field: string): boolean {
  const value = at(optimizer, [field]);
  if (!(value instanceof tf.Tensor) || value instanceof tf.Variable) return false;
  fieldsOf(optimizer)[field] = tf.variable(value, false);
  value.dispose();
  return true;
}

/** An optimizer that compiled steps use. */
export class FollowedOptimizer {
  /** Of these a graph has constants. */
  private readonly numbers: Map<string, unknown>;
  private readonly places: (readonly [i: number, Place])[];

  /** `variables`: what the steps declare; one that is `rated` has its learning rate among them. */
  constructor(
    private readonly optimizer: tf.Optimizer,
    variables: readonly tf.Variable[],
    { rated }: { rated: boolean },
  ) {
    const free = ['iterations_', ...(rated ? ['learningRate'] : [])];
    const isNumber = ([name, value]: [string, unknown]) =>
      !free.includes(name) && (typeof value === 'number' || typeof value === 'boolean');
    this.numbers = new Map(Object.entries(optimizer).filter(isNumber));
    this.places = placesOf(optimizer)
      .map((place) => [variables.indexOf(at(optimizer, place) as tf.Variable), place] as const)
      .filter(([i]) => i >= 0);
  }

  /** As if it had taken these steps itself. */
  count(steps: number): void {
    fieldsOf(this.optimizer)['iterations_'] = this.optimizer.iterations + steps;
  }

  /** Hands over each variable that is now in the place of a known one, as after setWeights or setLearningRate. */
  follow(known: (i: number) => tf.Variable, replace: (i: number, variable: tf.Variable) => void): void {
    for (const [i, place] of this.places) {
      const before = known(i);
      if (at(this.optimizer, place) === before) continue;
      const [field] = place;
      // setLearningRate exchanges the tensor that the graph has and the number that it was made of.
      if (makeVariable(this.optimizer, field) && this.numbers.has('learningRate'))
        this.numbers.set('learningRate', at(this.optimizer, ['learningRate']));
      const found = at(this.optimizer, place);
      if (!(found instanceof tf.Variable) || describe([found]) !== describe([before]))
        throw this.refuse(
          `a variable ${describe([before])} in ${place.join(' ')} of it, as when it was compiled`,
          found instanceof tf.Variable ? describe([found]) : 'none',
          'compile the step again',
        );
      replace(i, found as tf.Variable);
    }
  }

  /** Throws a BnTrainError where a number is another one than the graphs have. */
  assertSame(): void {
    for (const [name, before] of this.numbers) {
      const now = at(this.optimizer, [name]);
      if (now !== before)
        throw this.refuse(
          `it to have the ${name} ${String(before)} that it had when it was compiled`,
          String(now),
          'compile the step again; a learning rate may be an input: minimize(optimizer, rate, loss, trainable)',
        );
    }
  }

  private refuse(expected: string, got: string, hint: string): Error {
    return cannot(`use the optimizer ${this.optimizer.getClassName()} in the compiled step`, { expected, got, hint });
  }
}

/** A step, and how many steps of its own each optimizer took in its last call, which the optimizer does not count. */
export function countingSteps(step: StepFunction): { step: StepFunction; taken: ReadonlyMap<tf.Optimizer, number> } {
  const taken = new Map<tf.Optimizer, number>();
  const counting: StepFunction = (...inputs) => {
    const host = new Exchange();
    taken.clear();
    // Each of tfjs's optimizers calls it at the end of a step.
    host.put(tf.Optimizer.prototype, 'incrementIterations', function (this: tf.Optimizer) {
      taken.set(this, (taken.get(this) ?? 0) + 1);
    });
    try {
      return step(...inputs);
    } finally {
      host.putBack();
    }
  };
  return { step: counting, taken };
}

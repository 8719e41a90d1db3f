/** Code of the user's own in a model, which may compute something else at every step, as nobody can tell from outside. */
import * as tf from '@tensorflow/tfjs';
import { Exchange } from '../record/host.js';
import type { InputSpec } from '../record/record.js';
import { partsOf } from './constants.js';
import type { PrivateModel } from './privates.js';

/** TensorFlow.js registers its classes before anyone can register an own one, this one last. */
const LAST = 'RandomWidth';

const STOCK: readonly unknown[] = [...Object.values(tf.losses), ...Object.values(tf.metrics)];

/** A call of own code. */
export interface OwnCall {
  /** On other tensors. */
  readonly call: (tensors: readonly tf.Tensor[]) => unknown;
  /** Those of the tensors that it was given. */
  readonly specs: readonly InputSpec[];
}

type Callable = (...given: unknown[]) => unknown;
export type Place = readonly [owner: object, name: string];

/** Layers, optimizers and the like, in a model or in these, of classes that are not TensorFlow.js's. */
export function ownPartsOf({ layers, optimizer_: optimizer }: PrivateModel): object[] {
  const classes = Object.entries(tf.serialization.SerializationMap.getMap().classNameMap);
  const last = classes.findIndex(([name]) => name === LAST);
  const known = new Set<unknown>(classes.slice(0, last + 1).map(([, [made]]) => made));
  const parts = partsOf([...layers, ...(optimizer ? [optimizer] : [])]);
  return parts.filter((part) => !known.has(part.constructor) && !isSettled(part.constructor));
}

/** Where a model and its parts have functions of the user's own. */
export function ownPlacesOf(model: PrivateModel): Place[] {
  const { loss, metrics, lossFunctions = [], metricsTensors = [] } = model;
  const functions = [loss, metrics].flatMap(functionsIn).filter((one) => !STOCK.includes(one) && !isSettled(one));
  const places: Place[] = [
    ...lossFunctions.map((_, i): Place => [lossFunctions, String(i)]),
    ...metricsTensors.map((metric): Place => [metric, '0']),
  ];
  const parts = ownPartsOf(model).flatMap((part) => {
    const names = part instanceof tf.layers.Layer ? ['call'] : ['call', 'apply', 'applyGradients'];
    return names.filter((name) => typeof Reflect.get(part, name) === 'function').map((name): Place => [part, name]);
  });
  return [...places.filter(([owner, name]) => functions.includes(Reflect.get(owner, name) as object)), ...parts];
}

/** In lists and dictionaries, beside names of TensorFlow.js's own. */
function functionsIn(given: unknown): object[] {
  if (typeof given === 'function') return [given];
  return given !== null && typeof given === 'object' ? Object.values(given).flatMap(functionsIn) : [];
}

/** Says of itself that it computes the same always, but for its numbers, flags and weights. */
const isSettled = (code: object) => Reflect.get(code, 'settled') === true;

/** Notes each outermost call of own code, of the same code on tensors of the same shapes once. */
export function noting<T>(places: readonly Place[], calls: Map<string, OwnCall>, action: () => T): T {
  const exchange = new Exchange();
  let isWithin = false;
  for (const [i, [owner, name]] of places.entries()) {
    const own = (Reflect.get(owner, name) as Callable).bind(owner);
    exchange.put(owner, name, (...given: unknown[]) => {
      if (isWithin) return own(...given);
      isWithin = true;
      try {
        return own(...given);
      } finally {
        isWithin = false;
        const tensors = tensorsIn(given);
        const specs = tensors.map(({ shape, dtype }) => ({ shape: [...shape], dtype }));
        const rest = mapped(given, (leaf) => (leaf instanceof tf.Tensor ? PLACE : leaf));
        const call: OwnCall['call'] = (others) => {
          const left = [...others];
          return own(...(mapped(rest, (leaf) => (leaf === PLACE ? left.shift() : leaf)) as unknown[]));
        };
        calls.set(`${i} ${JSON.stringify(specs)}`, { call, specs });
      }
    });
  }
  try {
    return action();
  } finally {
    exchange.putBack();
  }
}

/** Of a tensor. */
const PLACE = {};

/** With other leaves in lists and plain objects. */
function mapped(given: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(given)) return given.map((one) => mapped(one, change));
  if (!isPlainObject(given)) return change(given);
  return Object.fromEntries(Object.entries(given).map(([name, one]) => [name, mapped(one, change)]));
}

export function tensorsIn(given: unknown): tf.Tensor[] {
  const found: tf.Tensor[] = [];
  mapped(given, (leaf) => leaf instanceof tf.Tensor && found.push(leaf as tf.Tensor));
  return found;
}

const isPlainObject = (given: unknown): given is object =>
  given !== PLACE && given !== null && typeof given === 'object' && Object.getPrototypeOf(given) === Object.prototype;

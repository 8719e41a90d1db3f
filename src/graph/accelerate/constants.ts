/** What compiled functions hold on to of layers and optimizers: settings that are constants in a graph. */
import * as tf from '@tensorflow/tfjs';

export type Setting = readonly [owner: object, name: string, value: unknown];

/** What changes by itself, or is seen in the weights themselves. */
const PASSING = ['_refCount', 'iterations_', 'trainable_'];

const isConstant = (value: unknown) => ['number', 'boolean', 'string'].includes(typeof value);

/** Numbers and the like of these, and of the layers, cells, regularizers and activations within, as they are now. */
export function settingsOf(owners: readonly object[]): Setting[] {
  return partsOf(owners).flatMap((owner) =>
    (Object.entries(owner) as [string, unknown][])
      .filter(([name, value]) => !PASSING.includes(name) && (isConstant(value) || isPart(value)))
      .map(([name, value]): Setting => [owner, name, value]),
  );
}

const isPart = (value: unknown): value is tf.serialization.Serializable =>
  value instanceof tf.serialization.Serializable;

/** These, and the layers, cells, regularizers and activations within, each once. */
export function partsOf(owners: readonly object[]): object[] {
  const seen = new Set<object>();
  const visit = (owner: object) => {
    if (seen.has(owner)) return;
    seen.add(owner);
    for (const value of Object.values(owner)) for (const part of [value].flat().filter(isPart)) visit(part);
  };
  for (const owner of owners) visit(owner);
  return [...seen];
}

/** The name of a setting that has another value now. */
export function changedIn(settings: readonly Setting[]): string | undefined {
  return settings.find(([owner, name, value]) => Reflect.get(owner, name) !== value)?.[1];
}

/** What compiled functions hold on to of layers and optimizers: settings that are constants in a graph. */
import * as tf from '@tensorflow/tfjs';

export type Setting = readonly [owner: object, name: string, value: unknown];

/** What changes by itself, or is seen in the weights themselves. */
const PASSING = ['_refCount', 'iterations_', 'trainable_'];

const isConstant = (value: unknown) => ['number', 'boolean', 'string'].includes(typeof value);

/** Numbers and the like of these, and of the layers, cells, regularizers and activations within, as they are now. */
export function settingsOf(owners: readonly object[]): Setting[] {
  const settings: Setting[] = [];
  const seen = new Set<object>();
  const visit = (owner: object) => {
    if (seen.has(owner)) return;
    seen.add(owner);
    for (const [name, value] of Object.entries(owner) as [string, unknown][]) {
      const parts = [value].flat().filter((part) => part instanceof tf.serialization.Serializable);
      if (!PASSING.includes(name) && (isConstant(value) || parts.includes(value as tf.serialization.Serializable)))
        settings.push([owner, name, value]);
      for (const part of parts) visit(part);
    }
  };
  for (const owner of owners) visit(owner);
  return settings;
}

/** The name of a setting that has another value now. */
export function changedIn(settings: readonly Setting[]): string | undefined {
  return settings.find(([owner, name, value]) => Reflect.get(owner, name) !== value)?.[1];
}

/** Records calls of a model's functions as steps on the same variables: weights, and where it trains what the optimizer has. */
import type * as tf from '@tensorflow/tfjs';
import type { NativeBackend } from '../binding.js';
import { recordAll, type Recorded } from '../compile.js';
import { variablesIn } from '../declarations.js';
import { optimizerVariables } from '../optimizer.js';
import type { Draws } from '../record/layers.js';
import type { Rate } from '../record/rate.js';
import type { StepFunction } from '../record/record.js';
import type { Call, Kind, ModelFunction, Specs } from './calls.js';
import { namingLayers } from './culprit.js';
import { compiledOf, type PrivateModel } from './privates.js';

export interface Source {
  readonly model: PrivateModel;
  readonly stock: Readonly<Record<Kind, ModelFunction>>;
  readonly draws: Draws;
  readonly rate: Rate | undefined;
}

/** Each call by the name of its step. Those that cannot be recorded are handed to `refuse`. */
export function recordCalls(
  backend: NativeBackend,
  source: Source,
  calls: ReadonlyMap<string, Call>,
  refuse: (name: string, error: unknown) => void,
): Recorded | undefined {
  const { draws, rate } = source;
  let contents: Recorded | undefined;
  for (const [name, call] of [...calls])
    try {
      const variables = contents?.variables ?? variablesOf(source, [...calls.values()]);
      const signatures = [call.specs.filter((spec) => spec !== null)];
      const definition = { name, step: stepOf(source, call), signatures };
      const one = recordAll(backend, [definition], { variables, draws, rate });
      contents = { ...one, recorded: new Map([...(contents?.recorded ?? []), ...one.recorded]) };
    } catch (error) {
      refuse(name, error);
    }
  return contents;
}

function variablesOf({ model, rate }: Source, calls: readonly Call[]): tf.Variable[] {
  const { optimizer, trainable = [] } = compiledOf(model);
  const trains = calls.some(({ kind }) => kind === 'train');
  return variablesIn([
    model.weights,
    trains && optimizer ? optimizerVariables(optimizer, trainable) : [],
    trains && rate ? rate.marks.map(([, variable]) => variable) : [],
  ]);
}

/** The function, with nothing where the call has nothing. */
function stepOf({ model, stock, rate }: Source, { kind, specs }: Call): StepFunction {
  const step: StepFunction = (...given) => namingLayers(model.layers, () => stock[kind](spread(given, specs)));
  return kind === 'train' && rate ? (...given) => rate.marked(() => step(...given)) : step;
}

function spread(given: readonly tf.Tensor[], specs: Specs): (tf.Tensor | null)[] {
  const rest = [...given];
  return specs.map((spec) => (spec ? (rest.shift() ?? null) : null));
}

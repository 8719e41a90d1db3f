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
import type { Held } from './held.js';
import { noting, type OwnCall, type Place } from './ownCode.js';
import { probesOf, Probing } from './probes.js';
import { compiledOf, type PrivateModel } from './privates.js';

export interface Source {
  readonly model: PrivateModel;
  readonly stock: Readonly<Record<Kind, ModelFunction>>;
  readonly draws: Draws;
  readonly rate: Rate | undefined;
  /** By the names of steps. */
  readonly held: ReadonlyMap<string, Held>;
  readonly places: readonly Place[];
}

/** What was recorded, and what looks after the own code in each step, by its name. */
export interface RecordedCalls extends Recorded {
  readonly probing: ReadonlyMap<string, Probing>;
}

/** Each call by the name of its step. Those that cannot be recorded are handed to `refuse`. */
export function recordCalls(
  backend: NativeBackend,
  source: Source,
  calls: ReadonlyMap<string, Call>,
  refuse: (name: string, error: unknown) => void,
): RecordedCalls | undefined {
  const { draws, rate, held } = source;
  let contents: RecordedCalls | undefined;
  for (const [name, call] of [...calls])
    try {
      const variables = contents?.variables ?? variablesOf(source, [...calls.values()]);
      const signatures = [call.specs.filter((spec) => spec !== null)];
      const own = new Map<string, OwnCall>();
      const definition = { name, step: stepOf(source, call, own), signatures };
      const standIns = [call.kind === 'train' ? rate : undefined, held.get(name)].filter((one) => one !== undefined);
      const one = recordAll(backend, [definition], { variables, draws, standIns });
      const recorded = new Map([...(contents?.recorded ?? []), ...one.recorded]);
      const probing = new Map(contents?.probing);
      probing.set(name, new Probing(() => probesOf(backend, own.values(), { variables: one.variables, draws })));
      contents = { ...one, recorded, rated: rate?.optimizer, probing };
    } catch (error) {
      refuse(name, error);
    }
  return contents;
}

function variablesOf({ model, rate, held }: Source, calls: readonly Call[]): tf.Variable[] {
  const { optimizer, trainable = [] } = compiledOf(model);
  const trains = calls.some(({ kind }) => kind === 'train');
  return variablesIn([
    model.weights,
    trains && optimizer ? optimizerVariables(optimizer, trainable) : [],
    trains && rate ? rate.variables : [],
    [...held.values()].flatMap(({ variables }) => variables),
  ]);
}

/** The function, with nothing where the call has nothing. */
function stepOf(
  { model, stock, rate, places }: Source,
  { kind, specs }: Call,
  own: Map<string, OwnCall>,
): StepFunction {
  const named: StepFunction = (...given) => namingLayers(model.layers, () => stock[kind](spread(given, specs)));
  const step: StepFunction = (...given) => noting(places, own, () => named(...given));
  return kind === 'train' && rate ? (...given) => rate.marked(() => step(...given)) : step;
}

function spread(given: readonly tf.Tensor[], specs: Specs): (tf.Tensor | null)[] {
  const rest = [...given];
  return specs.map((spec) => (spec ? (rest.shift() ?? null) : null));
}

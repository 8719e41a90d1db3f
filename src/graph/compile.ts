/** Compiles steps: records them, rewrites the graphs, and opens a session that runs each with one call. */
import type * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { CompiledSteps, type Contents, type RecordedStep } from './compiledSteps.js';
import type { FusedSteps } from './fuse/fuse.js';
import type { Graph } from './graph.js';
import { type NativeBackend, requireNative, Session, XLA_HINT } from './binding.js';
import {
  assertOptions,
  assertSettings,
  type Declared,
  type Definition,
  definitionsIn,
  explained,
  type Signatures,
  variablesIn,
} from './declarations.js';
import { describe, type Input } from './inputs.js';
import { countingSteps } from './optimizerState.js';
import type { Generator } from './random.js';
import type { Draws } from './record/layers.js';
import type { StandIns } from './record/rate.js';
import { record, type StepFunction } from './record/record.js';
import { isUnlessDrawn } from './record/refusal.js';
import { RANDOM } from './rewrite/editor.js';
import { rewrite, rulesFor } from './rewrite/index.js';
import type { Rule } from './rewrite/rule.js';
import { encodeSavedModel, NAMES } from './write/savedModel.js';

export interface StepDefinition {
  step: StepFunction;
  inputs: Signatures;
}

export interface CompileOptions {
  /** All that the steps read or assign to besides their inputs. The session has their values while it lives. */
  variables?: readonly (Declared | readonly Declared[])[];
  /**
   * Where layers' dropouts and noises come from: a generator that goes on from run to run, or the seed of an own one, by
   * default a drawn one. A layer that has a seed draws by that.
   */
  seed?: number | Generator;
  /** Empty leaves the graph as it was recorded. Default: all that save time on this device. */
  rules?: readonly Rule[];
  /**
   * On the CPU, and without `xla`: runs what is done element by element, row by row and in sums over the batch as generated
   * code, which a C++ compiler makes for this CPU when it is first needed; that takes a second or more. Default: whether a
   * step assigns to variables, as one that trains does, which runs often, and no `rules` are given.
   */
  fuse?: boolean;
  /** Has XLA compile each step into one program, when it first runs, for the device that it runs on. Default false. */
  xla?: boolean;
  /** Ends the wait for the C++ compiler, where there is one: what it is aborted with is thrown. */
  signal?: AbortSignal | undefined;
}

const EACH: Record<keyof CompileOptions, 0> = { variables: 0, seed: 0, rules: 0, fuse: 0, xla: 0, signal: 0 };
const OPTIONS = Object.keys(EACH);

/** One step on its own; see `CompiledSteps`. */
export interface CompiledStep extends Omit<CompiledSteps<'step'>, 'run' | 'runMany'> {
  run: (...inputs: Input[]) => tf.Tensor[];
  runMany: (...stacks: Input[]) => tf.Tensor[];
}

/**
 * Compiles a step made of tfjs ops, be they forward, gradient, optimizer or moving averages, into one TensorFlow graph.
 * Needs the native backend. The variables are afterwards as they were before.
 *
 * Throws a BnTrainError naming the op or call that a graph cannot hold: reading values, tensors from outside, undeclared
 * variables, randomness and clocks of the host, and all that differs between two calls.
 */
export async function compileStep(
  step: StepFunction,
  given: CompileOptions & { inputs: Signatures },
): Promise<CompiledStep> {
  assertOptions(given, ['inputs', ...OPTIONS]);
  const { inputs, ...options } = given;
  const steps = await compileSteps({ step: { step, inputs } }, options);
  return {
    run: (...given) => steps.run('step', ...given),
    runMany: (...given) => steps.runMany('step', ...given),
    read: () => steps.read(),
    write: () => steps.write(),
    save: (folder) => steps.save(folder),
    dispose: () => steps.dispose(),
    fused: steps.fused,
  };
}

/**
 * Compiles several steps that share their variables, such as one that trains and one that evaluates. Throws as
 * `compileStep` does.
 */
export async function compileSteps<Name extends string>(
  steps: Readonly<Record<Name, StepDefinition>>,
  options: CompileOptions = {},
): Promise<CompiledSteps<Name>> {
  assertOptions(options, OPTIONS);
  assertSettings(options);
  const { rules, xla = false } = options;
  const definitions = definitionsIn(steps);
  const variables = variablesIn(options.variables);
  const backend = requireNative('compile the step');
  const recorded = await withDraws(options.seed, (draws) => recordAll(backend, definitions, { variables, xla, draws }));
  try {
    const { fuse = !rules && [...recorded.recorded.values()].some(({ graph }) => graph.updates.size > 0) } = options;
    const fused = fuse && !xla ? await fusedOf(backend, recorded, options.signal) : undefined;
    return openSteps(backend, recorded, { rules, xla, fused });
  } catch (error) {
    recorded.own?.dispose();
    throw error;
  }
}

/** Undefined on a GPU, where no code is generated. */
export async function fusedOf(backend: NativeBackend, { recorded }: Recorded, signal?: AbortSignal) {
  if (backend.isUsingGpuDevice) return undefined;
  const { fuseSteps } = await import('./fuse/fuse.js');
  return fuseSteps([...recorded.values()], signal);
}

/** Opens a session for what was recorded; by the graphs as they are where they were not fused. */
export function openSteps<Name extends string>(
  backend: NativeBackend,
  contents: Recorded,
  { rules, xla = false, fused }: Pick<CompileOptions, 'rules' | 'xla'> & { fused?: FusedSteps | undefined },
): CompiledSteps<Name> {
  const given = [...contents.recorded.values()];
  const chosen = rules ?? rulesFor({ gpu: backend.isUsingGpuDevice, xla });
  const encode = (loops: boolean) =>
    encodeSavedModel(
      given.map(({ name, graph }) => ({ name, graph: rewrite(graph, chosen).graph })),
      { xla, loops },
    );
  const open = (loops: boolean) => Session.open(backend, (fused?.encode ?? encode)(loops), fused?.tag ?? NAMES.tag);
  const compiled = new CompiledSteps<Name>(backend, open, () => encode(true), { ...contents, fused: fused?.kernels });
  try {
    compiled.write();
  } catch (error) {
    compiled.dispose();
    throw error;
  }
  return compiled;
}

/** Few steps have layers that draw, and they are refused without: then all is recorded again. */
async function withDraws(seed: number | Generator | undefined, recordBy: (draws?: Draws) => Recorded) {
  try {
    return recordBy();
  } catch (error) {
    if (!isUnlessDrawn(error)) throw error;
    const draws = (await import('./record/layers.js')).drawsBy(seed);
    try {
      return recordBy(draws);
    } catch (refusal) {
      draws.own?.dispose();
      throw refusal;
    }
  }
}

export type Recorded = Omit<Contents, 'fused'>;

interface Recording {
  variables: readonly tf.Variable[];
  xla?: boolean;
  draws?: Draws | undefined;
  standIns?: readonly StandIns[];
}

export function recordAll(
  backend: NativeBackend,
  definitions: readonly Definition[],
  { xla = false, draws, standIns = [], ...options }: Recording,
): Recorded {
  const variables = [...new Set([...options.variables, ...(draws ? [draws.state] : [])])];
  const recorded = new Map<string, RecordedStep>();
  for (const { name, step, signatures } of definitions)
    for (const [i, signature] of signatures.entries()) {
      const { step: counting, taken } = countingSteps(step);
      const graph = explained(step, signature, () =>
        record(backend, counting, signature, variables, { draws, standIns }),
      );
      if (xla) assertNotRandom(graph);
      recorded.set(`${name}(${describe(signature)})`, { name: `${name}_${i}`, graph, signature, step: name, taken });
    }
  return { recorded, variables, own: draws?.own };
}

/** XLA would draw other numbers than the seed says. */
function assertNotRandom({ nodes }: Graph): void {
  if (nodes.some(({ op }) => op === RANDOM))
    throw cannot('compile the step with XLA', {
      expected: 'no random op, as XLA ignores seeds',
      got: RANDOM,
      hint: `draw outside and make it an input, or ${XLA_HINT}`,
    });
}

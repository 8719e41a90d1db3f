/** Compiles steps: records them, rewrites the graphs, and runs each with one call into TensorFlow. */
import { mkdir, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot } from '../errors.js';
import type { Graph } from './graph.js';
import { type NativeBackend, nativeBackend, nativeValue } from './native.js';
import { type InputSpec, record, type StepFunction } from './record.js';
import { RULES, rewrite } from './rewrite/index.js';
import type { Rule } from './rewrite/rule.js';
import { encodeSavedModel, NAMES } from './savedModel.js';
import { Session } from './session.js';

/** Shapes and types of a step's inputs: one signature, or several that the step is recorded for. */
export type Signatures = readonly InputSpec[] | readonly (readonly InputSpec[])[];

export interface StepDefinition {
  step: StepFunction;
  inputs: Signatures;
}

export interface CompileOptions {
  /** All that the steps read or assign to besides their inputs. The session holds its own copies while it lives. */
  variables: readonly tf.Variable[];
  /** Empty leaves the graph as it was recorded. Default all. */
  rules?: readonly Rule[];
}

const ASSIGN_HINT =
  "to change an optimizer's learning rate, assign to its variable and write(), or use minimize; setLearningRate makes another";

/** One step on its own; see `CompiledSteps`. */
export interface CompiledStep extends Omit<CompiledSteps<'step'>, 'run'> {
  run: (...inputs: tf.Tensor[]) => tf.Tensor[];
}

/**
 * Compiles a step made of tfjs ops, be they forward, gradient, optimizer or moving averages, into one TensorFlow graph.
 * Needs the native backend. The variables are afterwards as they were before.
 *
 * Throws a BnTrainError naming the op or call that a graph cannot hold: reading values, tensors from outside, undeclared
 * variables, and all that differs between two calls.
 */
export async function compileStep(
  step: StepFunction,
  { inputs, ...options }: CompileOptions & { inputs: Signatures },
): Promise<CompiledStep> {
  const steps = await compileSteps({ step: { step, inputs } }, options);
  return {
    run: (...given) => steps.run('step', ...given),
    read: () => steps.read(),
    write: () => steps.write(),
    save: (folder) => steps.save(folder),
    dispose: () => steps.dispose(),
  };
}

/**
 * Compiles several steps that share their variables, such as one that trains and one that evaluates. Throws as
 * `compileStep` does.
 */
export async function compileSteps<Name extends string>(
  steps: Readonly<Record<Name, StepDefinition>>,
  { variables, rules = RULES }: CompileOptions,
): Promise<CompiledSteps<Name>> {
  const backend = nativeBackend();
  if (!backend)
    throw cannot('compile the step', {
      expected: 'the native backend',
      got: `the ${tf.getBackend()} backend`,
      hint: "await openBackend('native') first; bn-train setup installs it",
    });
  const graphs = new Map<string, Graph>();
  const signatures = new Map<string, string>();
  for (const [name, { step, inputs }] of Object.entries<StepDefinition>(steps)) {
    assertName(name);
    for (const [i, signature] of listOf(inputs).entries()) {
      const recorded = record(backend, step, signature, variables);
      graphs.set(`${name}_${i}`, rewrite(recorded, rules).graph);
      signatures.set(`${name}(${describe(signature)})`, `${name}_${i}`);
    }
  }
  const bytes = encodeSavedModel(graphs);
  const session = await Session.open(backend, bytes);
  const compiled = new CompiledSteps<Name>(backend, session, bytes, { graphs, signatures, variables });
  try {
    compiled.write();
  } catch (error) {
    compiled.dispose();
    throw error;
  }
  return compiled;
}

/** It becomes part of the graph's names, in which TensorFlow gives other characters a meaning. */
function assertName(name: string): void {
  if (!/^[A-Za-z]\w*$/.test(name))
    throw cannot('compile the step', { expected: 'a name of letters, digits and _', got: JSON.stringify(name) });
}

function listOf(inputs: Signatures): readonly (readonly InputSpec[])[] {
  const isList = (given: Signatures): given is readonly (readonly InputSpec[])[] =>
    given.length > 0 && given.every((entry) => Array.isArray(entry));
  return isList(inputs) ? inputs : [inputs];
}

/** "float32 [256, 784], int32 []". */
function describe(signature: readonly InputSpec[]): string {
  return signature.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ');
}

interface Contents {
  graphs: ReadonlyMap<string, Graph>;
  /** "train(int32 [256])" → the graph's name. */
  signatures: ReadonlyMap<string, string>;
  variables: readonly tf.Variable[];
}

/** Compiled steps and the session they run in. */
export class CompiledSteps<Name extends string> {
  /** The data of each tfjs variable when it last was the session's value. */
  private readonly known: object[] = [];
  /** Variables that the session has changed since. */
  private readonly changed = new Set<number>();

  private disposed = false;

  /** Use `compileSteps`. */
  constructor(
    private readonly backend: NativeBackend,
    private readonly session: Session,
    private readonly bytes: Uint8Array,
    private readonly contents: Contents,
  ) {}

  /**
   * Runs a step on inputs of a shape that it was recorded for. The caller owns the outputs.
   * Throws a BnTrainError for other shapes or types.
   */
  run(name: Name, ...inputs: tf.Tensor[]): tf.Tensor[] {
    this.assertAlive();
    const { graphs, signatures } = this.contents;
    const graphName = signatures.get(`${name}(${describe(inputs)})`) ?? '';
    const graph = graphs.get(graphName);
    if (!graph) throw this.mismatch(name, inputs);
    const feeds = new Map(
      inputs.map((tensor, i) => [NAMES.input(graphName, i), nativeValue(this.backend, tensor).id] as const),
    );
    const fetches = graph.outputs.map((_, i) => NAMES.output(graphName, i));
    const outputs = this.session.run(feeds, fetches).map((metadata) => this.backend.createOutputTensor(metadata));
    for (const i of graph.updates.keys()) this.changed.add(i);
    return outputs;
  }

  /** Gives the tfjs variables the session's values. */
  read(): void {
    this.assertAlive();
    const changed = [...this.changed];
    if (changed.length === 0) return;
    const values = this.session.run(new Map(), changed.map(NAMES.get));
    for (const [j, i] of changed.entries()) {
      const tensor = this.backend.createOutputTensor(values[j] as (typeof values)[number]);
      this.variable(i).assign(tensor);
      tensor.dispose();
      this.known[i] = this.variable(i).dataId;
    }
    this.changed.clear();
  }

  /** Gives the session the values of tfjs variables that were assigned to since the last `read` or `write`. */
  write(): void {
    this.assertAlive();
    const { variables } = this.contents;
    const stale = [...variables.keys()].filter((i) => this.known[i] !== this.variable(i).dataId);
    if (stale.length === 0) return;
    const feeds = new Map(stale.map((i) => [NAMES.set(i), nativeValue(this.backend, this.variable(i)).id] as const));
    for (const { id } of this.session.run(feeds, stale.map(NAMES.done))) this.backend.binding.deleteTensor(id);
    for (const i of stale) {
      this.known[i] = this.variable(i).dataId;
      this.changed.delete(i);
    }
  }

  /**
   * Writes the SavedModel into a folder. It holds no variables: feed its signature `set` first. Signatures `NAME_0`,
   * `NAME_1` … are the steps, one per recorded shape; `get` reads the variables.
   */
  async save(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'saved_model.pb'), this.bytes);
  }

  /** Frees the session. The tfjs variables keep the values of the last `read`. */
  dispose(): void {
    if (!this.disposed) this.session.close();
    this.disposed = true;
  }

  private assertAlive(): void {
    const gone = this.contents.variables.find((variable) => variable.isDisposed);
    if (!this.disposed && !gone) return;
    throw cannot('use the compiled step', {
      expected: 'it and its variables to live',
      got: gone ? `the variable ${gone.name}, which was disposed of` : 'a step after its dispose()',
      hint: gone ? ASSIGN_HINT : 'compile it again',
    });
  }

  private variable(i: number): tf.Variable {
    return this.contents.variables[i] as tf.Variable;
  }

  private mismatch(name: Name, inputs: readonly InputSpec[]): Error {
    const recorded = [...this.contents.signatures.keys()].filter((key) => key.startsWith(`${name}(`));
    return cannot('run the compiled step', {
      expected: recorded.join(' or ') || `a step named ${[...this.contents.signatures.keys()].join(', ')}`,
      got: `${name}(${describe(inputs)})`,
      hint: 'list every shape in inputs when compiling: [[a], [b]]',
    });
  }
}

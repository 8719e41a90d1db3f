/** Compiled steps: each a graph in one session, run with one call. */
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { cannot, kindOf } from '../common/errors.js';
import { describeFileError, makeFolder, writeFileAtomic } from '../common/files.js';
import { type NativeBackend, nativeTensor, nativeValue } from './binding.js';
import { assertLive, describe, describeGiven, type Input, isTensor, match, type Match, plainTensor } from './inputs.js';
import type { Generator } from './random.js';
import type { InputSpec, RecordedGraph } from './record/record.js';
import { FollowedOptimizer } from './optimizerState.js';
import { type OpenSession, SessionVariables } from './sessionVariables.js';
import { type NamedGraph, NAMES } from './write/savedModel.js';

export interface RecordedStep extends NamedGraph {
  graph: RecordedGraph;
  /** The name of the step, of whose signatures this is one. */
  step: string;
  signature: readonly InputSpec[];
  /** How many steps each optimizer takes in it. */
  taken: ReadonlyMap<tf.Optimizer, number>;
}

/** The kernels that run in a fused step: their hash and the compiler; or the reason why it was not fused. */
export type Fusion = { readonly hash: string; readonly compiler: string } | { readonly reason: string };

export interface Contents {
  /** Undefined where that was not asked for. */
  fused: Fusion | undefined;
  /** By signature, such as "train(int32 [256])". */
  recorded: ReadonlyMap<string, RecordedStep>;
  variables: readonly tf.Variable[];
  /** What layers draw from, where nobody else has it. */
  own?: Generator | undefined;
  /** The optimizer whose learning rate is a variable. */
  rated?: tf.Optimizer | undefined;
}

const RUN = { doing: 'run the compiled step', many: false, each: '' };
const RUN_MANY = { doing: 'run the compiled step many times', many: true, each: 'for each step inputs as in ' };

/** Compiled steps and the session they run in. */
export class CompiledSteps<Name extends string> {
  private readonly variables: SessionVariables;
  private readonly optimizers = new Map<tf.Optimizer, FollowedOptimizer>();
  private disposed = false;

  /** Use `compileSteps`. */
  constructor(
    private readonly backend: NativeBackend,
    open: OpenSession,
    private readonly encode: () => Uint8Array,
    private readonly contents: Contents,
  ) {
    const { recorded, variables, rated } = contents;
    this.variables = new SessionVariables(backend, open, variables);
    for (const optimizer of [...recorded.values()].flatMap(({ taken }) => [...taken.keys()]))
      this.optimizers.set(optimizer, new FollowedOptimizer(optimizer, variables, { rated: optimizer === rated }));
  }

  /** Undefined where fusing was not asked for. */
  get fused(): Fusion | undefined {
    return this.contents.fused;
  }

  /**
   * Runs a step on inputs of a shape that it was recorded for: tensors, or plain numbers. The caller owns the outputs.
   * Throws a BnTrainError for other shapes or types.
   */
  run(name: Name, ...inputs: Input[]): tf.Tensor[] {
    const found = this.find(name, inputs, RUN);
    return this.call(found, found.step.name, inputs, 1);
  }

  /**
   * Runs a step many times in one call, as often as the first axis of its inputs is long: inputs and outputs are those of
   * `run`, [steps, ...shape]. The results are those of as many runs one after the other but for rounding, as TensorFlow
   * may order sums in a loop differently; a random op's draws are a series of their own. A call's cost is paid once.
   * The caller owns the outputs. Throws a BnTrainError for other shapes or types, and for a step without inputs.
   */
  runMany(name: Name, ...stacks: Input[]): tf.Tensor[] {
    const found = this.find(name, stacks, RUN_MANY);
    const [count = 0, ...others] = new Set(found.shapes.map(([steps]) => steps));
    if (count === 0 || others.length > 0)
      throw cannot(RUN_MANY.doing, {
        expected: 'inputs with one and the same number of steps, above 0, as their first axis',
        got: `${name}(${describeGiven(stacks)})`,
        hint: 'stack the inputs of all steps: tf.stack([first, second])',
      });
    this.variables.openLoops();
    return this.call(found, NAMES.many(found.step.name), stacks, count);
  }

  /** Fetches, with one call, the values that the tfjs variables would each fetch when they are looked at. */
  read(): void {
    this.assertAlive();
    this.variables.fetchAll();
  }

  /** Gives the session the values of tfjs variables that were assigned to, as the next run would. */
  write(): void {
    this.assertAlive();
    this.variables.store();
  }

  /**
   * Writes the SavedModel, never fused, into a folder. It holds no variables: feed its signature `set` first. Signatures
   * `NAME_0`, `NAME_1` … are the steps, one per recorded shape; `get` reads the variables. Where layers draw by a seed, one
   * more variable holds their generator's state. Throws a BnTrainError for a folder that
   * cannot be written.
   */
  async save(folder: string): Promise<void> {
    try {
      await makeFolder(folder);
      await writeFileAtomic(path.join(folder, 'saved_model.pb'), this.encode());
    } catch (cause) {
      const [expected, got] = [`a folder that can be written, ${folder}`, describeFileError(cause)];
      const hint = 'choose another folder or change its permissions';
      throw cannot('save the compiled step', { expected, got, hint, cause });
    }
  }

  /** Frees the session; the tfjs variables keep the values that they had in it. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    try {
      this.variables.fetchAll();
    } finally {
      this.variables.close();
      this.contents.own?.dispose();
    }
  }

  private assertAlive(): void {
    const { variables } = this;
    for (const optimizer of this.disposed ? [] : this.optimizers.values())
      optimizer.follow(
        (i) => variables.at(i),
        (i, variable) => variables.replace(i, variable),
      );
    const gone = this.disposed ? undefined : variables.disposed;
    if (!this.disposed && !gone) return;
    throw cannot('use the compiled step', {
      expected: 'it and its variables to live',
      got: gone ? `the variable ${gone.name}, which was disposed of` : 'a step after its dispose()',
      hint: 'compile it again',
    });
  }

  /** The recorded step for these inputs; throws where there is none. */
  private find(name: Name, inputs: readonly unknown[], how: typeof RUN): Match<RecordedStep> {
    const { doing, many, each } = how;
    this.assertAlive();
    for (const [i, input] of inputs.entries()) if (isTensor(input)) assertLive(doing, `input ${i}`, input);
    const all = [...this.contents.recorded.values()];
    const ofStep = all.filter(({ step }) => step === name);
    const found = match(ofStep, inputs, many);
    if (found) return found;
    const listed = (steps: RecordedStep[]) => steps.map(({ step, signature }) => `${step}(${describe(signature)})`);
    throw cannot(doing, {
      expected: ofStep.length > 0 ? each + listed(ofStep).join(' or ') : `a step named ${listed(all).join(', ')}`,
      got: `${typeof name === 'string' ? name : kindOf(name)}(${describeGiven(inputs)})`,
      hint: 'list every shape in inputs when compiling: [[a], [b]]',
    });
  }

  private call({ step, shapes }: Match<RecordedStep>, graphName: string, inputs: readonly Input[], times: number) {
    const { graph, signature, taken } = step;
    for (const optimizer of taken.keys()) this.optimizers.get(optimizer)?.assertSame();
    return tf.tidy(() => {
      const tensors = inputs.map((input, i) =>
        isTensor(input) ? input : plainTensor(this.backend, input, signature[i]?.dtype, shapes[i] ?? []),
      );
      const feeds = new Map(
        tensors.map((tensor, i) => [NAMES.input(graphName, i), nativeValue(this.backend, tensor).id] as const),
      );
      const fetches = graph.outputs.map((_, i) => NAMES.output(graphName, i));
      const all = fetches.length > 0 ? fetches : [NAMES.ran(graphName)];
      const results = this.variables.run(feeds, all, [...graph.updates.keys()]);
      for (const [optimizer, steps] of taken) this.optimizers.get(optimizer)?.count(steps * times);
      for (const { id } of results.splice(fetches.length)) this.backend.binding.deleteTensor(id);
      return results.map((value) => nativeTensor(this.backend, value));
    });
  }
}

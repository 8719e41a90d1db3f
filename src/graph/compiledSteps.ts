/** Compiled steps: each a graph in one session, run with one call, and variables that are carried over when asked. */
import * as path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { cannot } from '../common/errors.js';
import { describeFileError, makeFolder, writeFileAtomic } from '../common/files.js';
import type { Graph } from './graph.js';
import { aliasOf, type NativeBackend, nativeValue, type Session } from './binding.js';
import type { InputSpec } from './record/record.js';
import { type NamedGraph, NAMES } from './write/savedModel.js';

const ASSIGN_HINT =
  "to change an optimizer's learning rate, assign to its variable and write(), or use minimize; setLearningRate makes another";

/** "float32 [256, 784], int32 []". */
export function describe(signature: readonly InputSpec[]): string {
  return signature.map(({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`).join(', ');
}

/** The kernels that run in a fused step: their hash and the compiler; or the reason why it was not fused. */
export type Fusion = { readonly hash: string; readonly compiler: string } | { readonly reason: string };

interface Contents {
  /** Undefined where that was not asked for. */
  fused: Fusion | undefined;
  /** By signature, such as "train(int32 [256])". */
  recorded: ReadonlyMap<string, NamedGraph>;
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
    private readonly encode: () => Uint8Array,
    private readonly contents: Contents,
  ) {}

  /** Undefined where fusing was not asked for. */
  get fused(): Fusion | undefined {
    return this.contents.fused;
  }

  /**
   * Runs a step on inputs of a shape that it was recorded for. The caller owns the outputs.
   * Throws a BnTrainError for other shapes or types.
   */
  run(name: Name, ...inputs: tf.Tensor[]): tf.Tensor[] {
    this.assertAlive();
    const found = this.find(name, inputs);
    if (!found) throw this.mismatch('run the compiled step', name, inputs);
    return this.call(found.name, found.graph, inputs);
  }

  /**
   * Runs a step many times in one call, as often as the first axis of its inputs is long: inputs and outputs are those of
   * `run`, [steps, ...shape]. The results are those of as many runs one after the other but for rounding, as TensorFlow
   * may order sums in a loop differently; a random op's draws are a series of their own. A call's cost is paid once.
   * The caller owns the outputs. Throws a BnTrainError for other shapes or types, and for a step without inputs.
   */
  runMany(name: Name, ...stacks: tf.Tensor[]): tf.Tensor[] {
    this.assertAlive();
    const slices = stacks.map(({ dtype, shape }) => ({ dtype, shape: shape.slice(1) }));
    const found = this.find(name, slices);
    const doing = 'run the compiled step many times';
    if (!found) throw this.mismatch(doing, name, stacks, 'for each step inputs as in ');
    const counts = new Set(stacks.map(({ shape }) => shape[0]));
    if (counts.size !== 1 || ![...counts].every((count) => count > 0))
      throw cannot(doing, {
        expected: 'inputs with one and the same number of steps, above 0, as their first axis',
        got: `${name}(${describe(stacks)})`,
        hint: 'stack the inputs of all steps: tf.stack([first, second])',
      });
    return this.call(NAMES.many(found.name), found.graph, stacks);
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
   * Writes the SavedModel, never fused, into a folder. It holds no variables: feed its signature `set` first. Signatures `NAME_0`,
   * `NAME_1` … are the steps, one per recorded shape; `get` reads the variables. Throws a BnTrainError for a folder that
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

  /** The variable gets data of its own, so that assigning an older clone of it is seen by `write`. */
  private markChanged(i: number): void {
    if (this.changed.has(i)) return;
    this.changed.add(i);
    const alias = aliasOf(this.backend, this.variable(i));
    this.variable(i).assign(alias);
    alias.dispose();
    this.known[i] = this.variable(i).dataId;
  }

  private variable(i: number): tf.Variable {
    return this.contents.variables[i] as tf.Variable;
  }

  private find(name: Name, inputs: readonly InputSpec[]): NamedGraph | undefined {
    return this.contents.recorded.get(`${name}(${describe(inputs)})`);
  }

  private call(graphName: string, { outputs, updates }: Graph, inputs: readonly tf.Tensor[]): tf.Tensor[] {
    const feeds = new Map(
      inputs.map((tensor, i) => [NAMES.input(graphName, i), nativeValue(this.backend, tensor).id] as const),
    );
    const fetches = outputs.map((_, i) => NAMES.output(graphName, i));
    const results = this.session.run(feeds, fetches.length > 0 ? fetches : [NAMES.ran(graphName)]);
    for (const i of updates.keys()) this.markChanged(i);
    const tensors = results.map((metadata) => this.backend.createOutputTensor(metadata));
    for (const surplus of tensors.slice(fetches.length)) surplus.dispose();
    return tensors.slice(0, fetches.length);
  }

  private mismatch(doing: string, name: Name, inputs: readonly InputSpec[], each = ''): Error {
    const all = [...this.contents.recorded.keys()];
    const ofStep = all.filter((signature) => signature.startsWith(`${name}(`));
    return cannot(doing, {
      expected: ofStep.length > 0 ? each + ofStep.join(' or ') : `a step named ${all.join(', ')}`,
      got: `${name}(${describe(inputs)})`,
      hint: 'list every shape in inputs when compiling: [[a], [b]]',
    });
  }
}

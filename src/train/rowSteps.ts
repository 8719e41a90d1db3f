/** Steps that take rows of a data set: compiled or op by op, one a call or many. */
import * as tf from '@tensorflow/tfjs';
import { compileSteps, type CompileOptions, type StepDefinition } from '../graph/compile.js';
import type { CompiledSteps, Fusion } from '../graph/compiledSteps.js';
import { takeVectors } from '../nn/population.js';
import type { Mode } from './step.js';

type Definitions<Name extends string> = Readonly<Record<Name, StepDefinition>>;

export interface RowStepsOptions extends Pick<CompileOptions, 'variables' | 'xla' | 'signal'> {
  mode: Mode;
}

export class RowSteps<Name extends string> {
  private constructor(
    private readonly steps: Definitions<Name>,
    /** Unless they run op by op. */
    private readonly compiled: CompiledSteps<Name> | undefined,
  ) {}

  /** The variables must not be replaced after that. */
  static async open<Name extends string>(
    steps: Definitions<Name>,
    { mode, ...options }: RowStepsOptions,
  ): Promise<RowSteps<Name>> {
    const compiled = mode === 'eager' ? undefined : await compileSteps(steps, { ...options, fuse: mode === 'fused' });
    return new RowSteps(steps, compiled);
  }

  /** How they are run. Fused ones that were asked for and cannot be had are graphs, and `kernels` says why. */
  get how(): { mode: Mode; kernels?: Fusion } {
    const { compiled } = this;
    if (!compiled) return { mode: 'eager' };
    const { fused } = compiled;
    return fused ? { mode: 'hash' in fused ? 'fused' : 'graph', kernels: fused } : { mode: 'graph' };
  }

  /** Runs a step on batches of rows of one size, one after the other: of each the values of each output. */
  run(name: Name, batches: Int32Array[], ...numbers: number[]): Float32Array[][] {
    const { compiled, steps } = this;
    if (!compiled || batches.length === 1)
      return batches.map((batch) => {
        const outputs = tf.tidy(() => {
          const inputs = [tf.tensor1d(batch, 'int32'), ...numbers.map((number) => tf.scalar(number))];
          return compiled ? compiled.run(name, ...inputs) : steps[name].step(...inputs);
        });
        return takeVectors(outputs);
      });
    const outputs = tf.tidy(() => {
      const rows = Int32Array.from(batches.flatMap((batch) => [...batch]));
      const stack = tf.tensor1d(rows, 'int32').reshape([batches.length, -1]);
      return compiled.runMany(name, stack, ...numbers.map((number) => tf.fill([batches.length], number)));
    });
    const all = takeVectors(outputs);
    return batches.map((_, i) =>
      all.map((values) =>
        values.subarray((i * values.length) / batches.length, ((i + 1) * values.length) / batches.length),
      ),
    );
  }

  dispose(): void {
    this.compiled?.dispose();
  }
}

/** Whether a finished runtime does for what it is wanted for, in words where it does not. */
import { cannot } from '../../common/errors.js';
import type { Want } from './builds.js';
import type { Runtime } from './finished.js';

/** Whether a runtime has the version and, for CUDA, what CUDA needs. */
export function suits(runtime: Runtime, want: Want): boolean {
  return problemOf(runtime, want) === undefined;
}

/** The runtime, if it suits; throws a BnTrainError saying what it lacks. */
export function assertSuits(runtime: Runtime, want: Want, folder: string): Runtime {
  const problem = problemOf(runtime, want);
  if (problem === undefined) return runtime;
  throw cannot(`use the runtime folder ${folder}`, problem);
}

function problemOf(
  { tensorflow, cuda }: Runtime,
  want: Want,
): { expected: string; got: string; hint: string } | undefined {
  if ((want.tensorflow ?? tensorflow) !== tensorflow)
    return { expected: `TensorFlow ${want.tensorflow ?? ''}`, got: tensorflow, hint: 'leave out --tensorflow' };
  if (want.device === 'cpu') return undefined;
  if (!cuda)
    return {
      expected: 'a TensorFlow that was built for CUDA',
      got: `TensorFlow ${tensorflow} for the CPU`,
      hint: 'without --runtime-dir: bn-train setup --cuda; or use --device cpu',
    };
  if (cuda.missing.length === 0) return undefined;
  return {
    expected: "NVIDIA's libraries in ../nvidia beside it, or where the system's loader finds them",
    got: `these do not open: ${cuda.missing.join('; ')}`,
    hint: 'bn-train setup --cuda installs them all; or use --device cpu',
  };
}

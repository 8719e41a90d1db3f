/** Tells whether fused steps are to be had here. */
import type { compileSteps } from '../graph/compile.js';

/** Why they are not; undefined where they are. */
export async function whyUnfused(compile: typeof compileSteps): Promise<string | undefined> {
  const inputs = [{ shape: [2, 2], dtype: 'float32' as const }];
  const steps = await compile({ sum: { step: (x) => [x.sum(0)], inputs } }, { variables: [], fuse: true });
  const { fused } = steps;
  steps.dispose();
  if (!fused) return 'steps are fused for the CPU alone';
  return 'reason' in fused ? fused.reason : undefined;
}

/** Steps compiled for tests: as plain graphs, or fused where a test file has asked for that. */
import * as plain from '../../src/graph/compile.js';

export const mode = { fuse: false };

const fuseOf = ({ rules, xla }: plain.CompileOptions = {}) => mode.fuse && !rules && xla !== true;

export const compileStep: typeof plain.compileStep = (step, options) =>
  plain.compileStep(step, { fuse: fuseOf(options), ...options });

export const compileSteps: typeof plain.compileSteps = (steps, options) =>
  plain.compileSteps(steps, { fuse: fuseOf(options), ...options });

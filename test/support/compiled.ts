/** Steps compiled for tests: as plain graphs, or fused where a test file has asked for that. */
import * as plain from '../../src/graph/compile.js';

export const mode = { fuse: false };

/** What is no set of options stays what it is, for the words that refuse it. */
const withMode = <T extends plain.CompileOptions>(given: T): T =>
  typeof given === 'object' && !Array.isArray(given)
    ? { fuse: mode.fuse && !given.rules && given.xla !== true, ...given }
    : given;

export const compileStep: typeof plain.compileStep = (step, options) => plain.compileStep(step, withMode(options));

export const compileSteps: typeof plain.compileSteps = (steps, ...[options]) =>
  plain.compileSteps(steps, withMode(options ?? {}));

/** `bn-train/graph`: compiled steps for any model made of tfjs ops. */
import { generator } from './random.js';

export { accelerate } from './accelerate/accelerate.js';
export type { AccelerateOptions, Acceleration } from './accelerate/accelerated.js';
export { compileStep, compileSteps } from './compile.js';
export type { CompiledStep, CompileOptions, StepDefinition } from './compile.js';
export type { Declared, InputExample, Signatures } from './declarations.js';
export type { Input, Plain } from './inputs.js';
export type { CompiledSteps, Fusion } from './compiledSteps.js';
export { minimize, optimizerVariables } from './optimizer.js';
export type { Generator } from './random.js';
export type { InputSpec, StepFunction } from './record/record.js';

export const random = { generator };

/** The package's public surface. */
export { BnTrainError } from './common/errors.js';
export * from './nn/index.js';
export { type FashionMnist, loadFashionMnist, type LoadOptions } from './data/fashionMnist.js';
export type { Dataset } from './data/idx.js';
export { compileStep, type CompiledStep } from './graph/compile.js';
export type { Listener, Progress } from './common/listener.js';
export type { BackendName } from './common/backends.js';
export { type BackendInfo, type BackendOptions, openBackend } from './runtime/open.js';
export type { Mode } from './train/step.js';
export { train } from './train/loop.js';
export type { TrainOptions } from './train/trainOptions.js';
export type { EpochResult, FinalResult, Position, Progressed, Statistics, TrainEvent } from './train/events.js';

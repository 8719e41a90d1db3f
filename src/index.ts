/** The package's public surface. */
export { BnTrainError } from './common/errors.js';
export * from './nn/index.js';
export { type FashionMnist, loadFashionMnist } from './data/fashionMnist.js';
export type { Dataset } from './data/idx.js';
export { compileStep, type CompiledStep } from './graph/compile.js';
export type { BackendName } from './common/backends.js';
export { type BackendInfo, openBackend } from './runtime/open.js';
export { train } from './train/loop.js';
export type { TrainOptions } from './train/trainOptions.js';
export type { EpochResult, FinalResult, Position, TrainEvent } from './train/events.js';

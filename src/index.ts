/** The package's public surface. */
export { BnTrainError } from './common/errors.js';
export { batchNorm, type BatchNormOptions, type BatchNormResult } from './nn/batchNorm.js';
export { BatchNorm, type BatchNormConfig } from './nn/layer.js';
export { lenet, type LenetConfig, type Norm } from './nn/lenet.js';
export { populationStatistics, withStatistics, type LayerStatistics } from './nn/population.js';
export { type FashionMnist, loadFashionMnist } from './data/fashionMnist.js';
export type { Dataset } from './data/idx.js';
export { compileStep, type CompiledStep } from './graph/compile.js';
export { type BackendInfo, type BackendName, openBackend } from './runtime/open.js';
export { train, type TrainOptions } from './train/loop.js';
export type { EpochResult, FinalResult, Position, TrainEvent } from './train/events.js';

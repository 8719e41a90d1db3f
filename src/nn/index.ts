/** What `bn-train/nn` exports: the layer, its mathematics and its statistics, on TensorFlow.js alone, in a browser too. */
export { batchNorm, type BatchNormOptions, type BatchNormResult } from './batchNorm.js';
export { BatchNorm, type BatchNormConfig } from './layer.js';
export { withBatchNorm } from './convert.js';
export { lenet, type LenetConfig, type Norm } from './lenet.js';
export { type LayerStatistics, withStatistics } from './population.js';
export { populationStatistics, recalibrate } from './recalibrate.js';
export { fold } from './fold.js';

/** What `bn-train/nn` exports: the layer, its mathematics and its statistics, on TensorFlow.js alone, in a browser too. */
export { batchNorm, type BatchNormOptions, type BatchNormResult } from './batchNorm.js';
export { BatchNorm, type BatchNormConfig } from './layer.js';
export { withBatchNorm } from './convert.js';
export { fold } from './fold.js';
export { groupNorm, type GroupNormOptions } from './groupNorm.js';
export { GroupNorm, type GroupNormConfig } from './groupLayer.js';
export { lenet, type LenetConfig, type Norm, type NormFactory } from './lenet.js';
export { mlp, type MlpConfig } from './mlp.js';
export { MovingNoise, type Draws } from './noise.js';
export { type Batch, type LayerStatistics, withStatistics } from './population.js';
export { populationStatistics, recalibrate } from './recalibrate.js';

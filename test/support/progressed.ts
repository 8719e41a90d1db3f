/** Where a run stands, with figures that fit one another, as a checkpoint must have them. */
import type { Progressed } from '../../src/train/events.js';
import { startOf } from '../../src/train/loop.js';

/** In this epoch after so many batches of 256. */
export function progressedTo(epoch: number, batch = 0): Progressed {
  const population = { testAccuracyPopulation: 0.6, populationImages: 2560 };
  const figures = {
    loss: 1,
    trainAccuracy: 0.5,
    testAccuracy: 0.4,
    ...population,
    examplesPerSecond: 9000,
    seconds: 6.5,
  };
  return {
    position: { ...startOf(epoch), batch, loss: batch, correct: batch, examples: batch * 256 },
    history: Array.from({ length: epoch - 1 }, (_, i) => ({ epoch: i + 1, ...figures })),
  };
}

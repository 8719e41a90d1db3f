/** The lines that a user's own model is shown by when it is measured, beside those of its speed. */
import type { Difference, FirstSteps } from '../bench/modelSpeed.js';
import { formatCount, formatMetric } from '../common/format.js';
import { align } from './columns.js';

interface About {
  layers: number;
  parameters: number;
  examples: number;
  batchSize: number;
}

/** "7 layers, 34,826 parameters; batches of 32 out of 5,120 examples". */
export function modelLine({ layers, parameters, examples, batchSize }: About): string {
  const size = `${formatCount(layers)} layer${layers === 1 ? '' : 's'}, ${formatCount(parameters)} parameters`;
  return `${size}; batches of ${formatCount(batchSize)} out of ${formatCount(examples)} examples`;
}

/** How far the two ways to train are from each other, and how long they took to get there. */
export function firstStepsLines({ losses, accelerated, stock, seconds }: FirstSteps, columns?: number): string[] {
  const [first = NaN, last = NaN] = [losses[0], losses.at(-1)];
  const cells = ({ loss, weight }: Difference) => [small(loss), small(weight)];
  return align(
    [
      [`${losses.length} steps from the same start`, 'loss differs by', 'weights by', 'took, s'],
      ['accelerated, from stock', ...cells(accelerated), seconds.accelerated.toFixed(1)],
      ['stock, from stock again', ...cells(stock), seconds.stock.toFixed(1)],
    ],
    columns,
  ).concat(`largest differences; the loss goes from ${formatMetric(first)} to ${formatMetric(last)}`, ...drawn(stock));
}

/** Op by op on the CPU, the same training gives the same bits. */
function drawn({ loss }: Difference): string[] {
  return loss === 0 ? [] : ['stock differs from itself: the model draws random numbers, as for dropout or noise'];
}

function small(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

/** The lines that say what folding a model changed and gained. */
import type { InferenceSpeed } from '../bench/inference.js';
import type { Summary } from '../bench/statistics.js';
import { formatBytes, formatCount, formatMetric } from '../common/format.js';
import type { FoldedRun } from '../export/foldedRun.js';
import { align } from './columns.js';

/** `output` is the folder, `device` where the speed was measured. */
export function foldLines(
  { difference, size, inference, files }: FoldedRun,
  { output, device, columns }: { output: string; device: string; columns?: number | undefined },
): string[] {
  const { images, logit, probability, classes, accuracy } = difference;
  const named = Object.entries(files).map(([name, bytes]) => `${name} (${formatBytes(bytes)})`);
  return [
    ...align(
      [
        ['', 'before', 'folded'],
        ['test acc', formatMetric(accuracy.before), formatMetric(accuracy.after)],
        ['size', formatBytes(size.before), formatBytes(size.after)],
      ],
      columns,
    ),
    `largest difference over ${formatCount(images)} test images: ${probability.toExponential(1)} of a probability, ` +
      `${logit.toExponential(1)} of a logit; ${formatCount(classes)} images in another class`,
    ...align([['images/sec by predict', 'before', '', 'folded', '', 'speed-up', ''], ...inference.map(cells)], columns),
    `median [range] of ${inference[0]?.turns ?? 0} turns of each model, one after the other, on the ${device}`,
    `written to ${output}: ${named.join(', ')}`,
  ];
}

function cells({ images, before, after, speedUp }: InferenceSpeed): string[] {
  const whole = (value: number) => formatCount(value);
  const name = images === 1 ? 'one image a call' : `${formatCount(images)} images a call`;
  return [name, ...range(before, whole), ...range(after, whole), ...range(speedUp, (value) => value.toFixed(2))];
}

function range({ median, min, max }: Summary, format: (value: number) => string): [string, string] {
  return [format(median), `[${format(min)}–${format(max)}]`];
}

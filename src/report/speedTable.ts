/** The lines of text that measurements are shown by, made from their figures alone. */
import { formatBytes, formatCount, formatMetric } from '../common/format.js';
import type { FreshSummary, Named, Ratio, Speed } from '../bench/figures.js';
import type { Hello } from '../bench/program.js';
import type { Summary } from '../bench/statistics.js';
import type { Machine } from '../common/machine.js';
import { align } from './columns.js';

/** The machine, each program's versions, and what a figure stands for. */
export function headLines(
  { platform, cpu, cores, memory }: Machine,
  programs: Hello[],
  { turns, steps, batchSize }: { turns: number; steps: number; batchSize: number },
): string[] {
  return [
    `${platform}, ${cpu}, ${cores} cores, ${formatBytes(memory)} memory`,
    ...programs.map(programLine),
    `median [range] of ${turns} turns, each ${steps} steps of ${batchSize} examples`,
  ];
}

/** "pytorch: python 3.11.7, torch 2.13.0, 2 threads". */
function programLine({ program, versions, threads }: Hello): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${program}: ${[...named, `${threads} threads`].join(', ')}`;
}

/** One line for each contestant: median and range. */
export function speedLines(speeds: Speed[], columns?: number): string[] {
  return align(
    [
      ['', 'examples/sec', '', 'ms a step', ''],
      ...speeds.map((speed) => [
        label(speed),
        ...cells(speed.examplesPerSecond, formatCount),
        ...cells(speed.millisecondsPerStep, (value) => value.toFixed(1)),
      ]),
    ],
    columns,
  );
}

export function ratioLines(ratios: Ratio[], columns?: number): string[] {
  if (ratios.length === 0) return [];
  return align(
    [
      ['examples/sec, divided turn by turn', '', ''],
      ...ratios.map((ratio) => [
        `${label(ratio.of)} / ${label(ratio.to)}`,
        ...cells(ratio, (value) => value.toFixed(2)),
      ]),
    ],
    columns,
  );
}

export function freshLines(summaries: FreshSummary[], columns?: number): string[] {
  if (summaries.length === 0) return [];
  return align(
    [
      ['one epoch in a process of its own', 'peak memory, MB', '', 'start to first step, s', '', 'loss', 'train acc'],
      ...summaries.map(({ loss, accuracy, ...summary }) => [
        label(summary),
        ...cells(summary.peakMemory, (bytes) => formatCount(bytes / 1e6)),
        ...cells(summary.firstStepSeconds, (value) => value.toFixed(1)),
        formatMetric(loss.median),
        formatMetric(accuracy.median),
      ]),
    ],
    columns,
  );
}

/** "bn-train scratch eager". */
export function label({ program, name }: Named): string {
  return `${program} ${name.replace('/', ' ')}`;
}

function cells({ median, min, max }: Summary, format: (value: number) => string): [string, string] {
  return [format(median), `[${format(min)}–${format(max)}]`];
}

/** A long run of the real program, measured after every epoch, and its figure. */
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { program, type Result, root, start } from './program.js';

export interface Measured {
  epoch: number;
  examplesPerSecond: number;
  /** Resident memory of the process, in bytes. */
  rss: number;
  tensors: number;
}

/** Trains in a process of its own; with `collect`, garbage is collected before each measurement. */
export async function longRun(
  folder: string,
  args: string[],
  { env, collect }: { env: Record<string, string>; collect: boolean },
): Promise<{ result: Result; measured: Measured[] }> {
  const rows = path.join(folder, 'measured.csv');
  writeFileSync(rows, '');
  const hook = ['--import', path.join(root, 'test/support/measureEpochs.js')];
  const command = [
    ...(collect ? ['--expose-gc'] : []),
    ...hook,
    program,
    ...args,
    '--run-dir',
    path.join(folder, 'run'),
  ];
  const { result } = start(process.execPath, command, { env: { ...env, MEASURE_TO: rows } });
  const ended = await result;
  const lines = readFileSync(rows, 'utf8').trim().split('\n');
  const measured = lines.map((line) => {
    const [epoch = NaN, examplesPerSecond = NaN, rss = NaN, tensors = NaN] = line.split(',').map(Number);
    return { epoch, examplesPerSecond, rss, tensors };
  });
  return { result: ended, measured };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** How much larger the median of the last fifth is than that of the first, as a share; after epoch 5. */
export function growth(values: number[]): number {
  const after = values.slice(5);
  const fifth = Math.floor(after.length / 5);
  return median(after.slice(-fifth)) / median(after.slice(0, fifth)) - 1;
}

/** Memory and speed over the epochs, one above the other, each from zero. */
export function figure(measured: Measured[]): string {
  const panels = [
    { unit: 'resident memory, MB', values: measured.map(({ rss }) => rss / 1e6) },
    { unit: 'examples/sec', values: measured.map(({ examplesPerSecond }) => examplesPerSecond) },
  ];
  const [width, height, left] = [640, 160, 60];
  const drawn = panels.map(({ unit, values }, i) => {
    const top = 30 + i * (height + 50);
    const most = Math.max(...values) * 1.1;
    const x = (epoch: number) => left + ((epoch - 1) / Math.max(1, values.length - 1)) * (width - left - 20);
    const y = (value: number) => top + height * (1 - value / most);
    const points = values.map((value, k) => `${x(k + 1).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const middle = median(values);
    const change = `${(growth(values) * 100).toFixed(1)}% from first to last fifth after epoch 5`;
    return [
      `<text x="${left}" y="${top - 8}">${unit}: median ${Math.round(middle)}, ${change}</text>`,
      `<path d="M${left},${top}V${top + height}H${width - 20}" fill="none" stroke="#888"/>`,
      `<text x="${left - 6}" y="${y(middle) + 4}" text-anchor="end">${Math.round(middle)}</text>`,
      `<text x="${left - 6}" y="${top + height}" text-anchor="end">0</text>`,
      `<text x="${width - 20}" y="${top + height + 16}" text-anchor="end">epoch ${values.length}</text>`,
      `<polyline points="${points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/>`,
    ].join('\n');
  });
  const size = `width="${width}" height="${2 * (height + 50) + 10}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">\n${drawn.join('\n')}\n</svg>\n`;
}

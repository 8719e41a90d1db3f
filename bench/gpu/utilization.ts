/** How busy the GPU was: samples of nvidia-smi, taken while a training ran. */
import { type Summary, summarize } from '../../dist/bench/statistics.js';

export interface Utilization {
  /** Taken between the end of the first epoch and that of the last. */
  samples: number;
  /** In percent of the time in which a kernel ran. */
  utilization: Summary;
  /** In MiB, of all processes on this GPU. */
  memoryUsed: Summary;
  /** In watts. */
  power: Summary;
  /** Of the multiprocessors, in MHz. */
  clock: Summary;
}

/**
 * From lines "epochs done, percent, MiB, watts, MHz". Undefined where none was taken between two epochs: then the training
 * was too short, or nvidia-smi does not answer.
 */
export function utilizationOf(samples: string, epochs: number): Utilization | undefined {
  const rows = samples
    .split('\n')
    .map((line) => line.split(',').map((cell) => (cell.trim() === '' ? NaN : Number(cell))))
    .filter(
      ([done = NaN, ...values]) => done >= 1 && done < epochs && values.length === 4 && values.every(Number.isFinite),
    );
  if (rows.length === 0) return undefined;
  const column = (index: number) => summarize(rows.map((row) => row[index] ?? NaN));
  return { samples: rows.length, utilization: column(1), memoryUsed: column(2), power: column(3), clock: column(4) };
}

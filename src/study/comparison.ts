/** The comparison.json of a comparison: its runs as they finish, and what follows from them, spreads and all. */
import * as path from 'node:path';
import * as v from 'valibot';
import type { LayerSpeed } from '../bench/layerSpeed.js';
import { cannot } from '../common/errors.js';
import { codeOf, describeFileError, readBounded } from '../common/files.js';
import { toType } from '../common/invocation.js';
import { numberThat, parseShaped, text, whole } from '../common/shape.js';
import { NORMS, type Norm } from '../nn/lenet.js';
import { EPOCH, FINAL } from '../run/checkpoint.js';
import { CONFIG } from '../run/config.js';
import { LARGEST_SEED } from '../run/seed.js';
import { type ReferencePlace, placesOf } from './referenceRuns.js';
import { type Spread, spreadOf } from './spread.js';

/** Of JSON that holds every epoch of every run. */
const LIMIT = 2 ** 24;

const RUN = v.object({
  norm: CONFIG.entries.norm,
  seed: CONFIG.entries.seed,
  /** Beside comparison.json. */
  folder: text(),
  mode: CONFIG.entries.mode,
  epochs: v.array(EPOCH),
  // Null where it diverged: a loss was not finite.
  final: v.nullable(FINAL),
  // Of wall time, evaluation included; null where it was interrupted.
  wallSeconds: v.nullable(numberThat('a number from 0', (value) => value >= 0)),
});
export type ComparedRun = v.InferOutput<typeof RUN>;

const STATE = v.object({
  // What all runs have in common.
  config: v.omit(CONFIG, ['norm', 'seed', 'kernels', 'resumed']),
  seeds: v.array(whole(0, LARGEST_SEED)),
  runs: v.array(RUN),
});

/** What a comparison goes on from. */
export type ComparisonState = v.InferOutput<typeof STATE>;

export const FIGURES = [
  'loss',
  'trainAccuracy',
  'testAccuracy',
  'testAccuracyPopulation',
  'examplesPerSecond',
] as const;
export type Figure = (typeof FIGURES)[number];

/** One kind of normalization over all seeds that have come to their end. */
export type Compared = { norm: Norm; seeds: number[]; diverged: number[] } & Record<Figure, Spread | null>;

export interface Comparison extends ComparisonState {
  figures: Compared[];
  /** Undefined unless it was trained as the reference runs were. */
  reference: ReferencePlace[] | undefined;
  /** Null before it was measured, and where it was not wanted. */
  speed: LayerSpeed | null;
}

/** Reads what a comparison goes on from. Throws a BnTrainError where there is none, or it is damaged. */
export async function readComparison(folder: string): Promise<ComparisonState> {
  const file = fileOf(folder);
  const content = await readBounded(file, LIMIT).catch((error: unknown) => {
    throw cannot(`read the comparison ${folder}`, {
      expected: 'a folder with a comparison.json',
      got: codeOf(error) === 'ENOENT' ? 'none' : describeFileError(error),
      hint: `name a folder below ./runs, or begin one: ${toType('compare')}`,
      cause: error,
    });
  });
  return parseShaped(STATE, content.toString(), file);
}

export function fileOf(folder: string): string {
  return path.join(folder, 'comparison.json');
}

/** All that follows from the runs; `speed` is measured apart from them. */
export function concluded(state: ComparisonState, speed: LayerSpeed | null): Comparison {
  const { config, seeds, runs } = state;
  const figures = NORMS_IN_ORDER.map((norm) =>
    compared(
      norm,
      runs.filter((run) => run.norm === norm),
    ),
  );
  return { config, seeds, runs, figures, reference: placesOf(config, runs), speed };
}

/** As they are shown. */
const NORMS_IN_ORDER = ['none', 'scratch', 'builtin'] as const satisfies Norm[];

function compared(norm: Norm, runs: ComparedRun[]): Compared {
  const finished = runs.flatMap(({ seed, final }) => (final ? [{ seed, final }] : []));
  const over = (figure: Figure): Spread | null => {
    const values = finished.map(({ final }) => final[figure]);
    return values.length > 0 && values.every((value) => value !== null) ? spreadOf(values) : null;
  };
  return {
    norm,
    seeds: finished.map(({ seed }) => seed),
    diverged: runs.filter(({ final }) => !final).map(({ seed }) => seed),
    loss: over('loss'),
    trainAccuracy: over('trainAccuracy'),
    testAccuracy: over('testAccuracy'),
    testAccuracyPopulation: over('testAccuracyPopulation'),
    examplesPerSecond: over('examplesPerSecond'),
  };
}

/**
 * The runs in their order: seed by seed, so that an early end leaves whole comparisons; each seed begins with another
 * norm, so that a machine that slows down does so for all.
 */
export function planned(seeds: readonly number[]): { norm: Norm; seed: number; folder: string }[] {
  return seeds.flatMap((seed, i) =>
    NORMS.map((_, j) => {
      const norm = NORMS_IN_ORDER[(i + j) % NORMS.length] as Norm;
      return { norm, seed, folder: `${norm}-seed-${seed}` };
    }),
  );
}

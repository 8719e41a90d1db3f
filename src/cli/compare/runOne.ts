/** One run of a comparison, begun or gone on with in its own run folder. */
import * as path from 'node:path';
import { BnTrainError } from '../../common/errors.js';
import { exists } from '../../common/files.js';
import { quoted } from '../../common/invocation.js';
import type { FashionMnist } from '../../data/fashionMnist.js';
import type { Norm } from '../../nn/lenet.js';
import { chartTitle, svgChart } from '../../report/svgChart.js';
import { assertOwnData, type RunConfig } from '../../run/config.js';
import { holdRunFolder } from '../../run/folder.js';
import { readNewestCheckpoint } from '../../run/checkpoints.js';
import { recordedRun } from '../../run/recordedRun.js';
import type { ComparedRun, ComparisonState } from '../../study/comparison.js';
import type { EpochResult, TrainEvent } from '../../train/events.js';
import { Divergence } from '../../train/loop.js';
import { assertRun, readRun, type Resumed } from '../resume.js';

interface OneRun {
  norm: Norm;
  seed: number;
  /** Below the comparison's. */
  folder: string;
}

interface Circumstances {
  /** The comparison's. */
  folder: string;
  config: ComparisonState['config'];
  data: FashionMnist;
  signal: AbortSignal;
  notice: (line: string) => void;
  onEvent: (event: TrainEvent) => void;
}

/** Trains to the end, or until the loss is no longer finite, which is an outcome. Undefined where it was interrupted. */
export async function runOne(one: OneRun, circumstances: Circumstances): Promise<ComparedRun | undefined> {
  const folder = path.join(circumstances.folder, one.folder);
  const train = async () => {
    const isBegun = await exists(path.join(folder, 'config.json'));
    const resumed = isBegun ? await goingOn(folder, one, circumstances) : undefined;
    return record(folder, one, circumstances, resumed);
  };
  return holdRunFolder(folder, train, `go on with --resume ${quoted(circumstances.folder)}`);
}

/** A run that the comparison began, and nobody has put another in its place. */
async function goingOn(
  folder: string,
  { norm, seed }: OneRun,
  { config, data, notice }: Circumstances,
): Promise<Resumed> {
  await assertRun(folder, norm);
  const resumed = await readRun(folder, { backend: config.backend, device: 'auto', fuse: true, seed }, { notice });
  assertOwnData(folder, resumed.config, data);
  return resumed;
}

async function record(
  folder: string,
  { norm, seed, folder: name }: OneRun,
  { config: common, data, signal, notice, onEvent }: Circumstances,
  resumed: Resumed | undefined,
): Promise<ComparedRun | undefined> {
  const now: RunConfig = { ...common, norm, seed, started: new Date().toISOString() };
  const { config, change } = resumed?.goingOnAt(now) ?? { config: now, change: undefined };
  if (change !== undefined) notice(change);
  const started = performance.now();
  const about = () => ({
    ...{ norm, seed, folder: name },
    wallSeconds: resumed?.checkpoint ? null : (performance.now() - started) / 1000,
  });
  const from = resumed?.checkpoint;
  const chart = (epochs: EpochResult[]) => svgChart(epochs, chartTitle(data.name, config));
  try {
    const { final, mode, epochs } = await recordedRun({ folder, config, data, from, signal, onEvent, notice, chart });
    return final && { ...about(), mode, epochs, final };
  } catch (error) {
    if (!(error instanceof BnTrainError && error.cause instanceof Divergence)) throw error;
    const epochs = (await readNewestCheckpoint(folder, notice))?.history ?? [];
    return { ...about(), mode: config.mode, epochs, final: null };
  }
}

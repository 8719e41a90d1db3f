/** A saved run, opened to be computed with: its model, its data and the backend. */
import type * as tf from '@tensorflow/tfjs';
import type { FashionMnist } from '../data/fashionMnist.js';
import type { RunConfig } from '../run/config.js';
import type { BackendInfo } from '../runtime/open.js';
import type { Progressed } from '../train/events.js';
import type { DataOptions, PlaceOptions } from './options.js';
import type { Session } from './session.js';

interface OpenedRun {
  /** Its folder. */
  run: string;
  config: RunConfig;
  backend: BackendInfo;
}

export interface SavedRun extends OpenedRun, Progressed {
  data: FashionMnist;
  model: tf.Sequential;
}

/**
 * The run `named`, or the newest, as its last finished epoch left it, or with `midEpoch` its newest checkpoint. `check` may
 * refuse it before anything is opened.
 */
export async function openSavedRun(
  named: string | undefined,
  flags: PlaceOptions & { midEpoch?: boolean },
  session: Session,
  check?: Check,
): Promise<SavedRun> {
  const opened = await openRun(named, flags, session, check);
  const { run, config } = opened;
  const data = await loadOwnData(run, config, flags, session);
  const { loadModel } = await import('../run/checkpoints.js');
  return { ...opened, data, ...(await loadModel(run, config, flags.midEpoch)) };
}

type Check = (run: string, config: RunConfig) => void | Promise<void>;

/** The run and a backend alone, without its data. */
export async function openRun(
  named: string | undefined,
  flags: PlaceOptions,
  { terminal, signal }: Session,
  check: Check = () => undefined,
): Promise<OpenedRun> {
  const [{ readConfig }, { exportedNotice }, { newestRun }] = await Promise.all([
    import('../run/config.js'),
    import('../run/exported.js'),
    import('../run/folder.js'),
  ]);
  const run = named ?? (await newestRun());
  const config = await readConfig(run);
  await check(run, config);
  const problem = await exportedNotice(run, config.norm);
  if (problem !== undefined) terminal.notice(problem);
  const { openReady } = await import('../runtime/open.js');
  return { run, config, backend: await openReady(flags, { listener: terminal, signal }) };
}

/** The data that the run began with. */
export async function loadOwnData(
  run: string,
  config: RunConfig,
  flags: DataOptions,
  { terminal, signal }: Session,
): Promise<FashionMnist> {
  const [{ assertOwnData }, { loadFashionMnist }] = await Promise.all([
    import('../run/config.js'),
    import('../data/fashionMnist.js'),
  ]);
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  assertOwnData(run, config, data);
  return data;
}

/** What `--json` tells of it. */
export function aboutRun({ run, config, backend, position }: OpenedRun & Progressed) {
  const { name, device, fallback } = backend;
  const epoch = position.batch === 0 ? position.epoch - 1 : position.epoch;
  return { run, norm: config.norm, epoch, backend: name, device, fallback };
}

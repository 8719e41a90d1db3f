/** A saved run, opened to be computed with: its model, its data and the backend. */
import type * as tf from '@tensorflow/tfjs';
import type { FashionMnist } from '../data/fashionMnist.js';
import type { RunConfig } from '../run/config.js';
import type { BackendInfo } from '../runtime/open.js';
import type { Progressed } from '../train/events.js';
import type { PlaceOptions } from './options.js';
import type { Session } from './session.js';

export interface SavedRun extends Progressed {
  /** Its folder. */
  run: string;
  config: RunConfig;
  backend: BackendInfo;
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
  { terminal, signal }: Session,
  check: (run: string, config: RunConfig) => void | Promise<void> = () => undefined,
): Promise<SavedRun> {
  const [{ assertOwnData, readConfig }, { exportedNotice }, { newestRun }] = await Promise.all([
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
  const backend = await openReady(flags, { listener: terminal, signal });
  const [{ loadModel }, { loadFashionMnist }] = await Promise.all([
    import('../run/checkpoints.js'),
    import('../data/fashionMnist.js'),
  ]);
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  assertOwnData(run, config, data);
  return { run, config, backend, data, ...(await loadModel(run, config, flags.midEpoch)) };
}

/** What `--json` tells of it. */
export function aboutRun({ run, config: { norm }, backend: { name, device, fallback }, position }: SavedRun) {
  const epoch = position.batch === 0 ? position.epoch - 1 : position.epoch;
  return { run, norm, epoch, backend: name, device, fallback };
}

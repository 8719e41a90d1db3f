/** A process that computes trials for a study: started by it, ended by it or with it. */
import { openBackend } from '../../runtime/open.js';
import { loadFashionMnist } from '../../data/fashionMnist.js';
import { runTrial } from '../../study/runTrial.js';
import { TrialData } from '../../study/trialData.js';
import { modeOf } from '../../study/trialPlan.js';
import { type Answer, failureOf, type Request } from '../../study/worker.js';

/** What `openStudy` tells: which runtime and which data. */
export interface Opening {
  device: string;
  tensorflow: string;
  threads: number;
  /** Whether long trials run fused, as all of a study do or none. */
  fuse: boolean;
  runtimeDir?: string | undefined;
  dataDir?: string | undefined;
  anyData?: boolean | undefined;
}

let opened: { data: TrialData; fuse: boolean } | undefined;

async function answer(request: Request): Promise<Answer> {
  if ('trial' in request) {
    if (!opened) throw new Error('a trial before data');
    const { data, fuse } = opened;
    return { record: await runTrial(request.trial, { data, mode: fuse ? modeOf(request.trial) : 'graph' }) };
  }
  const { dataDir, anyData, fuse, ...runtime } = request.open as Opening;
  await openBackend('native', { ...runtime, deterministic: true });
  opened = { data: new TrialData(await loadFashionMnist({ dataDir, anyData })), fuse };
  return { ready: true };
}

// A terminal's Ctrl-C goes to all its processes: what becomes of this one is for the study to say.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (request: Request) => {
  void answer(request)
    .catch((error: unknown): Answer => ({ error: failureOf(error) }))
    .then((told) => process.send?.(told));
});

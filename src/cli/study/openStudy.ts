/** What a study computes with: the runtime and the data, looked for once, and told to its workers. */
import { cannot, EXIT } from '../../common/errors.js';
import { toType } from '../../common/invocation.js';
import { describeMachine, packageVersion } from '../../common/machine.js';
import { trialCode } from '../../study/identity.js';
import { TrialStore } from '../../study/store.js';
import type { WorkerScript } from '../../study/worker.js';
import type { PlaceOptions } from '../options.js';
import type { Session } from '../session.js';
import type { Opening } from './trialWorker.js';

/** What `bn-train study` takes. */
export interface StudyFlags extends PlaceOptions {
  list?: boolean;
  quick?: boolean;
  shard?: string;
  merge?: string[];
  jobs?: number;
  studyDir: string;
  json?: boolean;
}

/** TensorFlow's, of each trial, whatever is at hand: more would change last bits. */
const THREADS = 1;

/** Opens the folder for what this machine computes; what is missing is installed and fetched. */
export async function openStudy(
  { studyDir, ...flags }: StudyFlags,
  registration: string,
  { terminal, signal }: Session,
): Promise<{ store: TrialStore; script: WorkerScript }> {
  const [{ openReady }, { loadFashionMnist }, { addonVersion }] = await Promise.all([
    import('../../runtime/open.js'),
    import('../../data/fashionMnist.js'),
    import('../../runtime/loadAddon.js'),
  ]);
  const backend = await openReady({ ...flags, deterministic: true }, { listener: terminal, signal });
  if (backend.name !== 'native' || backend.tensorflow === undefined)
    throw cannot('study', {
      expected: 'the native backend, as a study is many trainings',
      got: `the ${backend.name} backend`,
      hint: flags.backend === 'auto' ? toType('setup') : 'leave out --backend',
      exitCode: EXIT.usage,
    });
  const data = await loadFashionMnist({ ...flags, listener: terminal, signal });
  const { device, tensorflow } = backend;
  const identity = {
    ...{ code: await trialCode(), tensorflow, device: device.replace(/:.*/, ''), addon: addonVersion() },
    ...{ threads: THREADS, data: data.sha256 },
  };
  const versions = { 'bn-train': packageVersion(), node: process.versions.node, tensorflow };
  const origin = { machine: describeMachine(), versions, dataName: data.name, registration };
  const store = await TrialStore.open(studyDir, identity, origin, terminal.warn);
  const { tensorflow: wanted = tensorflow, runtimeDir, dataDir, anyData } = flags;
  const opening: Opening = { device, tensorflow: wanted, threads: THREADS, runtimeDir, dataDir, anyData };
  return { store, script: { file: new URL('trialWorker.js', import.meta.url), opening } };
}

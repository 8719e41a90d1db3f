/** What a study computes with: the runtime and the data, looked for once, and told to its workers. */
import { readFile } from 'node:fs/promises';
import { cannot, EXIT } from '../../common/errors.js';
import { sha256Of } from '../../common/files.js';
import { toType } from '../../common/invocation.js';
import { describeMachine, packageVersions } from '../../common/machine.js';
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

/** The code that generated kernels have before them. */
const HEADERS = ['math', 'loops', 'conv', 'region'].map(
  (name) => new URL(`../../../src/graph/fuse/${name}.h`, import.meta.url),
);

/**
 * What long trials are fused by, or "none". Neither compilers nor CPUs are to change a bit of what it says, as products and
 * sums are rounded one by one; but only of CPUs must a study have several kinds.
 */
async function kernelsOf(device: string, { terminal, signal }: Session): Promise<string> {
  if (device !== 'cpu') return 'none';
  const { buildLibrary } = await import('../../graph/fuse/library.js');
  const trial = await buildLibrary(['// nothing'], { signal });
  if ('reason' in trial) {
    terminal.warn(`studying without fused kernels, which is slower: ${trial.reason}`);
    return 'none';
  }
  const texts = await Promise.all(HEADERS.map((header) => readFile(header, 'utf8')));
  return sha256Of([...texts, trial.compiler].join('\n')).slice(0, 16);
}

/** Opens the folder for what this machine computes; what is missing is installed and fetched. */
export async function openStudy(
  { studyDir, ...flags }: StudyFlags,
  registration: string,
  { terminal, signal, saves }: Session,
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
  const kernels = await kernelsOf(device, { terminal, signal, saves });
  const identity = {
    ...{ code: await trialCode(), tensorflow, device: device.replace(/:.*/, ''), addon: addonVersion(), kernels },
    ...{ threads: THREADS, data: data.sha256 },
  };
  const versions = { ...packageVersions(), node: process.versions.node, tensorflow };
  const origin = { machine: describeMachine(), versions, dataName: data.name, registration };
  const store = await TrialStore.open(studyDir, identity, origin, terminal.warn);
  const { tensorflow: wanted = tensorflow, runtimeDir, dataDir, anyData } = flags;
  const opening: Opening = {
    device,
    tensorflow: wanted,
    threads: THREADS,
    fuse: kernels !== 'none',
    runtimeDir,
    dataDir,
    anyData,
  };
  return { store, script: { file: new URL('trialWorker.js', import.meta.url), opening } };
}

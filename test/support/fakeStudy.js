/**
 * A whole study of made-up trials, in a process that can be killed: node fakeStudy.js JSON. What it says goes to stderr,
 * its records, or what they wait for, to stdout.
 */
import { computeStudy } from '../../dist/study/stages.js';
import { TrialStore } from '../../dist/study/store.js';

const { folder, log, shard, jobs = 2, delay = 0, seeds = [1, 2, 3] } = JSON.parse(process.argv[2]);

const trial = (learningRate, seed, epochs) => ({
  model: { kind: 'lenet', norm: 'batch' },
  ...{ learningRate, batchSize: 256, examples: 1000 * seed, epochs, seed, watch: [] },
});
const first = [0.1, 1].flatMap((rate) => seeds.map((seed) => trial(rate, seed, 1)));
const loss = (rate, records) =>
  records.filter((record) => record.trial.learningRate === rate).reduce((sum, { losses }) => sum + losses[0], 0);
const plan = {
  first,
  second: (records) => seeds.map((seed) => trial(loss(0.1, records) < loss(1, records) ? 0.1 : 1, seed, 2)),
  likely: seeds.map((seed) => trial(1, seed, 2)),
};

const interruption = new globalThis.AbortController();
process.on('SIGINT', () => interruption.abort());
const say = (line) => process.stderr.write(`${line}\n`);
const listener = { progress: () => undefined, notice: say, warn: say };
const identity = { code: 'c', tensorflow: '2', device: 'cpu', addon: 'a', kernels: 'k', threads: 1, data: 'd' };
const machine = { platform: 'p', cpu: 'c', cores: 2, memory: 1 };
const origin = { machine, versions: { node: '1' }, dataName: 'made up', registration: 'r' };
const store = await TrialStore.open(folder, identity, origin, say);
const script = { file: new URL('fakeWorker.js', import.meta.url), opening: { log, delay } };
const costOf = ({ examples, epochs }) => (examples * epochs) / 1000;
try {
  const kindOf = ({ model }) => model.norm;
  const run = { store, script, jobs, costOf, kindOf, shard, listener, signal: interruption.signal };
  const stages = await computeStudy(plan, run);
  console.log(JSON.stringify('files' in stages ? stages.files.map(({ record }) => record) : stages));
} catch (error) {
  if (!interruption.signal.aborted) throw error;
  process.exitCode = 130;
}

/** One training run from its flags: opens what it needs, connects the loop to its listeners, prints the result. */
import { randomInt } from 'node:crypto';
import * as os from 'node:os';
import { loadFashionMnist } from '../data/fashionMnist.js';
import { cannot, EXIT } from '../common/errors.js';
import { lenet, type Norm } from '../nn/lenet.js';
import { svgChart, textChart } from '../report/chart.js';
import { finalLines } from '../report/lines.js';
import { Terminal } from '../report/terminal.js';
import { restoreWeights } from '../run/checkpoint.js';
import { type RunConfig, type RunOptions } from '../run/config.js';
import { assertUnused, createRunFolder } from '../run/folder.js';
import { holdRunFolder } from '../run/hold.js';
import { Recorder } from '../run/recorder.js';
import type { BackendInfo } from '../runtime/open.js';
import { type EpochResult, type FinalResult, startOf } from '../train/events.js';
import { train } from '../train/loop.js';
import { defaultMode, defaultStepsPerCall } from '../train/runner.js';
import type { TrainFlags } from './options.js';
import { assertRun, describeChange, readRun, type Resumed } from './resume.js';
import { interruptSignal } from './session.js';
import { describeMachine, packageVersion } from '../common/machine.js';

/** Trains, keeps the run, and prints its result on stdout. `given` tells whether a flag stood on the command line. */
export async function runTraining(norm: Norm, flags: TrainFlags, given: (name: string) => boolean): Promise<void> {
  const terminal = new Terminal({ quiet: flags.quiet ?? false });
  const { resume } = flags;
  if (resume !== undefined) {
    await assertRun(resume, norm);
    return holdRunFolder(resume, async () => {
      const run = await readRun(resume, flags, given, terminal);
      const { backend, device, mode, deterministic = false } = run.config;
      const name = backend as TrainFlags['backend'];
      const own = { ...flags, backend: name, device, eager: mode === 'eager', deterministic };
      await trainIn(resume, run.config, own, terminal, run);
    });
  }
  const options = optionsFrom(norm, flags);
  assertBatch(options);
  assertXla(flags, flags.backend);
  const folder = await createRunFolder(norm, flags.runDir);
  return holdRunFolder(folder, async () => {
    // Another process may have had the folder, and left it, since it was looked at.
    await assertUnused(folder);
    await trainIn(folder, options, flags, terminal);
  });
}

async function trainIn(
  folder: string,
  options: RunOptions,
  flags: TrainFlags,
  terminal: Terminal,
  resumed?: Resumed,
): Promise<void> {
  const { norm } = options;
  const signal = interruptSignal();
  const { openReady } = await import('../runtime/open.js');
  const backend = await openReady(flags, { listener: terminal, signal });
  assertXla({ ...flags, xla: options.xla === true }, backend.name);
  const data = await loadFashionMnist({ dataDir: flags.dataDir, listener: terminal });
  terminal.notice(`${norm}: seed ${options.seed}, ${describe(backend)}; run folder ${folder}`);

  const model = lenet(options);
  const from = resumed?.checkpoint;
  if (from) restoreWeights(model, from.weights, folder);
  const mode = flags.eager === true ? 'eager' : defaultMode();
  const config = configOf(options, backend, mode);
  const change = resumed && describeChange(resumed.config, config);
  if (change !== undefined) terminal.notice(change);
  const { position, history } = from ?? { position: startOf(1), history: [] as EpochResult[] };
  const recorder = await Recorder.open(folder, resumed?.config ?? config, model, from && { position, history });
  const epochs = [...history];
  let final: FinalResult | undefined;
  for await (const event of train({ ...options, model, data, mode, signal, from: { position, history } })) {
    await recorder.record(event);
    terminal.train(event);
    if (event.type === 'epoch') epochs.push(withoutType(event));
    if (event.type === 'end') final = withoutType(event);
  }
  if (epochs.length > 0)
    await recorder.add('chart.svg', svgChart(epochs, `${norm}, lr ${options.learningRate}, seed ${options.seed}`));
  if (!final) {
    terminal.notice(`kept in ${folder}; to go on: bn-train ${norm} --resume '${folder}'`);
    process.exitCode = EXIT.interrupted;
    return;
  }
  terminal.notice(`\n${textChart(epochs)}\n`);
  terminal.notice(`to see what was learned: bn-train inspect-gamma '${folder}'`);
  const { name, device } = backend;
  if (flags.json)
    console.log(
      JSON.stringify({
        norm,
        backend: name,
        device,
        mode,
        seed: options.seed,
        epochs,
        final,
        runDirectory: folder,
      }),
    );
  else console.log(finalLines(final, { device, normalized: norm !== 'none' }).join('\n'));
}

function withoutType<T extends { type: string }>({ type: _, ...rest }: T): Omit<T, 'type'> {
  return rest;
}

function optionsFrom(norm: Norm, flags: TrainFlags): RunOptions {
  const {
    lr: learningRate,
    epochs,
    batchSize,
    momentum,
    epsilon,
    checkpointSteps,
    stepsPerCall,
    xla = false,
    deterministic,
    seed = randomInt(2 ** 31 - 1),
  } = flags;
  const recipe = { norm, learningRate, epochs, batchSize, seed, momentum, epsilon };
  return { ...recipe, checkpointSteps, stepsPerCall, xla, deterministic };
}

/** XLA compiles graphs, which only the native backend runs. */
function assertXla({ xla, eager }: Pick<TrainFlags, 'xla' | 'eager'>, backend: string): void {
  const got = eager === true ? '--eager' : ['auto', 'native'].includes(backend) ? undefined : `the ${backend} backend`;
  if (xla === true && got !== undefined)
    throw cannot('train with XLA', {
      expected: 'steps as graphs, on the native backend',
      got,
      hint: 'leave out --xla',
      exitCode: EXIT.usage,
    });
}

/** The last batch counts too: 60,000 examples in batches of 59,999 leave one alone. */
export function assertBatch({ norm, batchSize }: Pick<RunOptions, 'norm' | 'batchSize'>): void {
  const examples = 60_000;
  const last = examples % batchSize || batchSize;
  if (norm !== 'none' && Math.min(last, batchSize) < 2)
    throw cannot('train with batch normalization', {
      expected: 'at least 2 examples in every batch, as one has no variance',
      got: batchSize < 2 ? 'a batch size of 1' : `a last batch of 1 (${examples} examples in batches of ${batchSize})`,
      hint: 'use another --batch-size, or train without: bn-train none',
      exitCode: EXIT.usage,
    });
}

function configOf(options: RunOptions, backend: BackendInfo, mode: RunConfig['mode']): RunConfig {
  const versions = {
    'bn-train': packageVersion(),
    node: process.versions.node,
    ...(backend.tensorflow && { tensorflow: backend.tensorflow }),
  };
  const { name, device, gpu } = backend;
  return {
    ...options,
    stepsPerCall: options.stepsPerCall ?? defaultStepsPerCall(mode),
    backend: name,
    device,
    mode,
    versions,
    machine: { ...describeMachine(), ...(gpu !== undefined && { gpu }) },
    started: new Date().toISOString(),
  };
}

function describe({ name, device, gpu, tensorflow }: BackendInfo): string {
  return `${name} backend on ${device}${gpu === undefined ? '' : ` (${gpu})`}${tensorflow === undefined ? '' : `, TensorFlow ${tensorflow}`}, ${os.availableParallelism()} cores`;
}

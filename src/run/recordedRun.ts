/** One run, trained and recorded: model, loop and run folder in, events and an outcome out; prints nothing. */
import type { BackendName } from '../common/backends.js';
import { cannot, EXIT } from '../common/errors.js';
import { describeMachine, packageVersions } from '../common/machine.js';
import type { EpochResult, FinalResult, Statistics, TrainEvent } from '../train/events.js';
import { startOf, train } from '../train/loop.js';
import { review } from '../train/review.js';
import type { TrainOptions } from '../train/trainOptions.js';
import { assertBatch, type Mode } from '../train/step.js';
import { type Checkpoint, restoreWeights } from './checkpoint.js';
import { modelOf } from './checkpoints.js';
import type { Place, RunConfig, RunData, RunOptions } from './config.js';
import { Recorder } from './recorder.js';
import type { StartEvent, TensorBoard } from './tensorBoard/tensorBoard.js';

export const LAST_BITS = 'its last bits may differ from those of a run that was never stopped';

/** What has been opened to compute on. */
export interface Computer {
  name: RunConfig['backend'];
  device: string;
  tensorflow?: string;
  gpu?: string;
}

/** The config.json of a run that begins here and now, with this data. */
export function configOf(
  options: RunOptions,
  computer: Computer,
  mode: Mode,
  data: RunData & { classes: number; train: { height: number; width: number } },
): RunConfig {
  return {
    ...options,
    classes: data.classes,
    height: data.train.height,
    width: data.train.width,
    data: { name: data.name, sha256: data.sha256 },
    backend: computer.name,
    mode,
    ...placeOf(computer),
    started: new Date().toISOString(),
  };
}

/** Where this process computes. */
export function placeOf({ device, gpu, tensorflow }: Computer): Place {
  const versions = { ...packageVersions(), node: process.versions.node };
  return {
    device,
    versions: { ...versions, ...(tensorflow !== undefined && { tensorflow }) },
    machine: { ...describeMachine(), ...(gpu !== undefined && { gpu }) },
  };
}

export interface RecordedRunOptions {
  /** Held by this process, see `holdRunFolder`. */
  folder: string;
  config: RunConfig;
  data: TrainOptions['data'];
  /** Where a run goes on that was interrupted. */
  from: Checkpoint | undefined;
  signal: AbortSignal;
  /** Told of each event after what it stands for is on the disk. */
  onEvent: (event: TrainEvent) => void;
  /** Told in a line what makes the run's last bits others than those of a run that was never stopped. */
  notice: (line: string) => void;
  /** Draws the epochs for the run folder's chart.svg. */
  chart: (epochs: EpochResult[]) => string;
}

export interface Outcome {
  epochs: EpochResult[];
  mode: Mode;
  /** Undefined where the run was interrupted. */
  final: FinalResult | undefined;
}

/** Trains to the end or to `signal`. Throws a BnTrainError, of usage where batch size or XLA do not fit. */
export async function recordedRun(options: RecordedRunOptions): Promise<Outcome> {
  const { folder, config, data, from, signal, onEvent, notice, chart } = options;
  assertBatch(config.norm !== 'none', config.batchSize, data.train.count);
  assertXla(config);
  const model = modelOf(config);
  if (from) restoreWeights(model, from.weights, folder);
  const { position, history } = from ?? { position: startOf(1), history: [] };
  const recorder = await Recorder.open(folder, config, model, from && { position, history });
  const epochs = [...history];
  let [final, mode, statistics, board]: [FinalResult?, Mode?, Statistics[]?, TensorBoard?] = [];
  for await (const event of train({ ...stepsOf(config), model, data, signal, from: { position, history } })) {
    if (event.type === 'start') {
      mode = event.mode;
      const known = withKernels(config, event, from !== undefined);
      if (known.change !== undefined) notice(known.change);
      await recorder.keepConfig(known.config);
      board = await openBoard({ folder, config: known.config, model, history }, event);
    }
    // It has not begun: the folder is as a resume needs it.
    if (mode === undefined) break;
    await board?.record(event);
    await recorder.record(event);
    onEvent(event);
    if (event.type === 'epoch') epochs.push(withoutType(event));
    if (event.type === 'population') statistics = event.layers;
    if (event.type === 'end') final = withoutType(event);
  }
  if (final) await recorder.keepReview(() => review(model, data, statistics, signal), signal);
  if (epochs.length > 0) await recorder.add('chart.svg', chart(epochs));
  return { epochs, mode: mode ?? config.mode, final };
}

/** Undefined where nobody asked for it, and then nothing of it is loaded. */
async function openBoard(run: Parameters<typeof TensorBoard.open>[0], start: StartEvent) {
  if (run.config.tensorboard !== true) return undefined;
  const { TensorBoard } = await import('./tensorBoard/tensorBoard.js');
  return TensorBoard.open(run, start);
}

/** The config.json as it is once the steps are compiled, and a line if a run goes on that was computed in another way. */
function withKernels(config: RunConfig, { mode, kernels }: StartEvent, goesOn: boolean) {
  const now = kernels && 'hash' in kernels ? kernels : undefined;
  if (!goesOn) return { config: { ...config, mode, kernels: now }, change: undefined };
  const { resumed = [], ...first } = config;
  const place = resumed.at(-1) ?? first;
  if (place.kernels?.hash === now?.hash) return { config, change: undefined };
  const told = (of: typeof now) => (of ? `${of.hash} (${of.compiler})` : 'none');
  const change = `kernels ${told(place.kernels)} then, ${told(now)} now: ${LAST_BITS}`;
  const { device, versions, machine } = place;
  const at = new Date().toISOString();
  return { config: { ...config, resumed: [...resumed, { device, versions, machine, kernels: now, at }] }, change };
}

/** Of a run's options those that training takes. */
function stepsOf(config: RunConfig): Partial<TrainOptions> {
  const { learningRate, epochs, batchSize, seed, checkpointSteps, mode, stepsPerCall, xla, population } = config;
  return { learningRate, epochs, batchSize, seed, checkpointSteps, mode, stepsPerCall, xla, population };
}

function withoutType<T extends { type: string }>({ type: _, ...rest }: T): Omit<T, 'type'> {
  return rest;
}

interface Asked extends Pick<RunConfig, 'xla' | 'stepsPerCall' | 'mode'> {
  backend: BackendName;
}

/** XLA compiles graphs, which only the native backend runs; `auto` is not known yet. */
export function assertXla({ xla, ...asked }: Asked): void {
  if (xla === true) assertGraphs('train with XLA', '--xla', asked);
}

/** Several steps a call are a loop in a graph. Runs that began when this was passed over may go on. */
export function assertCalls({ stepsPerCall = 1, ...asked }: Asked): void {
  if (stepsPerCall > 1) assertGraphs(`train ${stepsPerCall} steps a call`, '--steps-per-call', asked);
}

function assertGraphs(action: string, flag: string, { mode, backend }: Asked): void {
  const isOther = backend !== 'native' && backend !== 'auto';
  if (mode === 'eager' || isOther)
    throw cannot(action, {
      expected: 'steps as graphs, on the native backend',
      got: isOther ? `the ${backend} backend` : '--eager',
      hint: `leave out ${flag}`,
      exitCode: EXIT.usage,
    });
}

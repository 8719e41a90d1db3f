/** `bench --model`: a user's own model, trained as TensorFlow.js does and accelerated. */
import * as os from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { nameOf, type Ratio, type Speed, speedOf } from '../../bench/figures.js';
import { measure } from '../../bench/measure.js';
import { loadModelFile } from '../../bench/modelFile.js';
import { ModelPair } from '../../bench/modelSpeed.js';
import { summarizeRatios } from '../../bench/statistics.js';
import { cannot } from '../../common/errors.js';
import { toType } from '../../common/invocation.js';
import { describeMachine, packageVersion } from '../../common/machine.js';
import { firstStepsLines, modelLine } from '../../report/modelSpeedLines.js';
import { headLines, ratioLines, speedLines } from '../../report/speedTable.js';
import { openReady } from '../../runtime/open.js';
import { sharePackages } from '../../runtime/ownPackages.js';
import type { Session } from '../session.js';
import type { ModelBenchFlags } from './contenders.js';

export async function benchModel(path: string, flags: ModelBenchFlags, { terminal, signal }: Session): Promise<void> {
  const { turns, steps } = flags;
  const versions = await openNative(path, flags, { terminal, signal });
  // What the file prints is no result.
  console.log = console.info = console.error;
  sharePackages();
  const file = await loadModelFile(path, flags.batchSize);
  const pair = await ModelPair.open(file, { versions, threads: os.availableParallelism(), signal });
  try {
    const onTurn = (turn: number) => terminal.notice(turn === 0 ? 'warm-up' : `turn ${turn}/${turns}`);
    const speeds = (await measure([pair], { steps, turns, signal, onTurn })).map(speedOf);
    const { firstSteps, hello, size } = pair;
    const about = { ...size, examples: file.examples, batchSize: file.batchSize };
    const ratios = [ratioOf(speeds)];
    const machine = describeMachine();
    if (flags.json)
      return terminal.printJson({ machine, programs: [hello], turns, steps, ...about, speeds, ratios, firstSteps });
    const columns = terminal.resultColumns();
    terminal.print(
      ...headLines(machine, [hello], { turns, steps, batchSize: file.batchSize }),
      modelLine(about),
      '',
      ...speedLines(speeds, columns),
      '',
      ...ratioLines(ratios, columns),
      '',
      ...firstStepsLines(firstSteps, columns),
    );
  } finally {
    await pair.close();
  }
}

/** Gives the versions of all that computes. */
async function openNative(
  path: string,
  flags: ModelBenchFlags,
  { terminal, signal }: Omit<Session, 'saves'>,
): Promise<Record<string, string>> {
  const { name, tensorflow = '', fix } = await openReady(flags, { listener: terminal, signal });
  if (name !== 'native')
    throw cannot(`measure ${path}`, {
      expected: 'the native backend, which alone is accelerated',
      got: name,
      hint: flags.backend === 'auto' ? (fix ?? toType('setup')) : '--backend native',
    });
  return { 'bn-train': packageVersion(), node: process.versions.node, '@tensorflow/tfjs': tf.version.tfjs, tensorflow };
}

/** The contestants are stock and accelerated, in this order. */
function ratioOf(speeds: Speed[]): Ratio {
  const [stock, accelerated] = speeds as [Speed, Speed];
  return { of: nameOf(accelerated), to: nameOf(stock), ...summarizeRatios(accelerated.turns, stock.turns) };
}

/** How fast two models say what they see, turn by turn, by `model.predict`, as any program would call them. */
import type * as tf from '@tensorflow/tfjs';
import type { Listener } from '../common/listener.js';
import { breathe } from '../train/evaluate.js';
import { type Summary, summarize, summarizeRatios } from './statistics.js';

export interface InferenceSpeed {
  /** In one call. */
  images: number;
  /** Of each model. */
  turns: number;
  /** Images per second. */
  before: Summary;
  after: Summary;
  /** After over before, divided turn by turn. */
  speedUp: Summary;
}

interface Options {
  /** Turns that count, after one that warms up. */
  turns: number;
  /** How long a model's turn takes at least, in seconds. */
  seconds: number;
  signal: AbortSignal;
  /** Told of each turn. */
  listener: Pick<Listener, 'progress'>;
}

/** Each model has its turn in each round, every other round the second one first. Takes `x` [images, …] for one call. */
export async function measureInference(
  before: tf.LayersModel,
  after: tf.LayersModel,
  x: tf.Tensor,
  { turns, seconds, signal, listener }: Options,
): Promise<InferenceSpeed> {
  const images = x.shape[0];
  const first = [await speedOf(before, x, 1, signal), await speedOf(after, x, 1, signal)];
  const calls = first.map((speed) => Math.ceil((seconds * speed) / images));
  const speeds: [number[], number[]] = [[], []];
  for (let turn = 0; turn <= turns; turn++) {
    const label = `speed of ${images} at once`;
    listener.progress({ label, done: turn, total: turns, figures: `turn ${turn} of ${turns}` });
    for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const speed = await speedOf(which === 0 ? before : after, x, calls[which] ?? 1, signal);
      if (turn > 0) speeds[which].push(speed);
    }
  }
  const [of, by] = speeds;
  return { images, turns, before: summarize(of), after: summarize(by), speedUp: summarizeRatios(by, of) };
}

/** Images per second over some calls, each of which ends when its result is there. */
async function speedOf(model: tf.LayersModel, x: tf.Tensor, calls: number, signal: AbortSignal): Promise<number> {
  await breathe(signal);
  const started = performance.now();
  for (let i = 0; i < calls; i++) {
    const y = model.predict(x) as tf.Tensor;
    y.dataSync();
    y.dispose();
  }
  return (calls * x.shape[0] * 1000) / (performance.now() - started);
}

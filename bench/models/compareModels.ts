/** Times a training step of each model: stock, accelerated and, with a Python that has it, in Keras, in turns; prints a table. */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type * as tf from '@tensorflow/tfjs';
import { startPeer } from '../../dist/bench/peer.js';
import type { Program } from '../../dist/bench/program.js';
import { summarize, type Summary, summarizeRatios } from '../../dist/bench/statistics.js';
import { accelerate, type Acceleration } from '../../dist/graph/index.js';
import { openBackend } from '../../dist/index.js';
import { type Batch, type Example, EXAMPLES } from './table.js';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    keras: { type: 'string' },
  },
});

/** What one contestant does in a turn, and is not stopped in. */
const TURN_SECONDS = 0.5;
const LEAST_STEPS = 3;
const EQUAL_STEPS = 10;

type Train = (steps: number) => Promise<number>;

/** Milliseconds a step. */
const trainer =
  (model: tf.LayersModel, { xs, ys }: Batch): Train =>
  async (steps) => {
    const started = performance.now();
    for (let i = 0; i < steps; i++) await model.trainOnBatch(xs, ys);
    return (performance.now() - started) / steps;
  };

const trainerIn =
  (peer: Program, name: string): Train =>
  async (steps) =>
    (1000 * (await peer.run(name, steps)).seconds) / steps;

interface Pair {
  stock: tf.LayersModel;
  fast: tf.LayersModel;
  acceleration: Acceleration;
}

/** Two of a kind, of which one is accelerated. */
async function pairOf({ build }: Example, dropout: boolean): Promise<Pair> {
  const [stock, fast] = [build({ dropout }), build({ dropout })];
  fast.setWeights(stock.getWeights());
  const acceleration = await accelerate(fast, { strict: true });
  return { stock, fast, acceleration };
}

function close({ stock, fast, acceleration }: Pair): void {
  acceleration.release();
  stock.dispose();
  fast.dispose();
}

/** The largest difference between the losses of ten steps, and how long the first one took that is compiled. */
async function difference({ stock, fast }: Pair, { xs, ys }: Batch) {
  let [largest, compiling] = [0, 0];
  for (let i = 0; i < EQUAL_STEPS; i++) {
    const isLoss = (_: number, j: number) => !/acc/i.test(stock.metricsNames[j] ?? '');
    const wanted = [await stock.trainOnBatch(xs, ys)].flat();
    const started = performance.now();
    const got = [await fast.trainOnBatch(xs, ys)].flat();
    if (i === 0) compiling = (performance.now() - started) / 1000;
    largest = Math.max(largest, ...wanted.map((loss, j) => Math.abs(loss - (got[j] ?? NaN))).filter(isLoss));
  }
  return { largest, compiling };
}

const inMs = ({ median, min, max }: Summary) =>
  `${median.toPrecision(3)} (${min.toPrecision(3)}–${max.toPrecision(3)})`;
const asRatio = ({ median, min, max }: Summary) => `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;

async function measured(name: string, example: Example, keras: Program | undefined): Promise<string> {
  const batch = example.data(example.batchSize, 1);
  const equal = await pairOf(example, false);
  const { largest, compiling } = await difference(equal, batch);
  const pair = example.drops ? await pairOf(example, true) : equal;
  const contestants = [trainer(pair.stock, batch), trainer(pair.fast, batch)];
  if (keras) contestants.push(trainerIn(keras, name.replaceAll(' ', '-')));
  const steps: number[] = [];
  for (const train of contestants) {
    await train(LEAST_STEPS);
    steps.push(Math.max(LEAST_STEPS, Math.ceil((1000 * TURN_SECONDS) / (await train(LEAST_STEPS)))));
  }
  const times: number[][] = contestants.map(() => []);
  for (let round = 0; round < Number(options.rounds); round++)
    for (const [i, train] of contestants.entries()) times[i]?.push(await train(steps[i] ?? LEAST_STEPS));
  for (const each of new Set([equal, pair])) close(each);
  const [stock = [], fast = [], peer] = times;
  const others = peer ? [inMs(summarize(peer)), asRatio(summarizeRatios(peer, fast))] : [];
  const own = [inMs(summarize(stock)), inMs(summarize(fast)), asRatio(summarizeRatios(stock, fast))];
  return [name, example.batchSize, largest.toExponential(1), compiling.toFixed(1), ...own, ...others].join(' | ');
}

const HEADINGS = [
  'model',
  'batch',
  'largest difference',
  'first step, s',
  'stock, ms',
  'accelerated, ms',
  'stock ÷ accelerated',
];

await openBackend('native', { quiet: true });
const python = options.keras;
const script = new URL('../peers/keras_models.py', import.meta.url).pathname;
const keras = python ? await startPeer({ label: 'Keras', file: python, args: ['-B', script] }) : undefined;
const headings = [...HEADINGS, ...(keras ? ['Keras, ms', 'Keras ÷ accelerated'] : [])];
console.log(`| ${headings.join(' | ')} |\n|${headings.map(() => '---|').join('')}`);
for (const [name, example] of Object.entries(EXAMPLES))
  if (new RegExp(options.only).test(name)) console.log(`| ${await measured(name, example, keras)} |`);
await keras?.close();

/** The models of the public examples learn the same, step by step, as with stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import '../support/native.js';
import { EXAMPLES } from '../../bench/models/table.js';
import { compileStep } from '../../src/graph/compile.js';
import { optimizerVariables } from '../../src/graph/optimizer.js';

type Train = (data: (tf.Tensor | null)[]) => tf.Scalar[];
const inner = (model: any) => (model.model ?? model) as any;
const ROWS = 16;
const STEPS = 10;

async function losses(model: any, data: any[], fast: boolean, steps = STEPS) {
  const m = inner(model);
  const eager = m.makeTrainFunction() as Train;
  let run = (given: any[]) => eager([...given, null]) as tf.Tensor[];
  let done = () => {};
  if (fast) {
    const trainable = m.collectedTrainableWeights.map((w: any) => w.read());
    const variables = [...m.weights.map((w: any) => w.read()), ...optimizerVariables(m.optimizer, trainable)];
    const c = await compileStep((...d) => eager([...d, null]), { inputs: data[0], variables, fuse: true });
    run = (given) => c.run(...given);
    done = () => c.dispose();
  }
  const out = [];
  for (let i = 0; i < steps; i++) out.push(tf.tidy(() => run(data[i]).map((t) => t.dataSync()[0]))[0]);
  done();
  return out as number[];
}

it.each(Object.entries(EXAMPLES))('%s', async (name, { build, data }) => {
  const batches = Array.from({ length: STEPS }, (_, i) => { const { xs, ys } = data(ROWS, 100 * i); return [...xs, ...ys]; });
  const models = [0, 1, 2].map(() => build({ dropout: false }));
  const start = models[0]!.getWeights();
  models[1]!.setWeights(start);
  models[2]!.setWeights(start.map((w, i) => w.mul(tf.randomUniform(w.shape, 0, 1, 'float32', i).greater(0.5).toFloat().mul(2 ** -22).add(1 - 2 ** -23))));
  const stock = await losses(models[0], batches, false);
  const moved = await losses(models[2], batches, false);
  const fast = await losses(models[1], batches, true);
  const apart = (a: number[]) => a.map((v, i) => Math.abs(v - stock[i]!) / Math.max(1, Math.abs(stock[i]!)));
  console.log(name, 'moved', Math.max(...apart(moved)).toExponential(1), 'fast', Math.max(...apart(fast)).toExponential(1), stock[0], stock[9]);
  expect(stock[9]).not.toBe(stock[0]);
});

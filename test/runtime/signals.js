/** Run by itself, with `compiled` or `eager`: trains for a second or two, and says how many threads more hear of Ctrl-C since TensorFlow was opened. */
import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { compileStep } from '../../dist/graph/compile.js';
import { minimize, optimizerVariables } from '../../dist/graph/index.js';
import { lenet, openBackend } from '../../dist/index.js';

const SIGINT = 2;
const isHearing = (thread) => {
  const [, blocked] = /^SigBlk:\s*(\w+)$/m.exec(readFileSync(`/proc/self/task/${thread}/status`, 'utf8')) ?? [];
  return ((Number.parseInt(blocked.slice(-8), 16) >> (SIGINT - 1)) & 1) === 0;
};
const hearing = () => readdirSync('/proc/self/task').filter(isHearing);

process.on('SIGWINCH', () => undefined);
const before = hearing();
await openBackend('native', { threads: 4 });
const model = lenet({ norm: 'scratch', seed: 1 });
const sgd = tf.train.sgd(0.1);
const weights = model.trainableWeights.map((weight) => weight.read());
const [x, y] = [tf.randomUniform([256, 28, 28, 1], 0, 1), tf.oneHot(tf.zeros([256], 'int32'), 10).toFloat()];
const train = (images, labels) => [
  minimize(sgd, 0.1, () => tf.losses.softmaxCrossEntropy(labels, model.apply(images, { training: true })), weights),
];
if (process.argv[2] === 'compiled') {
  const step = await compileStep(train, { inputs: [x, y], variables: [model, optimizerVariables(sgd, weights)] });
  for (let i = 0; i < 100; i++) tf.dispose(step.run(x, y));
} else for (let i = 0; i < 8; i++) tf.tidy(() => void train(x, y));
console.log(hearing().filter((thread) => !before.includes(thread)).length);

/** Run by itself: gives a session the values of many arrays again and again, so that its threads let go of those before. */
import * as tf from '@tensorflow/tfjs';
import { compileStep } from '../../dist/graph/compile.js';
import { openBackend } from '../../dist/index.js';

await openBackend('native');
const variables = Array.from({ length: 60 }, () => tf.variable(tf.zeros([4])));
const inputs = [[{ shape: [], dtype: 'float32' }]];
const step = await compileStep((x) => [x.add(variables[59].sum())], { inputs, variables });
for (let round = 0; round < 4000; round++) {
  for (const variable of variables) tf.tidy(() => variable.assign(tf.tensor(new Float32Array(4).fill(round))));
  const [sum] = tf.tidy(() => step.run(1)[0].dataSync());
  if (sum !== 1 + 4 * round) throw new Error(`round ${round} summed up to ${sum}`);
}
console.log('done');

/** The very steps that train, evaluate and take moments, of all three models, on this backend and on the JS backend. */
import * as tf from '@tensorflow/tfjs';
import { lenet, type Norm, NORMS } from '../../nn/lenet.js';
import { random } from '../cases.js';
import type { Check } from '../check.js';
import { compareSteps, REFERENCE } from '../steps/compare.js';

/** LeNet's smallest images, and few, as the JS backend is slow. */
const [BATCH, SIDE] = [4, 16];

export function stepChecks(): Check[] {
  return NORMS.map((norm) => ({
    name: `steps on this backend: ${norm}`,
    notApplicable: () =>
      tf.getBackend() === REFERENCE ? 'the JS backend is what the others are held against' : undefined,
    run: (subject) => compareSteps({ model: () => model(norm), data: dataset() }, subject),
  }));
}

/** With weights of which none is 0 or 1 any more. */
function model(norm: Norm): tf.Sequential {
  const fresh = lenet({ norm, seed: 1, height: SIDE, width: SIDE });
  tf.tidy(() => {
    for (const [i, weight] of fresh.weights.entries()) {
      const before = weight.read();
      weight.write(before.add(tf.tensor(random(before.size, 0, 0.1, 1 + i), before.shape)));
    }
  });
  return fresh;
}

function dataset() {
  const bytes = (size: number, seed: number) =>
    Uint8Array.from(random(size, 128, 64, seed), (value) => Math.min(Math.max(value, 0), 255));
  return {
    count: BATCH,
    height: SIDE,
    width: SIDE,
    images: bytes(BATCH * SIDE * SIDE, 1),
    labels: Uint8Array.from({ length: BATCH }, (_, i) => (7 * i) % 10),
  };
}

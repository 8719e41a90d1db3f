/** Times convolutions and their gradients by TensorFlow's kernels and by generated ones, in turns: a table for NOTES.md, by `node bench/convolutions.js [TURNS]`. */
import { performance } from 'node:perf_hooks';
import tf from '@tensorflow/tfjs';
import { LIMITS } from '../dist/graph/fuse/convolution.js';
import { compileSteps } from '../dist/graph/index.js';
import { openBackend } from '../dist/index.js';

const turns = Number(process.argv[2] ?? 15);
/** Image, channels, filter, filters (0: depthwise, a filter for each channel), stride, padding. */
const SHAPES = [
  ...[6, 16, 32].flatMap((filters) => [
    [28, 1, 5, filters],
    [28, 1, 3, filters],
    [32, 3, 3, filters],
  ]),
  ...[
    [12, 6, 5, 16],
    [14, 6, 5, 16],
    [14, 6, 3, 6],
    [14, 8, 3, 8],
    [16, 8, 3, 16],
    [16, 12, 3, 24],
    [14, 16, 3, 16],
  ],
  ...[
    [16, 16, 3, 32],
    [14, 32, 3, 32],
    [14, 32, 3, 64],
    [7, 64, 3, 64],
    [14, 16, 1, 16],
    [14, 64, 1, 64],
    [28, 1, 7, 8],
  ],
  ...[
    [32, 3, 7, 16],
    [64, 3, 3, 16],
    [64, 3, 7, 32, 2],
    [28, 1, 3, 16, 2],
    [32, 3, 3, 32, 2],
    [16, 16, 3, 32, 2],
  ],
  ...[
    [64, 1, 1, 4],
    [32, 8, 2, 8, 2],
    [14, 8, 5, 32],
    [8, 16, 5, 32],
    [12, 20, 5, 50],
    [64, 4, 3, 4],
    [16, 24, 3, 24],
  ],
  ...[
    [28, 16, 3, 0],
    [32, 16, 3, 0],
    [32, 64, 3, 0, 2, 'same'],
    [16, 64, 3, 0],
    [16, 96, 3, 0],
    [8, 128, 3, 0],
    [48, 8, 3, 0],
    [24, 32, 3, 0, 2, 'same'],
    [6, 128, 3, 0],
  ],
  ...[
    [3, 256, 3, 0],
    [7, 256, 3, 0],
    [28, 64, 3, 0, 2, 'same'],
    [56, 32, 3, 0],
    [112, 8, 3, 0],
    [112, 16, 3, 0, 2, 'same'],
    [28, 24, 5, 0, 1, 'same'],
    [14, 144, 5, 0, 2, 'same'],
  ],
];
await openBackend('native');
for (const name of Object.keys(LIMITS)) LIMITS[name] = Infinity;

function stepsOf([size, channels, taps, filters, stride = 1, pad = taps === 3 ? 'same' : 'valid']) {
  const batch = Math.min(256, Math.max(16, Math.floor(2 ** 23 / (size * size * Math.max(channels, filters)))));
  const [x, w] = [
    [batch, size, size, channels],
    [taps, taps, channels, filters || 1],
  ].map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i));
  const conv = (x, w) => (filters > 0 ? tf.conv2d : tf.depthwiseConv2d)(x, w, stride, pad);
  const dy = tf.randomNormal(conv(x, w).shape, 0, 1, 'float32', 2);
  const first = (y) => [y.slice([0, 0, 0, 0], [1, 1, 1, 1])];
  const grads = (...given) => tf.grads(conv)(given.slice(0, 2), given[2]);
  const steps = {
    nothing: { step: (...given) => first(given[2]), inputs: [x, w, dy] },
    forward: { step: (x, w) => first(conv(x, w)), inputs: [x, w] },
    filter: { step: (x, w, dy) => [grads(x, w, dy)[1]], inputs: [x, w, dy] },
    image: { step: (x, w, dy) => first(grads(x, w, dy)[0]), inputs: [x, w, dy] },
  };
  return {
    steps,
    what: `${size}²·${channels} → ${filters || 'depthwise'}, ${taps}×${taps} ${pad}${stride > 1 ? ` /${stride}` : ''}, batch ${batch}`,
  };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

for (const shape of SHAPES) {
  const { steps, what } = stepsOf(shape);
  const compiled = await Promise.all([false, true].map((fuse) => compileSteps(steps, { variables: [], fuse })));
  const times = Object.fromEntries(Object.keys(steps).map((name) => [name, [[], []]]));
  const once = (i, name, count) => {
    const start = performance.now();
    for (let k = 0; k < count; k++) tf.dispose(compiled[i].run(name, ...steps[name].inputs));
    return (performance.now() - start) / count;
  };
  for (let turn = -2; turn < turns; turn++)
    for (const name of Object.keys(steps))
      for (const i of [0, 1]) {
        const time = once(i, name, 5);
        if (turn >= 0) times[name][i].push(time);
      }
  const nothing = median([...times.nothing[0], ...times.nothing[1]]);
  const cells = ['forward', 'filter', 'image'].map((name) => {
    const [plain, direct] = times[name].map((values) => median(values) - nothing);
    const ratio = median(times[name][0].map((time, k) => (time - nothing) / (times[name][1][k] - nothing)));
    return `${plain.toFixed(2)} / ${direct.toFixed(2)} = ${ratio.toFixed(1)}`;
  });
  console.log(`| ${what} | ${cells.join(' | ')} |`);
  tf.dispose(Object.values(steps).flatMap(({ inputs }) => inputs));
  for (const each of compiled) each.dispose();
}

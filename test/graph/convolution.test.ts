/** Direct convolutions: random shapes against float64, special values as TensorFlow has them, broken kernels, and when they are taken. */
import '../support/native.js';
import fc from 'fast-check';
import * as tf from '@tensorflow/tfjs';
import { expect, it, vi } from 'vitest';
import { kernelOf } from '../../src/graph/fuse/convolution.js';
import * as libraries from '../../src/graph/fuse/library.js';
import type { Node } from '../../src/graph/graph.js';
import { compileSteps } from '../../src/graph/index.js';
import { amount, firstOf } from '../support/amount.js';

vi.mock(import('../../src/graph/fuse/library.js'), { spy: true });

interface Shape {
  batch: number;
  height: number;
  width: number;
  channels: number;
  rows: number;
  columns: number;
  filters: number;
  stride: 1 | 2;
  pad: 'valid' | 'same';
}

const shape: fc.Arbitrary<Shape> = fc
  .record({
    batch: fc.integer({ min: 2, max: 40 }),
    height: fc.integer({ min: 1, max: 17 }),
    width: fc.integer({ min: 1, max: 17 }),
    channels: fc.integer({ min: 1, max: 20 }),
    rows: fc.integer({ min: 1, max: 7 }),
    columns: fc.integer({ min: 1, max: 7 }),
    filters: fc.integer({ min: 1, max: 40 }),
    stride: fc.constantFrom(1, 2),
    pad: fc.constantFrom('valid', 'same'),
  })
  .filter(({ height, width, rows, columns, pad }) => pad === 'same' || (height >= rows && width >= columns));

const conv =
  ({ stride, pad }: Shape) =>
  (x: tf.Tensor, w: tf.Tensor) =>
    tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad);

/** The result, and the gradients with respect to filter and image, in the program as in its oracle. */
const results = (given: Shape) => (x: tf.Tensor, w: tf.Tensor, dy: tf.Tensor) => {
  const [dx, dw] = tf.grads(conv(given))([x, w], dy) as [tf.Tensor, tf.Tensor];
  return [conv(given)(x, w), dw, dx];
};

const shapesOf = (given: Shape): number[][] => {
  const { batch, height, width, channels, rows, columns, filters, stride, pad } = given;
  const out = (size: number, taps: number) => Math.ceil((pad === 'same' ? size : size - taps + 1) / stride);
  return [
    [batch, height, width, channels],
    [rows, columns, channels, filters],
    [batch, out(height, rows), out(width, columns), filters],
  ];
};

/** Of float64, by the definition. */
function exactly(given: Shape, x: ArrayLike<number>, w: ArrayLike<number>, dy: ArrayLike<number>): Float64Array[] {
  const { batch, height, width, channels, rows, columns, filters, stride, pad } = given;
  const [, outRows = 0, outColumns = 0] = shapesOf(given)[2] ?? [];
  const before = (size: number, taps: number, out: number) =>
    pad === 'same' ? Math.floor(Math.max(0, (out - 1) * stride + taps - size) / 2) : 0;
  const [top, left] = [before(height, rows, outRows), before(width, columns, outColumns)];
  const [y, dw, dx] = [dy, w, x].map(({ length }) => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const add = (to: Float64Array, i: number, value: number) => (to[i] = (to[i] ?? 0) + value);
  for (let n = 0; n < batch * outRows * outColumns; n++) {
    const [image, oy, ox] = [
      Math.floor(n / outRows / outColumns),
      Math.floor(n / outColumns) % outRows,
      n % outColumns,
    ];
    for (let tap = 0; tap < rows * columns; tap++) {
      const [iy, ix] = [oy * stride + Math.floor(tap / columns) - top, ox * stride + (tap % columns) - left];
      if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
      for (let c = 0; c < channels; c++)
        for (let f = 0; f < filters; f++) {
          const at = {
            x: ((image * height + iy) * width + ix) * channels + c,
            w: (tap * channels + c) * filters + f,
            y: n * filters + f,
          };
          add(y, at.y, (x[at.x] ?? NaN) * (w[at.w] ?? NaN));
          add(dw, at.w, (x[at.x] ?? NaN) * (dy[at.y] ?? NaN));
          add(dx, at.x, (dy[at.y] ?? NaN) * (w[at.w] ?? NaN));
        }
    }
  }
  return [y, dw, dx];
}

async function compiled(shapes: readonly Shape[], fuse = true) {
  const definitions = shapes.map((given, i) => {
    const inputs = shapesOf(given).map((each) => ({ shape: each, dtype: 'float32' as const }));
    return [`s${i}`, { step: results(given), inputs }] as const;
  });
  const steps = await compileSteps(Object.fromEntries(definitions), { variables: [], fuse });
  if (fuse) expect(steps.fused, JSON.stringify(steps.fused)).toHaveProperty('compiler');
  return steps;
}

/** Of each shape the worst error of result and gradients, relative to a largest value. */
async function errors(shapes: readonly Shape[]): Promise<number[]> {
  const steps = await compiled(shapes);
  const worst = shapes.map((given, i) =>
    tf.tidy(() => {
      const inputs = shapesOf(given).map((each, k) => tf.randomNormal(each, 0, 1, 'float32', 3 * i + k));
      const [x, w, dy] = inputs.map((tensor) => tensor.dataSync()) as [Float32Array, Float32Array, Float32Array];
      const exact = exactly(given, x, w, dy);
      return steps.run(`s${i}`, ...inputs).reduce((most, tensor, k) => {
        const got = tensor.dataSync();
        const scale = (exact[k] as Float64Array).reduce((a, b) => Math.max(a, Math.abs(b)), 1);
        const isFar = (most: number, value: number, at: number) => {
          const error = Math.abs(value - (got[at] ?? NaN)) / scale;
          return Number.isNaN(error) ? Infinity : Math.max(most, error);
        };
        return (exact[k] as Float64Array).reduce(isFar, most);
      }, 0);
    }),
  );
  steps.dispose();
  return worst;
}

const base: Shape = {
  batch: 5,
  height: 9,
  width: 9,
  channels: 3,
  rows: 3,
  columns: 3,
  filters: 6,
  stride: 1,
  pad: 'same',
};
/** Full vectors and their rests, uneven padding, one tap, filters as large as the image. */
const EDGES: Shape[] = [
  { ...base, stride: 2, height: 8, width: 7 },
  { ...base, channels: 16, filters: 32, pad: 'valid' },
  { ...base, rows: 1, columns: 1, stride: 2, filters: 5 },
  { ...base, height: 7, width: 7, rows: 7, columns: 7, channels: 1, filters: 16, pad: 'valid' },
];
const SAMPLES = amount(60, 4);
const shapes = [...EDGES, ...fc.sample(shape, { numRuns: SAMPLES, seed: 7 })];
/** Rounding of sums of some thousand products. */
const TOLERANCE = 2e-5;

it(`computes ${shapes.length} convolutions and their gradients as float64 does`, async () => {
  const worst = await errors(shapes);
  expect(shapes.filter((_, i) => !((worst[i] ?? NaN) < TOLERANCE))).toEqual([]);
});

const MUTANTS: Record<string, [from: RegExp, to: string]> = {
  'that forget the padding': [/phase - LEFT/g, 'phase'],
  'that lose the last tap': [/ky < KH/g, 'ky < KH - (KH > 1)'],
  'that lose the last channel': [/c < C;/g, 'c < C - (C > 1);'],
  'that lose the last of two parts': [/i \+ size <= N/g, 'i + size < N'],
  'whose last vector is whole': [/LAST < kLanes/g, 'false'],
  'whose strides are one': [/\boy \* S\b/g, 'oy'],
};

it.each(firstOf(Object.entries(MUTANTS), 2))('finds kernels %s', async (_, [from, to]) => {
  const { buildLibrary } = await vi.importActual<typeof libraries>('../../src/graph/fuse/library.js');
  let changed = 0;
  vi.mocked(libraries.buildLibrary).mockImplementationOnce((sources, making) => {
    const broken = sources.map((source) => source.replace(from, to));
    changed = broken.filter((source, i) => source !== sources[i]).length;
    return buildLibrary(broken, making);
  });
  const worst = await errors(EDGES.slice(0, 3));
  expect(changed).toBeGreaterThan(0);
  expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
});

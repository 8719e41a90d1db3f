/** Direct convolutions: random shapes against float64, special values as TensorFlow has them, broken kernels, and when they are taken. */
import '../support/native.js';
import fc from 'fast-check';
import * as tf from '@tensorflow/tfjs';
import { expect, it, vi } from 'vitest';
import { kernelOf, LIMITS } from '../../src/graph/fuse/convolution.js';
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
  /** Each channel by a filter of its own, and no others. */
  depthwise: boolean;
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
    depthwise: fc.boolean(),
  })
  // Depthwise ones of as many channels as others have filters.
  .map((given) => (given.depthwise ? { ...given, channels: given.filters } : given))
  .filter(({ channels, filters, depthwise }) => depthwise || channels * filters <= LIMITS.channels)
  .filter(({ height, width, rows, columns, pad }) => pad === 'same' || (height >= rows && width >= columns));

const conv =
  ({ stride, pad, depthwise }: Shape) =>
  (x: tf.Tensor, w: tf.Tensor) =>
    (depthwise ? tf.depthwiseConv2d : tf.conv2d)(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad);

/** The result, and the gradients with respect to filter and image, in the program as in its oracle. */
const results = (given: Shape) => (x: tf.Tensor, w: tf.Tensor, dy: tf.Tensor) => {
  const [dx, dw] = tf.grads(conv(given))([x, w], dy) as [tf.Tensor, tf.Tensor];
  return [conv(given)(x, w), dw, dx];
};

const shapesOf = (given: Shape): number[][] => {
  const { batch, height, width, channels, rows, columns, filters, stride, pad, depthwise } = given;
  const out = (size: number, taps: number) => Math.ceil((pad === 'same' ? size : size - taps + 1) / stride);
  return [
    [batch, height, width, channels],
    [rows, columns, channels, depthwise ? 1 : filters],
    [batch, out(height, rows), out(width, columns), depthwise ? channels : filters],
  ];
};

/** Of float64, by the definition. */
function exactly(given: Shape, x: ArrayLike<number>, w: ArrayLike<number>, dy: ArrayLike<number>): Float64Array[] {
  const { batch, height, width, channels, rows, columns, stride, pad, depthwise } = given;
  const filters = depthwise ? channels : given.filters;
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
        for (let f = depthwise ? c : 0; f < (depthwise ? c + 1 : filters); f++) {
          const at = {
            x: ((image * height + iy) * width + ix) * channels + c,
            w: depthwise ? tap * channels + c : (tap * channels + c) * filters + f,
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
  depthwise: false,
};
const depthwise: Shape = { ...base, depthwise: true };
/**
 * Lanes of both kinds, full vectors and their rests, uneven padding, one tap, filters as large as the image; depthwise ones
 * in strips, of a row with fewer vectors than its channels repeat in, and with rows that none of the result reads.
 */
const EDGES: Shape[] = [
  { ...depthwise, stride: 2, height: 27, width: 7, channels: 24 },
  { ...base, stride: 2, height: 8, width: 7 },
  { ...base, channels: 16, filters: 32, pad: 'valid' },
  { ...base, channels: 2, filters: 40, width: 6 },
  { ...base, rows: 1, columns: 1, stride: 2, filters: 5 },
  { ...base, height: 7, width: 7, rows: 7, columns: 7, channels: 1, filters: 16, pad: 'valid' },
  { ...depthwise, height: 26, channels: 32, pad: 'valid' },
  { ...depthwise, width: 2, columns: 5, channels: 17 },
  { ...depthwise, stride: 2, height: 11, width: 10, channels: 5, rows: 2, pad: 'valid' },
  { ...depthwise, rows: 1, columns: 1, stride: 2, channels: 40 },
];
const shapes = firstOf([...EDGES, ...fc.sample(shape, { numRuns: 60, seed: 7 })], 4);
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
  'that lose the last of the lanes left over': [/least_\(N, kLanes\) \*/g, '(least_(N, kLanes) - 1) *'],
  'whose strides are one': [/r \* S \* ROW/g, 'r * ROW'],
  'that are not turned around': [/IS_TURNED = true/g, 'IS_TURNED = false'],
  'that begin every strip with the image': [/first \+ r - TOP/g, 'r - TOP'],
  'that have no zeros between': [/APART = G::S/g, 'APART = 1'],
};

it.each(firstOf(Object.entries(MUTANTS), 1))('finds kernels %s', async (_, [from, to]) => {
  const { buildLibrary } = await vi.importActual<typeof libraries>('../../src/graph/fuse/library.js');
  let changed = 0;
  vi.mocked(libraries.buildLibrary).mockImplementationOnce((sources, making) => {
    const broken = sources.map((source) => source.replace(from, to));
    changed = broken.filter((source, i) => source !== sources[i]).length;
    return buildLibrary(broken, making);
  });
  const worst = await errors(EDGES.slice(0, amount(5, 1)));
  expect(changed).toBeGreaterThan(0);
  expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
});

const attributesOf = ({ stride, pad }: Shape, more = {}) =>
  Object.entries({ strides: [1, stride, stride, 1], padding: pad.toUpperCase(), data_format: 'NHWC', ...more }).map(
    ([name, value]) =>
      ({ name, kind: typeof value === 'string' ? 'string' : 'int', value }) as Node['attributes'][number],
  );

function kernel(op: string, given: Shape, attributes = {}) {
  const shapes = shapesOf(given);
  const [x, w, y] = [0, 1, 2];
  const [inputs, output] = op.endsWith('BackpropFilter')
    ? [[x, 3, y], w]
    : op.endsWith('BackpropInput')
      ? [[3, w, y], x]
      : [[x, w], y];
  const node = { op, inputs, outputs: [{ id: 9, shape: shapes[output] as number[], dtype: 1 }] };
  return kernelOf({ ...node, attributes: attributesOf(given, attributes) }, (id) => shapes[id] ?? [4])?.type;
}

const opsOf = (name: string) => [name, `${name}BackpropFilter`, `${name}BackpropInput`];
const OPS = opsOf('Conv2D');
const DEPTHWISE = opsOf('DepthwiseConv2dNative');
const small: Shape = { ...base, height: 16, width: 16, channels: 8, filters: 16 };

it.each<[string, Shape, Shape, string[]?]>([
  ['channels and filters', { ...small, channels: 16, filters: 32 }, { ...small, channels: 16, filters: 33 }],
  ['rows of a filter', { ...small, rows: 7 }, { ...small, rows: 8 }],
  ['columns of a filter', { ...small, columns: 7 }, { ...small, columns: 8 }],
  ['strides', { ...small, stride: 2 }, { ...small, stride: 3 as 2 }],
  ['images', { ...small, height: 128, width: 64 }, { ...small, height: 128, width: 65 }],
  ['rows of a depthwise filter', { ...depthwise, rows: 7 }, { ...depthwise, rows: 8 }, DEPTHWISE],
  ['strides of a depthwise one', { ...depthwise, stride: 2 }, { ...depthwise, stride: 3 as 2 }, DEPTHWISE],
  [
    'rows of the image that such a filter is as high as',
    { ...depthwise, height: 300, width: 125, channels: 128, rows: 4 },
    { ...depthwise, height: 300, width: 126, channels: 128, rows: 4 },
    DEPTHWISE,
  ],
])('is taken up to a number of %s, and not beyond', (_, last, next, ops = OPS) => {
  expect(ops.map((op) => typeof kernel(op, last))).toEqual(['string', 'string', 'string']);
  expect(ops.map((op) => kernel(op, next))).toEqual([undefined, undefined, undefined]);
});

it('is not taken for depthwise ones with several filters a channel', () => {
  const shapes = [
    [5, 9, 9, 3],
    [3, 3, 3, 2],
    [5, 9, 9, 6],
  ];
  const node = { op: 'DepthwiseConv2dNative', inputs: [0, 1], outputs: [{ id: 9, shape: [5, 9, 9, 6], dtype: 1 }] };
  expect(kernelOf({ ...node, attributes: attributesOf(depthwise) }, (id) => shapes[id] ?? [])).toBeUndefined();
});

it.each([
  ['for a gradient that would leave lanes empty', ['Conv2DBackpropInput'], { ...small, channels: 2 }, {}],
  ['where images are not NHWC', OPS, small, { data_format: 'NCHW' }],
  ['with dilations', OPS, small, { dilations: [1, 2, 2, 1] }],
  ['with two strides', OPS, small, { strides: [1, 1, 2, 1] }],
  ['with padding by numbers', OPS, small, { padding: 'EXPLICIT' }],
  ['for depthwise ones with dilations', DEPTHWISE, depthwise, { dilations: [1, 2, 2, 1] }],
  ['for depthwise ones that are not NHWC', DEPTHWISE, depthwise, { data_format: 'NCHW' }],
])('is not taken %s', (_, ops, given, attributes) =>
  expect(ops.map((op) => kernel(op, given, attributes))).toEqual(ops.map(() => undefined)),
);

it.each([
  ['Columns', { ...small, filters: 8 }],
  ['Filters', { ...small, filters: 9 }],
  ['Filters', { ...small, filters: 8, rows: 2, columns: 4 }],
  ['Filters', { ...small, filters: 8, height: 29, width: 30 }],
  ['Columns', { ...small, filters: 8, height: 29, width: 29 }],
])('has lanes that are %s', (name, given) =>
  expect(OPS.slice(0, 2).map((op) => kernel(op, given)?.split('<')[0])).toEqual([name, name]),
);

const SPECIAL = [NaN, Infinity, -Infinity];

/**
 * But that padding is zeros that weights are multiplied by, of which a depthwise image's gradient always has some, and
 * TensorFlow's gradient has such between strides.
 */
it('spreads NaN and infinities as TensorFlow does', async () => {
  const given: Shape[] = [
    { ...base, pad: 'valid' },
    { ...base, height: 8, stride: 2, pad: 'valid' },
    { ...base, stride: 2 },
    { ...base, filters: 20, channels: 5, pad: 'valid' },
    { ...depthwise, channels: 5, pad: 'valid' },
    { ...depthwise, stride: 2, height: 27, channels: 20, pad: 'valid' },
    { ...depthwise, channels: 16 },
  ];
  const some = firstOf(given, 1);
  const fused = await compiled(some);
  for (const [i, one] of some.entries())
    for (const which of one.pad === 'same' ? [0] : one.stride === 2 || one.depthwise ? [0, 2] : [0, 1, 2])
      for (const value of SPECIAL) {
        const inputs = shapesOf(one).map((each, k) => {
          const values = Float32Array.from(
            { length: each.reduce((a, b) => a * b, 1) },
            (_, j) => ((j * 7919) % 13) - 6,
          );
          // In the middle, and where a row ends.
          if (k === which)
            for (const at of [Math.floor(values.length / 2), each.slice(2).reduce((a, b) => a * b) - 1])
              values[at] = value;
          return tf.tensor(values, each);
        });
        const [got, expected] = [
          fused.run(`s${i}`, ...inputs),
          results(one)(...(inputs as [tf.Tensor, tf.Tensor, tf.Tensor])),
        ].map((tensors) => tensors.map((tensor) => Array.from(tensor.dataSync(), kindOf))) as [string[][], string[][]];
        expect(got, `${JSON.stringify(one)}, ${value} in ${which}`).toEqual(expected);
      }
  fused.dispose();
});

const kindOf = (value: number) => (Number.isNaN(value) ? 'NaN' : Number.isFinite(value) ? 'finite' : `${value}`);

/** Fused steps: random programs against eager ones, functions against float64, special values as TensorFlow has them, and broken kernels. */
import '../support/native.js';
import fc from 'fast-check';
import * as tf from '@tensorflow/tfjs';
import { expect, it, vi } from 'vitest';
import { compileStep, compileSteps } from '../../src/graph/index.js';
import * as libraries from '../../src/graph/fuse/library.js';
import { amount, firstOf } from '../support/amount.js';
import { type Program, program } from '../support/programs.js';
import { SPECIAL, specials } from '../support/specials.js';

vi.mock(import('../../src/graph/fuse/library.js'), { spy: true });
// Small ones too.
vi.mock(import('../../src/graph/fuse/worth.js'), () => ({ isWorthIt: () => true }));

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1.5, 'float32', seed);

/** The programs as one library; each one's worst difference from eager ones, relative to an output's largest value. */
async function differences(programs: readonly Program[]): Promise<number[]> {
  const steps = await compileSteps(
    Object.fromEntries(
      programs.map(({ run, shapes }, i) => [
        `p${i}`,
        { step: run, inputs: shapes.map((shape) => ({ shape, dtype: 'float32' as const })) },
      ]),
    ),
    { variables: [], fuse: true },
  );
  expect(steps.fused, JSON.stringify(steps.fused)).toHaveProperty('compiler');
  const worst = programs.map(({ run, shapes }, i) =>
    tf.tidy(() => {
      const inputs = shapes.map((shape, j) => normal(shape, 10 * i + j));
      const got = steps.run(`p${i}`, ...inputs);
      const differ = run(...inputs).map((expected, j) => difference(expected, got[j] as tf.Tensor));
      return Math.max(...differ);
    }),
  );
  steps.dispose();
  return worst;
}

function difference(expected: tf.Tensor, got: tf.Tensor): number {
  expect(got.shape).toEqual(expected.shape);
  const [want, have] = [expected, got].map((tensor) => Array.from(tensor.dataSync())) as [number[], number[]];
  // Inputs are about 1, and so is the rounding of a sum in which they cancel out.
  const scale = want.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 1);
  const errors = Array.from(want, (value, k) =>
    Object.is(value, have[k]) ? 0 : Math.abs(value - (have[k] as number)),
  );
  return errors.reduce((most, error) => Math.max(most, Number.isNaN(error) ? Infinity : error), 0) / scale;
}

/** Sums over many chunks, and results that may take the place of what is read once more. */
const LARGE: Program = {
  shapes: [
    [257, 1030],
    [1030, 64],
  ],
  run: (x, w) => {
    const product = tf.matMul(x, w).mul(0.01);
    const y = tf.tanh(tf.matMul(product, w, false, true));
    const both = y.mul(tf.matMul(product, w, false, true)).add(1);
    return [tf.sum(x, 0), tf.mean(tf.square(x), 0), tf.max(y, 0), tf.matMul(both, w)];
  },
};
/** What a product reads, and what comes after it, too: it cannot wait for that. */
const READ_TWICE: Program = {
  shapes: [
    [64, 16],
    [16, 16],
  ],
  run: (x, w) => {
    const made = w.mul(0.9).add(0.1);
    return [tf.matMul(x.tanh(), made).add(made.sum(0)).tanh()];
  },
};
const sample = (numRuns: number) => [LARGE, READ_TWICE, ...fc.sample(program, { numRuns, seed: 11 })];

const SAMPLES = amount(80, 5);
/** Rounding, after a dozen ops of which some add up a thousand values. */
const TOLERANCE = 2e-5;

it(`computes ${SAMPLES} random programs as eager ones do`, async () => {
  const worst = await differences(sample(SAMPLES));
  expect(worst.map((error, i) => [i, error] as const).filter(([, error]) => error > TOLERANCE)).toEqual([]);
});

const doubled = (x: tf.Tensor) =>
  tf
    .concat([x, x.mul(2)])
    .add(1)
    .sigmoid();
const from = (x: tf.Tensor, row: number, rows: number) =>
  x.slice([row, ...x.shape.slice(1).map(() => 0)], [rows, ...x.shape.slice(1)]);
const pool = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid');

const PARTS: Record<string, Program> = {
  'with the rows of a batch': {
    shapes: [
      [4, 6],
      [10, 6],
    ],
    run: (x, w) => [from(w, 2, 4).add(x).sigmoid(), tf.sum(from(w, 5, 4).mul(x), 0), from(w, 5, 1).add(x).mul(2)],
  },
  'in another shape': {
    shapes: [
      [4, 6],
      [10, 24],
    ],
    run: (x, w) => [from(w, 2, 1).reshape([4, 6]).add(x).sigmoid(), tf.sum(from(w.mul(2), 3, 1))],
  },
  // The shape that it gets has as many numbers as the batch has rows.
  'in a shape of two': {
    shapes: [
      [2, 3],
      [5, 6],
    ],
    run: (x, w) => {
      const part = from(w, 3, 1).reshape([2, 3]);
      return [tf.sum(part, 0), tf.mean(part.add(1), 1), tf.sum(part.mul(x), 0)];
    },
  },
  'of what is made': {
    shapes: [[50, 6], [100]],
    run: (w, p) => {
      const q = p.mul(2);
      return [tf.sum(from(w.mul(0.9), 5, 3)), from(q, 1, 5).add(from(q, 35, 5)), from(q, 3, 1).add(w)];
    },
  },
  'of rows that are made in the same pass': {
    shapes: [[301, 600]],
    run: (x) => {
      const made = x.tanh();
      return [made.sub(from(made, 150, 1)), made];
    },
  },
  'of what many threads make': {
    shapes: [[2000], [6, 4000, 6]],
    run: (_, w) => {
      const made = w.mul(0.9).add(0.1);
      return [from(made, 5, 1).sigmoid().add(1), from(made, 1, 4).add(from(made, 2, 4))];
    },
  },
  'of two batches': {
    shapes: [[4, 6]],
    run: (x) => [from(doubled(x), 0, 4).sub(from(doubled(x), 4, 4)), from(doubled(x), 4, 4).mul(x).add(1)],
  },
  'of what repeats itself': {
    shapes: [[40, 12], [4]],
    run: (x, w) => [x.mul(tf.tile(w, [6]).slice(2, 12)).add(tf.tile(w, [3]))],
  },
  'that a maximum was in': {
    shapes: [
      [6, 4, 4, 3],
      [9, 4, 4, 3],
    ],
    run: (x, w) => [
      tf
        .grad((a) => tf.sum(pool(a).mul(pool(x))))(from(w, 2, 6))
        .mul(2),
    ],
  },
};

it('reads parts of values where they are', async () => {
  const worst = await differences(Object.values(PARTS));
  const wrong = Object.keys(PARTS).filter((_, i) => (worst[i] ?? Infinity) > TOLERANCE);
  expect(wrong).toEqual([]);
});

const SUMS: Program = {
  shapes: [[64, 12]],
  run: (x) => {
    const parts = x.reshape([64, 3, 4]);
    const [sums, means] = [parts.sum(0), parts.mean(0)];
    const whole = x.toInt().sum(0).toFloat();
    return [
      ...[sums.sum(), means.mean(), sums.mean(), means.sum(), whole.sum(), parts.max(0).sum()],
      ...[
        sums.sum(1),
        sums.sum(0, true),
        tf.concat([x.toInt().sum(0).sum(0, true), tf.tensor1d([1], 'int32')]),
        parts.sum(0, true).sum([0, 2]),
        means.mean([0, 1], true),
      ],
    ];
  },
};

it('sums up sums as one only where that is the same', async () => {
  expect(Math.max(...(await differences([SUMS])))).toBeLessThanOrEqual(TOLERANCE);
});

/** Of an image with as many channels: what repeats itself along rows, what is summed up so, and short runs of neighbours. */
const ofChannels = (channels: number): Program => ({
  shapes: [[5, 4, channels % 4 ? 16 : 20, channels], [channels], [channels]],
  run: (x, gamma, beta) => {
    const y = tf.sigmoid<tf.Tensor4D>(x.mul(gamma).add(beta));
    const pool = (image: tf.Tensor4D) => tf.avgPool(image, 2, 2, 'valid');
    const over = [0, 1, 2];
    const sums = [y.sum(over), y.mean(over), y.max(over), x.min(over), y.sum(), y.sub(x).mul(gamma).sum(over)];
    return [
      y,
      ...sums,
      pool(y),
      tf.grad((image) =>
        pool(image as tf.Tensor4D)
          .square()
          .sum(),
      )(y),
    ];
  },
});
const CHANNELS = firstOf([6, 1, 10, 48, 130, 2, 3, 5, 7, 8, 12, 15, 16, 20, 64, 100, 600], 4);

it(`repeats ${CHANNELS.join(', ')} channels along rows`, async () => {
  const worst = await differences(CHANNELS.map(ofChannels));
  expect(CHANNELS.filter((_, i) => !((worst[i] ?? Infinity) <= TOLERANCE))).toEqual([]);
});

/** Windows that leave gaps between them, and come to as much as the image all the same. */
const GAPS: Program = {
  shapes: [[3, 4, 4, 2]],
  run: (x) => [
    ...[tf.maxPool(x as tf.Tensor4D, 2, 3, 'same').mul(2), tf.avgPool(x as tf.Tensor4D, 2, 3, 'same').mul(2)],
    tf.grad((image) =>
      tf
        .avgPool(image as tf.Tensor4D, 2, 3, 'same')
        .square()
        .sum(),
    )(x),
  ],
};

/** What repeats itself in two ways along rows of one length, and in one way along rows of two. */
const TILES: Program = {
  shapes: [[5, 40, 6], [5, 11, 6], [6], [10]],
  run: (x, y, a, b) => {
    const short = y.mul(a);
    const product = x.mul(a).add(short.sum([1, 2], true));
    return [product.reshape([5, 24, 10]).mul(b).add(1), short.add(1)];
  },
};

/** By a vector, as TensorFlow's older op has it. */
const ROWS: Program = {
  shapes: [[16, 16]],
  run: (x) => {
    const condition = x.slice([0, 0], [16, 1]).reshape([16]).greater(0);
    return [
      tf
        .engine()
        .runKernel<tf.Tensor>('Select', { condition, t: x.mul(2), e: x.mul(3) })
        .add(1),
    ];
  },
};

it('repeats values in several ways along rows, pools by windows with gaps, and picks rows', async () => {
  expect(Math.max(...(await differences([TILES, GAPS, ROWS])))).toBeLessThanOrEqual(TOLERANCE);
});

const LOSSES: [string, RegExp, string][] = [
  ['a tile', /j \+ i\]/g, 'i]'],
  ['runs but the first', /l \/ kTimes \* C \+ l % C/g, 'l % C'],
  ['the sums of a row', /add_<(\w+, \d+)>\((p\d+), p\d+\);/g, 'clear_<$1>($2);'],
];

it.each(firstOf(LOSSES, 1))('finds kernels that lose %s', async (_, from, to) => {
  const worst = await broken(from, to, [6, 3].map(ofChannels));
  expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
});

it('says that there is nothing to fuse', async () => {
  const step = await compileStep((x) => [x], { inputs: [tf.ones([4])], fuse: true });
  expect(step.fused).toEqual({ reason: 'there is nothing to fuse' });
  expect(step.run(tf.ones([4]))[0]?.arraySync()).toEqual([1, 1, 1, 1]);
});

const MUTANTS: Record<string, [from: RegExp, to: string]> = {
  'that lose the last row': [/last = rows \* \(chunk \+ 1\) \/ chunks/g, '$& - 1'],
  'that lose a chunk of a sum': [/c < chunks/g, 'c < chunks - 1'],
  'that divide no mean': [/divide_<N>\(y, by\);/g, ''],
  'that take a maximum for a minimum': [/a > b \? a : b/g, 'a < b ? a : b'],
  'that subtract the wrong way round': [/(v\d+) - (v\d+)/g, '$2 - $1'],
};

/** The differences that changed code makes. */
async function broken(from: RegExp, to: string, programs: readonly Program[]): Promise<number[]> {
  const real = libraries.buildLibrary;
  const { buildLibrary } = await vi.importActual<typeof libraries>('../../src/graph/fuse/library.js');
  let changed = 0;
  vi.mocked(real).mockImplementationOnce((sources, making) => {
    const others = sources.map((source) => source.replace(from, to));
    changed = others.filter((source, i) => source !== sources[i]).length;
    return buildLibrary(others, making);
  });
  const worst = await differences(programs);
  expect(changed).toBeGreaterThan(0);
  return worst;
}

it.each(firstOf(Object.entries(MUTANTS), 1))('finds kernels %s', async (_, [from, to]) => {
  const worst = await broken(from, to, sample(amount(12, 2)));
  expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
});

/** By its series, and by the complement's continued fraction where that gets long. */
function erf(x: number): number {
  const a = Math.abs(x);
  let term = a;
  let sum = a;
  if (a < 3) for (let n = 1; n < 80; n++) sum += (term *= (-a * a) / n) / (2 * n + 1);
  else {
    let rest = 0;
    for (let n = 60; n > 0; n--) rest = n / 2 / (a + rest);
    sum = (Math.sqrt(Math.PI) - Math.exp(-a * a) / (a + rest)) / 2;
  }
  return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
}

const FUNCTIONS: Record<string, { op: (x: tf.Tensor) => tf.Tensor; exact: (x: number) => number }> = {
  exp: { op: tf.exp, exact: Math.exp },
  expm1: { op: tf.expm1, exact: Math.expm1 },
  log: { op: (x) => tf.log(tf.abs(x)), exact: (x) => Math.log(Math.abs(x)) },
  log1p: { op: (x) => tf.log1p(tf.abs(x)), exact: (x) => Math.log1p(Math.abs(x)) },
  sigmoid: { op: tf.sigmoid, exact: (x) => 1 / (1 + Math.exp(-x)) },
  tanh: { op: tf.tanh, exact: Math.tanh },
  softplus: { op: tf.softplus, exact: (x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0) },
  erf: { op: tf.erf, exact: erf },
  rsqrt: { op: (x) => tf.rsqrt(tf.abs(x)), exact: (x) => 1 / Math.sqrt(Math.abs(x)) },
};
/** Units in the last place. */
const ULPS = 4;

it('has functions that are exact to a few units in the last place', async () => {
  const inputs = [[4096, 16]].map((shape) => ({ shape, dtype: 'float32' as const }));
  const list = Object.entries(FUNCTIONS);
  // Of each its own op, and one more, so that there is something to fuse.
  const step = await compileStep((x) => list.flatMap(([, { op }]) => [op(x), tf.neg(op(x))]), {
    inputs,
    variables: [],
    fuse: true,
  });
  expect(step.fused).toHaveProperty('compiler');
  // Of all magnitudes, and more densely where functions turn.
  const values = Float32Array.from({ length: 65536 }, (_, i) =>
    i % 2 ? (i / 65536 - 0.5) * 180 : (i % 4 ? 1 : -1) * 2 ** ((i / 65536) * 60 - 40),
  );
  const got = step.run(tf.tensor2d(values, [4096, 16])).map((tensor) => tensor.dataSync());
  const worst = list.map(([name, { exact }], k) => {
    const errors = Array.from(values, (x, i) => {
      const right = exact(x);
      const unit = 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(right)))) - 23);
      const inRange = Math.abs(right) >= 2 ** -126 && Math.abs(right) < 3.4e38;
      return inRange ? Math.abs((got[2 * k]?.[i] ?? NaN) - right) / unit : 0;
    });
    return [name, Math.max(...errors)] as const;
  });
  step.dispose();
  expect(worst.filter(([, error]) => !(error <= ULPS))).toEqual([]);
});

/** log1p, sign, leaky relu and windows of a maximum, of which TensorFlow takes a denormal for 0, and fused ones do not, or the other way round. */
const DENORMAL = [7, 18, 22, 50, 51];

it('takes NaN, infinities, zeros of both signs and denormals as TensorFlow does', async () => {
  const count = SPECIAL.length;
  const x = tf.tensor2d(SPECIAL, [count, 1]);
  const a = tf.tensor1d(SPECIAL.flatMap((value) => SPECIAL.map(() => value)));
  const b = tf.tensor1d(SPECIAL.flatMap(() => SPECIAL));
  const step = (...given: tf.Tensor[]) => specials(...(given as [tf.Tensor, tf.Tensor, tf.Tensor]));
  const inputs = [x, a, b].map(({ shape }) => ({ shape, dtype: 'float32' as const }));
  const results = await Promise.all(
    [true, false].map(async (fuse) => {
      const compiled = await compileStep(step, { inputs, variables: [], fuse });
      if (fuse) expect(compiled.fused).toHaveProperty('compiler');
      const values = compiled.run(x, a, b).map((tensor) => Array.from(tensor.dataSync()));
      compiled.dispose();
      return values;
    }),
  );
  const [fused = [], graph = []] = results;
  const isAlike = (p: number, q: number) => Object.is(p, q) || (q !== 0 && Math.abs(p - q) <= 1e-6 * Math.abs(q));
  const isFlushed = (i: number, ...pair: number[]) => DENORMAL.includes(i) && pair.every((p) => Math.abs(p) < 1e-38);
  const unlike = fused.flatMap((values, i) =>
    values.flatMap((value, j) =>
      isAlike(value, graph[i]?.[j] ?? NaN) || isFlushed(i, value, graph[i]?.[j] ?? NaN)
        ? []
        : [[i, j, value, graph[i]?.[j]]],
    ),
  );
  expect(unlike).toEqual([]);
});

it('gives the gradient of a maximum to the first element that is it, and to the first of all where none is', async () => {
  const { NaN: none, NEGATIVE_INFINITY: least } = Number;
  const windows = [
    ...[
      [none, 1, 2, 3],
      [1, none, 2, 3],
      [3, 2, 1, none],
      [none, none, none, none],
      [least, least, least, least],
    ],
    ...[
      [none, least, least, 3],
      [least, least, none, least],
      [1, 1, 1, 1],
      [-0, 0, 0, -0],
      [0, 2, 2, 1],
    ],
  ];
  const x = tf.tensor4d(windows.flat(), [windows.length, 2, 2, 1]);
  const step = (x: tf.Tensor) => [
    tf
      .grad((a) => tf.sum(pool(a).mul(2)))(x)
      .add(1),
  ];
  const [fused, graph] = await Promise.all(
    [true, false].map(async (fuse) => {
      const compiled = await compileStep(step, { inputs: [x], variables: [], fuse });
      if (fuse) expect(compiled.fused).toHaveProperty('compiler');
      const values = Array.from(compiled.run(x)[0]?.dataSync() ?? []);
      compiled.dispose();
      return values;
    }),
  );
  expect(fused).toEqual(graph);
});

it('gives zeros of both signs the sign 0', async () => {
  // So do relus, where TensorFlow's keep -0 in what its vectors leave over.
  const ops = (x: tf.Tensor) => [tf.sign(x.mul(2)).mul(3), tf.relu(x.mul(2)).mul(3), tf.relu6(x.mul(2)).mul(3)];
  const step = await compileStep(ops, { inputs: [{ shape: [2] }], fuse: true });
  expect(step.fused).toHaveProperty('compiler');
  for (const y of step.run([-0, 0])) expect(y.arraySync()).toEqual([0, 0]);
  step.dispose();
});

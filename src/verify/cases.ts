/** The inputs of the checks, ordinary ones and hard ones: all numbers are float32, and the same on every backend. */
import * as tf from '@tensorflow/tfjs';
import type { Vectors } from './reference.js';

export interface Case {
  name: string;
  /** [batch, channels] or [batch, height, width, channels]. */
  shape: number[];
  x: number[];
  /** The gradient that arrives at the output. */
  dy: number[];
  vectors: Vectors;
  epsilon: number;
  momentum: number;
}

/** Normally distributed float32 numbers that the seed, from 1, decides; made in JavaScript, the same on every backend. */
export function random(size: number, mean: number, deviation: number, seed: number): number[] {
  return tf.tidy(() => [...tf.randomNormal([size], mean, deviation, 'float32', seed).dataSync()]);
}

/** What a layer starts with. */
export function freshVectors(channels: number): Vectors {
  const all = (value: number) => Array<number>(channels).fill(value);
  return { gamma: all(1), beta: all(0), movingMean: all(0), movingVariance: all(1) };
}

interface Spread {
  mean: number;
  deviation: number;
}

/** A case with this mean and deviation in each channel; `spreads` are repeated over the channels. */
function example(name: string, shape: number[], spreads: Spread[], changes: Partial<Vectors> = {}): Case {
  const size = shape.reduce((product, length) => product * length, 1);
  const channels = shape.at(-1) ?? 0;
  const spread = (i: number) => spreads[(i % channels) % spreads.length] ?? { mean: NaN, deviation: NaN };
  const x = random(size, 0, 1, 1).map((z, i) => Math.fround(spread(i).mean + spread(i).deviation * z));
  const vectors: Vectors = {
    gamma: random(channels, 1, 0.5, 2),
    beta: random(channels, 0, 0.5, 3),
    movingMean: random(channels, 0, 1, 4),
    // From small enough for ε to matter, to large.
    movingVariance: random(channels, 0, 1, 5).map((z, c) => Math.fround(c % 2 === 0 ? z * z : 1e-4 * z * z)),
    ...changes,
  };
  // Far from mean 0, so that a gradient without the mean's part shows.
  return { name, shape, x, dy: random(size, 0.5, 1, 6), vectors, epsilon: 1e-5, momentum: 0.9 };
}

// A deviation of 0.01 has a variance of 1e-4, where leaving out ε = 1e-5 shows.
const ORDINARY: Spread[] = [
  { mean: 0.5, deviation: 2 },
  { mean: -1, deviation: 0.01 },
  { mean: 3, deviation: 1 },
];

/** A matrix and images, as most layers see them. */
export function ordinaryCases(): Case[] {
  return [example('rank 2', [6, 3], ORDINARY), example('rank 4', [4, 3, 2, 3], ORDINARY)];
}

/** Few values and no small deviation, for checks whose tolerance grows with the one and falls with the other. */
export function smallCases(): Case[] {
  const spreads = [{ mean: 0.5, deviation: 1 }];
  return [example('rank 2', [4, 2], spreads), example('rank 4', [2, 2, 1, 2], spreads)];
}

const centred = (...deviations: number[]): Spread[] => deviations.map((deviation) => ({ mean: 0, deviation }));

/** Inputs on which a layer goes wrong that is right on ordinary ones. */
export function hardCases(): Case[] {
  const flat = [1e4, -0.1, 0].map((mean) => ({ mean, deviation: 0 }));
  const still = { beta: [0, 0, 0], movingVariance: [1e-12, 1e-30, 0].map(Math.fround) };
  const far = { movingMean: [1e6, 1e6, 1e6], movingVariance: [1, 1, 1] };
  return [
    example('mean 1e6, deviation 1', [16, 2, 2, 3], [{ mean: 1e6, deviation: 1 }], far),
    example('constant channels', [4, 2, 2, 3], flat),
    example('tiny variances', [8, 3], centred(1e-4, 1e-10, 1e-18), still),
    // Beyond 1e18 the squares' sum leaves float32, and there is no variance to speak of.
    example('huge variances', [8, 3], centred(1e8, 1e13, 1e17)),
    example('denormal inputs', [4, 2, 1, 3], centred(1e-38, 1e-40, 1e-44), still),
    example('batch of two', [2, 4], ORDINARY),
    example('one channel', [3, 5, 4, 1], ORDINARY),
    example('1×1 images', [6, 1, 1, 4], ORDINARY),
    example('2,048 channels', [2, 2, 1, 2048], ORDINARY),
  ];
}

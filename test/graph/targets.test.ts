/** One source of fused kernels for every CPU: the same bits whatever the width of its vectors, but that a CPU may round products before it adds them. */
import '../support/native.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import * as tf from '@tensorflow/tfjs';
import { afterAll, expect, it } from 'vitest';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { compileSteps } from '../../src/graph/compile.js';
import { plan } from '../../src/graph/fuse/fuse.js';
import { record } from '../../src/graph/record/record.js';
import { lenet, NORMS } from '../../src/nn/lenet.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { root } from '../support/program.js';
import { type Program, program } from '../support/programs.js';
import { SPECIAL, specials } from '../support/specials.js';

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-targets-'));
const before = process.env;
afterAll(async () => {
  process.env = before;
  await rm(work, { recursive: true });
});

/** What each asks of the CPU, as /proc/cpuinfo calls it. */
const TARGETS = {
  'x86-64': [],
  'x86-64-v3': ['avx2', 'fma', 'bmi2'],
  'x86-64-v4': ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
};
const features = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' '));
const targets = Object.entries(TARGETS).filter(([, asks]) => asks.every((flag) => features.has(flag)));

/** From now on kernels are compiled for `target`, in a cache of their own. */
function compileFor(target: string): void {
  const compiler = path.join(work, target);
  writeFileSync(compiler, `#!/bin/sh\nexec g++ "$@" -march=${target}\n`, { mode: 0o755 });
  process.env = { ...before, CXX: compiler, XDG_CACHE_HOME: path.join(work, 'cache') };
}

const data = new DeviceDataset({
  count: 21,
  height: 16,
  width: 16,
  images: Uint8Array.from({ length: 21 * 256 }, (_, i) => (i * 7919) % 251),
  labels: Uint8Array.from({ length: 21 }, (_, i) => i % 10),
});
const models = NORMS.map((norm) => lenet({ norm, seed: 1, height: 16, width: 16 }));
const rows = { shape: [21], dtype: 'int32' } as const;
const rate = { shape: [], dtype: 'float32' } as const;

const programs = fc.sample(program, { numRuns: 10, seed: 5 });
/** In strips of rows, with vectors that whole ones leave over. */
const depthwise: Program = {
  shapes: [
    [5, 27, 7, 24],
    [3, 3, 24, 1],
    [5, 14, 4, 24],
  ],
  run: (x, w, dy) => {
    const conv = (x: tf.Tensor, w: tf.Tensor) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'same');
    return [conv(x, w), ...tf.grads(conv)([x, w], dy)];
  },
};
const pairs = SPECIAL.length ** 2;
const special: Program = {
  shapes: [[2 * SPECIAL.length, 1], [pairs], [pairs]],
  run: (...given) => specials(...(given as [tf.Tensor, tf.Tensor, tf.Tensor])),
};
/** Zeros are among what vectors of 16 leave over, too. */
const given = () => [
  tf.tensor2d([...SPECIAL, ...SPECIAL.toReversed()], [2 * SPECIAL.length, 1]),
  tf.tensor1d(SPECIAL.flatMap((value) => SPECIAL.map(() => value))),
  tf.tensor1d(SPECIAL.flatMap(() => SPECIAL)),
];
const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1.5, 'float32', seed);

/** The bits of what programs and training steps compute, from equal weights. */
async function results(): Promise<{ hash: string; bits: string[]; trained: string[]; weights: number[] }> {
  const steps = await compileSteps(
    Object.fromEntries([
      ...[...programs, special, depthwise].map(({ run, shapes }, i) => [
        `p${i}`,
        { step: run, inputs: shapes.map((shape) => ({ shape })) },
      ]),
      ...models.map((model, i) => [`m${i}`, { step: trainingStep(model, data), inputs: [rows, rate] }]),
    ]) as Parameters<typeof compileSteps>[0],
    { variables: [models, data.variables].flat(), fuse: true },
  );
  const weights = models.map((model) => model.getWeights().map((weight) => weight.clone()));
  const computed = tf.tidy(() => {
    const ran = programs.map(({ shapes }, i) => steps.run(`p${i}`, ...shapes.map((shape, j) => normal(shape, i + j))));
    ran.push(steps.run(`p${programs.length}`, ...given()));
    const order = tf.range(0, 21, 1, 'int32');
    for (let step = 0; step < 5; step++) for (const i of models.keys()) steps.run(`m${i}`, order, tf.scalar(0.5));
    const convolved = steps.run(
      `p${programs.length + 1}`,
      ...depthwise.shapes.map((shape, j) => normal(shape, 90 + j)),
    );
    const trained = [...models.flatMap((model) => model.getWeights()), ...convolved];
    return [ran.flat(), trained].map((tensors) => tensors.map((tensor) => tensor.dataSync().slice() as Float32Array));
  });
  const [bits = [], trained = []] = computed.map((all) =>
    all.map(({ buffer }) => Buffer.from(buffer).toString('base64')),
  );
  for (const [i, model] of models.entries()) model.setWeights(weights[i] ?? []);
  const { fused } = steps;
  steps.dispose();
  if (!fused || 'reason' in fused) throw new Error(fused?.reason);
  return { hash: fused.hash, bits, trained, weights: computed[1]?.flatMap((values) => [...values]) ?? [] };
}

it(`has the same bits compiled for ${targets.map(([name]) => name).join(', ')}`, async () => {
  const all = new Map<string, Awaited<ReturnType<typeof results>>>();
  for (const [target] of targets) {
    compileFor(target);
    const made = await results();
    all.set(made.hash, made);
  }
  expect(all.size).toBe(targets.length);
  const [first, second, ...others] = all.values();
  expect(first?.bits.length).toBeGreaterThan(20);
  expect(first?.trained.length).toBeGreaterThan(30);
  for (const other of [second, ...others]) expect(other?.bits).toEqual(first?.bits);
  // Products of convolutions are rounded by the first alone.
  for (const other of others) expect(other.trained).toEqual(second?.trained);
  const far = first?.weights.filter((weight, i) => !(Math.abs(weight - (second?.weights[i] ?? NaN)) < 1e-4));
  expect(far).toEqual([]);
});

const zig = process.env['BN_TRAIN_ZIG'];

it.runIf(zig)('is compiled for aarch64 too, by another compiler, which makes vectors of it', () => {
  const headers = ['math.h', 'loops.h', 'conv.h'].map((name) =>
    readFileSync(path.join(root, 'src/graph/fuse', name), 'utf8'),
  );
  const header = path.join(root, 'src/graph/fuse/region.h');
  const [model] = models as [tf.Sequential];
  const variables = [...model.weights.map((weight) => weight.read() as tf.Variable), ...data.variables];
  const graph = record(nativeBackend() as NativeBackend, trainingStep(model, data), [rows, rate], variables);
  const { sources } = plan(graph, headers.join(''));
  const flags = ['-target', 'aarch64-linux-gnu', '-std=c++17', '-O3', '-fPIC', '-ffp-contract=off', '-fno-math-errno'];
  const env = { ...before, ZIG_GLOBAL_CACHE_DIR: path.join(work, 'zig'), ZIG_LOCAL_CACHE_DIR: path.join(work, 'zig') };
  const [source, assembly] = [path.join(work, 'region.cc'), path.join(work, 'region.s')];
  const made = [...sources.values()].map((text) => {
    writeFileSync(source, text);
    const words = ['-m', 'ziglang', 'c++', ...flags, '-include', header, '-S', source, '-o', assembly];
    execFileSync(zig as string, words, { env, stdio: 'pipe' });
    return readFileSync(assembly, 'utf8');
  });
  expect(made.length).toBeGreaterThan(3);
  expect(made.join('\n')).toMatch(/fmul\s+v\d+\.4s/);
});

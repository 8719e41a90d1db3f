/** Generated code under the sanitizers for addresses and undefined behaviour: each region by itself, in memory of its exact size. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import '../support/native.js';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type NativeBackend, nativeBackend } from '../../src/graph/binding.js';
import { plan } from '../../src/graph/fuse/fuse.js';
import { attribute, DTYPE, type Node, sizeOf } from '../../src/graph/graph.js';
import { type InputSpec, record, type StepFunction } from '../../src/graph/record/record.js';
import { lenet, NORMS } from '../../src/nn/lenet.js';
import { DeviceDataset, trainingStep } from '../../src/train/step.js';
import { firstOf } from '../support/amount.js';
import { root, start } from '../support/program.js';

// Small ones too.
vi.mock(import('../../src/graph/fuse/worth.js'), () => ({ isWorthIt: () => true }));

const work = mkdtempSync(path.join(tmpdir(), 'bn-train-sanitize-'));
afterAll(() => rm(work, { recursive: true }));

const native = nativeBackend() as NativeBackend;
const headers = ['math.h', 'loops.h', 'conv.h']
  .map((name) => readFileSync(path.join(root, 'src/graph/fuse', name), 'utf8'))
  .join('');
const FLAGS = ['-std=c++17', '-O1', '-w', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const HEADER = path.join(root, 'src/graph/fuse/region.h');

/** Whether the compiler has what the sanitizers need, as every machine of CI must. */
function hasSanitizers(): boolean {
  const source = path.join(work, 'trial.cc');
  writeFileSync(source, 'int main() {}');
  try {
    execFileSync('c++', [...FLAGS, source, '-o', path.join(work, 'trial')], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI']) throw error;
    console.warn('the compiler has no sanitizers: generated code is not checked with them');
    return false;
  }
}

interface Region {
  symbol: string;
  rows: number;
  inputs: number[];
  outputs: number[];
  /** Inputs that are whole numbers or bools. */
  whole: number[];
  forward: readonly number[];
}

const bytesOf = (dtype: number) => (dtype === DTYPE.bool ? 1 : 4);

/** Runs each region in 1, 2, 3 and 7 chunks, and in the last with the memory it may take over; outputs must be the same bits. */
function driverOf(regions: readonly Region[]): string {
  const list = (numbers: readonly number[]) => `{${numbers.join(', ')}}`;
  const rows = regions.map(
    ({ symbol, rows, inputs, outputs, whole, forward }) =>
      `{"${symbol}", ${symbol}, ${rows}, ${list(inputs)}, ${list(outputs)}, ${list(whole)}, ${list(forward)}}`,
  );
  return `
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
${regions.map(({ symbol }) => `extern "C" const Region ${symbol};`).join('\n')}
struct One { const char* name; const Region& region; int64_t rows; std::vector<size_t> in, out; std::vector<int> whole; std::vector<int64_t> forward; };
const float kValues[] = {0.5f, -1.25f, 3e-41f, -0.0f, 1e30f, __builtin_nanf(""), __builtin_inff(), -2.0f, 7.0f, 0.0f, 1.0f};
char* filled(size_t bytes, bool whole, bool is_bool) {
  char* memory = static_cast<char*>(std::malloc(bytes));
  for (size_t i = 0; i < bytes / (is_bool ? 1 : 4); ++i) {
    if (is_bool) memory[i] = i % 2;
    else if (whole) { int32_t v = static_cast<int32_t>(i % 10); std::memcpy(memory + 4 * i, &v, 4); }
    else std::memcpy(memory + 4 * i, &kValues[i * 7919 % 11], 4);
  }
  return memory;
}
std::vector<std::vector<char>> once(const One& one, int64_t chunks, bool in_place) {
  std::vector<char*> in, out, own;
  for (size_t i = 0; i < one.in.size(); ++i) in.push_back(filled(one.in[i], one.whole[i] > 0, one.whole[i] == 2));
  for (size_t i = 0; i < one.out.size(); ++i) {
    const int64_t from = in_place ? one.forward[i] : -1;
    if (from < 0) own.push_back(static_cast<char*>(std::malloc(one.out[i])));
    out.push_back(from < 0 ? own.back() : in[from]);
  }
  const size_t bytes = one.region.scratch_bytes(one.rows, chunks);
  char* scratch = static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  for (int64_t phase = 0; phase < one.region.phases; ++phase)
    for (int64_t chunk = chunks - 1; chunk >= 0; --chunk)
      one.region.run(phase, chunk, chunks, one.rows, reinterpret_cast<const void* const*>(in.data()), reinterpret_cast<void* const*>(out.data()), scratch);
  std::vector<std::vector<char>> result;
  for (size_t i = 0; i < out.size(); ++i) result.emplace_back(out[i], out[i] + one.out[i]);
  for (char* memory : in) std::free(memory);
  for (char* memory : own) std::free(memory);
  std::free(scratch);
  return result;
}
int main() {
  const std::vector<One> all = {${rows.join(',\n')}};
  for (const One& one : all)
    for (const int64_t chunks : {1, 2, 3, 7}) {
      if (chunks > 1 && chunks > one.rows) continue;
      if (once(one, chunks, false) != once(one, chunks, true)) { std::fprintf(stderr, "%s differs in place\\n", one.name); return 1; }
    }
  std::printf("%zu regions\\n", all.size());
}`;
}

async function sanitized(sources: readonly string[], regions: readonly Region[]) {
  const files = [...sources, driverOf(regions)].map((source, i) => {
    const file = path.join(work, `${i}.cc`);
    writeFileSync(file, source);
    return file;
  });
  const driver = path.join(work, 'driver');
  execFileSync('c++', [...FLAGS, '-include', HEADER, ...files, '-o', driver]);
  return start(driver, []).result;
}

function regionOf(node: Node, values: ReadonlyMap<number, InputSpec & { dtypeNumber: number }>): Region {
  const given = node.inputs.map((id) => values.get(id));
  return {
    symbol: String(attribute(node, 'symbol')),
    rows: Number(attribute(node, 'rows')),
    inputs: given.map((value) => sizeOf(value?.shape ?? []) * bytesOf(value?.dtypeNumber ?? 0)),
    outputs: node.outputs.map(({ shape, dtype }) => sizeOf(shape) * bytesOf(dtype)),
    whole: given.map((value) => (value?.dtypeNumber === DTYPE.bool ? 2 : value?.dtypeNumber === DTYPE.int32 ? 1 : 0)),
    forward: attribute(node, 'forward') as number[],
  };
}

/** The translation units and the regions of recorded steps. */
function regionsOf(steps: readonly [StepFunction, InputSpec[], tf.Variable[]][]) {
  const sources = new Map<string, string>();
  const regions: Region[] = [];
  for (const [step, signature, variables] of steps) {
    const planned = plan(record(native, step, signature, variables), headers);
    const graph = planned.graph('library');
    for (const [symbol, source] of planned.sources) sources.set(symbol, source);
    const all = [
      ...graph.inputs,
      ...graph.variables,
      ...graph.constants.values(),
      ...graph.nodes.flatMap(({ outputs }) => outputs),
    ];
    const values = new Map(
      all.map(({ id, shape, dtype }) => [id, { shape: [...shape], dtype: 'float32' as const, dtypeNumber: dtype }]),
    );
    for (const node of graph.nodes) if (node.op === 'BnTrainRegion') regions.push(regionOf(node, values));
  }
  return { sources: [...sources.values()], regions };
}

describe.runIf(hasSanitizers())('generated code', () => {
  it('of training steps of every model stays within its memory, for batches of odd sizes', async () => {
    const data = new DeviceDataset({
      count: 9,
      height: 16,
      width: 16,
      images: new Uint8Array(9 * 256),
      labels: new Uint8Array(9),
    });
    const steps = firstOf(NORMS, 1).flatMap((norm) => {
      const model = lenet({ norm, seed: 1, height: 16, width: 16 });
      const variables = [...model.weights.map((weight) => weight.read() as tf.Variable), ...data.variables];
      return [9, 5, 2].map((batch): [StepFunction, InputSpec[], tf.Variable[]] => [
        trainingStep(model, data),
        [
          { shape: [batch], dtype: 'int32' },
          { shape: [], dtype: 'float32' },
        ],
        variables,
      ]);
    });
    const { sources, regions } = regionsOf(steps);
    expect(regions.length).toBeGreaterThan(5);
    expect(await sanitized(sources, regions)).toMatchObject({
      stderr: '',
      stdout: `${regions.length} regions\n`,
      code: 0,
    });
  });

  it('of depthwise convolutions stays within its memory, for strips and rests of vectors', async () => {
    const shapes = firstOf(
      [
        [7, 24, 2],
        [3, 5, 1],
        [2, 17, 1],
        [9, 64, 2],
      ],
      1,
    );
    const steps = shapes.map(([width = 0, channels = 0, stride = 1]): [StepFunction, InputSpec[], tf.Variable[]] => {
      const conv = (x: tf.Tensor, w: tf.Tensor) =>
        tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, 'same');
      return [
        (x, w) => [conv(x, w), ...tf.grads(conv)([x, w])],
        [
          { shape: [7, 29, width, channels], dtype: 'float32' },
          { shape: [3, 3, channels, 1], dtype: 'float32' },
        ],
        [],
      ];
    });
    const { sources, regions } = regionsOf(steps);
    expect(sources.join('')).toMatch(/DepthwiseInput<Shape.*Depthwise<Shape[^:]*::filterGrad/s);
    expect(await sanitized(sources, regions)).toMatchObject({
      stderr: '',
      stdout: `${regions.length} regions\n`,
      code: 0,
    });
  });

  it('of broadcasts, comparisons and sums stays within its memory, for sizes such as 0 and 1', async () => {
    const step: StepFunction = (x, row, column, flag) => {
      const y = x.mul(row).add(column).sub(x.maximum(row));
      const chosen = tf.where(x.greater(row), y.tanh(), y.sigmoid().log());
      return [chosen, y.sum(0), y.mean(1), chosen.exp().sum(), flag.toFloat().mul(y.relu()), y.abs().sqrt().erf()];
    };
    const sizes = [
      [1, 1],
      [0, 3],
      [3, 0],
      [7, 13],
      [16, 16],
      [31, 5],
    ];
    const steps = sizes.map(([rows = 0, width = 0]): [StepFunction, InputSpec[], tf.Variable[]] => [
      step,
      [
        { shape: [rows, width], dtype: 'float32' },
        { shape: [width], dtype: 'float32' },
        { shape: [rows, 1], dtype: 'float32' },
        { shape: [rows, width], dtype: 'bool' },
      ],
      [],
    ]);
    const { sources, regions } = regionsOf(steps);
    expect(await sanitized(sources, regions)).toMatchObject({
      stderr: '',
      stdout: `${regions.length} regions\n`,
      code: 0,
    });
  });

  it.each([
    ['writes behind its memory', 'static_cast<float*>(out[0])[rows] = 1;', /heap-buffer-overflow/],
    ['counts beyond what an int holds', 'volatile int i = 2147483647; i = i + 1;', /signed integer overflow/],
    [
      'writes before it has read, in place',
      '*static_cast<float*>(out[0]) = 0; static_cast<float*>(out[0])[1] = *static_cast<const float*>(in[0]);',
      /differs in place/,
    ],
  ])('that %s is caught', async (_, body, message) => {
    const source = `static int64_t none(int64_t, int64_t) { return 0; }
      static void run(int64_t, int64_t, int64_t, int64_t rows, const void* const* in, void* const* out, char*) { ${body} }
      extern "C" const Region broken = {1, none, run};`;
    const region = { symbol: 'broken', rows: 4, inputs: [16], outputs: [16], whole: [0], forward: [0] };
    const { code, stderr } = await sanitized([source], [region]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

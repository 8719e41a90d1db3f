/** The op that runs generated code: its phases and chunks, threads, memory, and what it says when something is wrong. */
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { nativeTensor, nativeValue, nativeBackend, Session, type NativeBackend } from '../../src/graph/binding.js';
import { buildLibrary, type Library } from '../../src/graph/fuse/library.js';
import { DTYPE } from '../../src/graph/graph.js';
import { GraphWriter, intAttr, listAttr, shapeAttr, textAttr, typeAttr } from '../../src/graph/write/nodes.js';
import { ALL, firstOf } from '../support/amount.js';
import '../support/native.js';
import { start } from '../support/program.js';

const native = nativeBackend() as NativeBackend;

/** y = 2x in chunks of rows; the sum of all, kept by chunk, in a second phase. */
const SOURCE = `
static int64_t bytes(int64_t, int64_t chunks) { return chunks * 4; }
static void run(int64_t phase, int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* scratch) {
  const float* x = static_cast<const float*>(in[0]);
  float* y = static_cast<float*>(out[0]);
  float* sums = reinterpret_cast<float*>(scratch);
  if (phase == 0) {
    float sum = 0;
    for (int64_t i = chunk * rows / chunks * WIDTH; i < (chunk + 1) * rows / chunks * WIDTH; ++i) sum += y[i] = 2 * x[i];
    sums[chunk] = sum;
  } else if (chunk == 0) {
    float sum = 0;
    for (int64_t i = 0; i < chunks; ++i) sum += sums[i];
    *static_cast<float*>(out[1]) = sum;
    *static_cast<int32_t*>(out[2]) = static_cast<int32_t>(chunks);
  }
}
extern "C" const Region twice = {2, bytes, run};
`;

async function libraryOf(source: string): Promise<Library> {
  const made = await buildLibrary([source]);
  if ('reason' in made) throw new Error(made.reason);
  return made;
}

interface Node {
  library: string;
  symbol?: string;
  shape: [rows: number, width: number];
  shapes?: number[][];
  forward?: number[];
  /** Whether another op reads the region's input. */
  read?: boolean;
  tag?: string;
}

/** A session with the region on 2x + 1, so that its input is a value of the graph's own. */
function open({
  library,
  symbol = 'twice',
  shape,
  shapes,
  forward = [-1, -1, -1],
  read,
  tag = 'train',
}: Node): Session {
  const writer = new GraphWriter();
  const float = typeAttr(DTYPE.float32);
  writer.placeholder('x', { dtype: DTYPE.float32, shape });
  writer.constant('one', { dtype: DTYPE.float32, shape: [], values: Float32Array.of(1) });
  writer.add('AddV2', 'sum', ['x', 'one'], { T: float });
  writer.add('BnTrainRegion', 'region', ['sum'], {
    library: textAttr(library),
    symbol: textAttr(symbol),
    rows: intAttr(shape[0]),
    shapes: listAttr(shapes ?? [shape, [], []], shapeAttr),
    forward: listAttr(forward, intAttr),
    Tin: listAttr([DTYPE.float32], typeAttr),
    Tout: listAttr([DTYPE.float32, DTYPE.float32, DTYPE.int32], typeAttr),
  });
  writer.add('AddV2', 'later', [read ? 'sum' : 'one', 'region:1'], { T: float });
  for (const i of [0, 1]) writer.add('Identity', `out${i}`, [`region:${i}`], { T: float });
  writer.add('Identity', 'out2', ['region:2'], { T: typeAttr(DTYPE.int32) });
  return Session.open(native, writer.savedModel(tag, 1087), tag);
}

function run(session: Session, x: tf.Tensor) {
  const results = session.run(new Map([['x', nativeValue(native, x).id]]), ['out0', 'out1', 'out2', 'later']);
  return results.map((value) => nativeTensor(native, value));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);

describe('a region', () => {
  it.each([
    [1000, 700, 16],
    [5, 50_000, 5],
    [3, 7, 1],
    [1, 100_000, 1],
    [0, 9, 1],
  ])('of %i rows of %i runs in %i chunks', async (rows, width, chunks) => {
    const session = open({
      ...(await libraryOf(`#define WIDTH ${width}\n${SOURCE}`)),
      shape: [rows, width],
      forward: [0, -1, -1],
    });
    const x = tf.randomUniform([rows, width]);
    const expected = x.add(1).mul(2);
    for (let i = 0; i < 3; i++) {
      const [y, sum, count] = run(session, x) as [tf.Tensor, tf.Tensor, tf.Tensor];
      expect(y.shape).toEqual([rows, width]);
      expect(Buffer.compare(bytesOf(await y.data()), bytesOf(await expected.data()))).toBe(0);
      const total = (await expected.sum().data())[0] ?? NaN;
      expect(Math.abs(((await sum.data())[0] ?? NaN) - total)).toBeLessThanOrEqual(1e-4 * total);
      expect(await count.data()).toEqual(Int32Array.of(chunks));
    }
    session.close();
  });

  it('is given memory that it may take over, where nobody else reads it', async () => {
    const where = `
static int64_t none(int64_t, int64_t) { return 0; }
static void run(int64_t, int64_t, int64_t, int64_t, const void* const* in, void* const* out, char*) {
  *static_cast<float*>(out[1]) = in[0] == out[0];
}
extern "C" const Region where = {1, none, run};`;
    const made = await libraryOf(where);
    const isTaken = async (forward: number[], more: Partial<Node> = {}) => {
      const session = open({ ...made, symbol: 'where', shape: [8, 8], forward, ...more });
      const [, taken] = run(session, tf.ones([8, 8])) as [tf.Tensor, tf.Tensor];
      session.close();
      return (await taken.data())[0];
    };
    expect(await isTaken([0, -1, -1])).toBe(1);
    expect(await isTaken([-1, -1, -1])).toBe(0);
    // Another op reads it too, and may come later.
    expect(await isTaken([0, -1, -1], { read: true })).toBe(0);
    // Of another size.
    expect(await isTaken([0, -1, -1], { shapes: [[8, 9], [], []] })).toBe(0);
  });

  it.each([
    ['inline', true],
    ['train', false],
  ])('runs in a session tagged %s in the thread that calls: %s', async (tag, isCaller) => {
    const thread = `
#include <sys/syscall.h>
#include <unistd.h>
static int64_t none(int64_t, int64_t) { return 0; }
static void run(int64_t, int64_t, int64_t, int64_t, const void* const*, void* const* out, char*) {
  *static_cast<int32_t*>(out[2]) = syscall(SYS_gettid) == getpid();
}
extern "C" const Region thread = {1, none, run};`;
    const session = open({ ...(await libraryOf(thread)), symbol: 'thread', shape: [8, 8], tag });
    const [, , same] = run(session, tf.ones([8, 8])) as [tf.Tensor, tf.Tensor, tf.Tensor];
    expect((await same.data())[0]).toBe(isCaller ? 1 : 0);
    session.close();
  });

  it('gives the same bits with any number of threads, in several of Node’s threads and sessions at once', async () => {
    const measure = async (threads: number, workers: number) => {
      const env = { TF_NUM_INTRAOP_THREADS: `${threads}`, TF_CPP_MIN_LOG_LEVEL: '2' };
      const script = path.join(import.meta.dirname, 'regionThreads.js');
      const { stdout } = await start(process.execPath, [script, `${workers}`], { env }).result;
      return JSON.parse(stdout) as { hashes: string[]; threads: number };
    };
    const alone = await measure(1, 1);
    expect(alone).toEqual({ hashes: [expect.any(String)], threads: 1 });
    for (const [threads, workers] of firstOf(
      [
        [2, 2],
        [3, 1],
        [8, 1],
        [2, 4],
      ] as const,
      1,
    )) {
      const { hashes, threads: seen } = await measure(threads, workers);
      expect(hashes).toEqual(alone.hashes);
      expect(seen).toBeGreaterThan(1);
      expect(seen).toBeLessThanOrEqual(threads);
    }
  });

  it.each<{ what: string; change: Partial<Node>; message: RegExp }>([
    { what: 'a library that is not there', change: { library: '/no/such.so' }, message: /\/no\/such\.so: cannot open/ },
    { what: 'one that it is not in', change: { symbol: 'thrice' }, message: /library\.so: undefined symbol: thrice/ },
    { what: 'no shapes', change: { shapes: [] }, message: /shapes attribute is empty/ },
    { what: 'too few shapes', change: { shapes: [[8, 8], []] }, message: /shapes .*not those of its outputs/ },
    {
      what: 'a shape with an unknown size',
      change: { shapes: [[8, -1], [], []] },
      message: /\[8,\?\] is not fully defined/,
    },
    { what: 'a list of takers of another length', change: { forward: [-1] }, message: /not those of its outputs/ },
  ])('is refused by name with $what', async ({ change, message }) => {
    const made = await libraryOf(`#define WIDTH 8\n${SOURCE}`);
    const go = () => run(open({ ...made, shape: [8, 8], ...change }), tf.ones([8, 8]));
    expect(go).toThrow(message);
  });

  // TensorFlow waits 10 s for some.
  it.runIf(ALL)('says so where there is no memory for it', async () => {
    const greedy = SOURCE.replace('return chunks * 4', 'return int64_t{1} << 50');
    const made = await libraryOf(`#define WIDTH 8\n${greedy}`);
    const session = open({ ...made, shape: [8, 8] });
    expect(() => run(session, tf.ones([8, 8]))).toThrow(/OOM when allocating tensor with shape\[1125899906842624\]/);
    session.close();
  });

  it('keeps no memory over 1,000 runs', async () => {
    const made = await libraryOf(`#define WIDTH 500\n${SOURCE}`);
    const session = open({ ...made, shape: [500, 500], forward: [0, -1, -1] });
    const x = tf.ones([500, 500]);
    const runs = (count: number) => {
      for (let i = 0; i < count; i++) tf.dispose(run(session, x));
      return process.memoryUsage.rss();
    };
    const [before, tensors] = [runs(100), tf.memory().numTensors];
    // One tensor of them all would be 1 GB.
    expect(runs(1000) - before).toBeLessThan(20e6);
    expect(tf.memory().numTensors).toBe(tensors);
    session.close();
  });
});

/** The op that runs generated code: its phases and chunks, threads, memory, and what it says when something is wrong. */
import { describe, expect, it } from 'vitest';
import * as tf from '@tensorflow/tfjs';
import { nativeValue, nativeBackend, Session, type NativeBackend } from '../../src/graph/binding.js';
import { buildLibrary, type Library } from '../../src/graph/fuse/library.js';
import { DTYPE } from '../../src/graph/graph.js';
import { GraphWriter, intAttr, textAttr, typeAttr } from '../../src/graph/write/nodes.js';
import '../support/native.js';

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

async function libraryOf(width: number): Promise<Library> {
  const made = await buildLibrary([`#define WIDTH ${width}\n${SOURCE}`]);
  if ('reason' in made) throw new Error(made.reason);
  return made;
}

const listAttr = (items: readonly string[]) => {
  const content = items.join('');
  return String.fromCharCode(10, content.length) + content;
};

interface Node {
  library: string;
  symbol?: string;
  shape: [rows: number, width: number];
  shapes?: number[];
  forward?: number[];
}

/** A session with the region on 2x + 1, so that its input is a value of the graph's own. */
function open({ library, symbol = 'twice', shape, shapes, forward = [-1, -1, -1] }: Node): Promise<Session> {
  const writer = new GraphWriter();
  const float = typeAttr(DTYPE.float32);
  writer.placeholder('x', { dtype: DTYPE.float32, shape });
  writer.constant('one', { dtype: DTYPE.float32, shape: [], values: Float32Array.of(1) });
  writer.add('AddV2', 'sum', ['x', 'one'], { T: float });
  writer.add('BnTrainRegion', 'region', ['sum'], {
    library: textAttr(library),
    symbol: textAttr(symbol),
    rows: intAttr(shape[0]),
    shapes: listAttr((shapes ?? [2, ...shape, 0, 0]).map(intAttr)),
    forward: listAttr(forward.map(intAttr)),
    Tin: listAttr([float]),
    Tout: listAttr([float, float, typeAttr(DTYPE.int32)]),
  });
  for (const i of [0, 1]) writer.add('Identity', `out${i}`, [`region:${i}`], { T: float });
  writer.add('Identity', 'out2', ['region:2'], { T: typeAttr(DTYPE.int32) });
  return Session.open(native, writer.savedModel('train', 1087), 'train');
}

function run(session: Session, x: tf.Tensor) {
  const results = session.run(new Map([['x', nativeValue(native, x).id]]), ['out0', 'out1', 'out2']);
  return results.map((value) => native.createOutputTensor(value));
}

describe('a region', () => {
  it.each([
    [1000, 700, 16],
    [5, 50_000, 5],
    [3, 7, 1],
    [1, 100_000, 1],
    [0, 9, 1],
  ])('of %i rows of %i runs in %i chunks', async (rows, width, chunks) => {
    const session = await open({ ...(await libraryOf(width)), shape: [rows, width], forward: [0, -1, -1] });
    const x = tf.randomUniform([rows, width]);
    const expected = x.add(1).mul(2);
    for (let i = 0; i < 3; i++) {
      const [y, sum, count] = run(session, x) as [tf.Tensor, tf.Tensor, tf.Tensor];
      expect(y.shape).toEqual([rows, width]);
      expect(await y.data()).toEqual(await expected.data());
      const total = (await expected.sum().data())[0] ?? NaN;
      expect(Math.abs(((await sum.data())[0] ?? NaN) - total)).toBeLessThanOrEqual(1e-4 * total);
      expect(await count.data()).toEqual(Int32Array.of(chunks));
    }
    session.close();
  });
});

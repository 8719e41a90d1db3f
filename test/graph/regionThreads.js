/**
 * Run by itself, with a number of Node's threads: in each a region runs many times at once with the others. Prints a line
 * of JSON: the different results' hashes, and the most threads that were seen in one run.
 */
import { createHash } from 'node:crypto';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { nativeBackend, nativeTensor, nativeValue, Session } from '../../dist/graph/binding.js';
import { buildLibrary } from '../../dist/graph/fuse/library.js';
import { GraphWriter, intAttr, shapeAttr, textAttr, typeAttr } from '../../dist/graph/write/nodes.js';
import { openBackend } from '../../dist/index.js';

const [ROWS, WIDTH] = [1001, 777];

/** Sums that depend on their order, by chunk; then the sums of all chunks, and by how many threads they were made. */
const SOURCE = `
#include <pthread.h>
#include <cmath>
#include <set>
static int64_t bytes(int64_t, int64_t chunks) { return chunks * 16; }
static void run(int64_t phase, int64_t chunk, int64_t chunks, int64_t rows, const void* const* in, void* const* out, char* scratch) {
  const float* x = static_cast<const float*>(in[0]);
  struct Part { float sum; pthread_t thread; }* parts = reinterpret_cast<Part*>(scratch);
  if (phase == 0) {
    float sum = 0;
    for (int64_t i = chunk * rows / chunks * ${WIDTH}; i < (chunk + 1) * rows / chunks * ${WIDTH}; ++i) sum += std::sin(x[i]);
    parts[chunk] = {sum, pthread_self()};
  } else if (chunk == 0) {
    float* y = static_cast<float*>(out[0]);
    std::set<pthread_t> threads;
    y[0] = 0;
    for (int64_t i = 0; i < chunks; ++i) {
      y[0] += parts[i].sum;
      threads.insert(parts[i].thread);
    }
    y[1] = static_cast<float>(threads.size());
  }
}
extern "C" const Region sums = {2, bytes, run};
`;

const list = (items) => String.fromCharCode(10, items.join('').length) + items.join('');

async function measure() {
  await openBackend('native');
  const native = nativeBackend();
  const { library, reason } = await buildLibrary([SOURCE]);
  if (reason) throw new Error(reason);
  const writer = new GraphWriter();
  writer.placeholder('x', { dtype: 1, shape: [ROWS, WIDTH] });
  writer.add('BnTrainRegion', 'y', ['x'], {
    library: textAttr(library),
    symbol: textAttr('sums'),
    rows: intAttr(ROWS),
    shapes: list([shapeAttr([2])]),
    forward: list([intAttr(-1)]),
    Tin: list([typeAttr(1)]),
    Tout: list([typeAttr(1)]),
  });
  const session = Session.open(native, writer.savedModel('train', 1087), 'train');
  const x = tf.randomUniform([ROWS, WIDTH], -9, 9, 'float32', 5);
  const results = Array.from({ length: 30 }, () => {
    const [value] = session.run(new Map([['x', nativeValue(native, x).id]]), ['y']);
    return [...nativeTensor(native, value).dataSync()];
  });
  session.close();
  return {
    hashes: results.map(([sum]) => createHash('sha256').update(String(sum)).digest('hex')),
    threads: results.map(([, threads]) => threads),
  };
}

if (isMainThread) {
  const workers = Array.from({ length: Number(process.argv[2]) }, () => new Worker(new URL(import.meta.url)));
  const all = await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  const hashes = new Set(all.flatMap((each) => each.hashes));
  console.log(JSON.stringify({ hashes: [...hashes], threads: Math.max(...all.flatMap((each) => each.threads)) }));
} else {
  parentPort.postMessage(await measure());
}

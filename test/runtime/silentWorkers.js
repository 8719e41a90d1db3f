/** Run by itself: two threads that compile at the same time, and then a word on stderr. */
import { once } from 'node:events';
import { isMainThread, Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { compileStep } from '../../dist/graph/compile.js';
import { openBackend } from '../../dist/index.js';

async function compileOften() {
  await openBackend('native');
  for (let i = 0; i < 60; i++)
    (await compileStep((x) => [x.add(i)], { inputs: [[tf.scalar(1)]], fuse: false })).dispose();
}

if (isMainThread) {
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url)));
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  console.error('heard');
} else await compileOften();

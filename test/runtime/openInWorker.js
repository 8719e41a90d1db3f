/** Run by itself, with an environment and options as JSON: a worker with a copy of the environment opens TensorFlow. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { openBackend } from '../../dist/index.js';

const threads = () => readdirSync('/proc/self/task').length;

if (isMainThread) {
  const [env, options] = process.argv.slice(2).map((text) => JSON.parse(text));
  const worker = new Worker(new URL(import.meta.url), { env: { ...process.env, ...env }, workerData: options });
  await once(worker, 'exit');
} else {
  const before = threads();
  await openBackend('native', workerData);
  console.log(threads() - before);
}

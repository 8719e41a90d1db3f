/** Run by itself: threads that do at the same time what the addon once did with memory of all threads. */
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { nativeBackend } from '../../dist/graph/binding.js';
import { openBackend } from '../../dist/index.js';
import { locateRuntime } from '../../dist/runtime/install/libraries.js';

const TIMES = 3000;

const TASKS = {
  /** Ops with attributes that no op had before; in all threads they come in the order of the clock. */
  async attributes() {
    await openBackend('native');
    const { binding } = nativeBackend();
    const attribute = () => ({ name: `${process.hrtime.bigint()}`, type: binding.TF_ATTR_TYPE, value: 1 });
    for (let i = 0; i < TIMES; i++)
      try {
        binding.executeOp('Identity', Array.from({ length: 100 }, attribute), [], 1);
      } catch (error) {
        if (!error.message.includes("No attr named 'T'")) throw error;
      }
  },
  /** Variables that TensorFlow would be told of, while the main thread looks for others. */
  async environment() {
    const { addon } = await locateRuntime({ device: 'cpu' });
    for (let i = 0; i < TIMES; i++) process.dlopen({ exports: { environment: { [`TF_${i}`]: '1' } } }, addon);
  },
};

if (isMainThread) {
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url), { workerData: process.argv[2] }));
  let running = workers.length;
  const ends = workers.map((worker) => once(worker, 'exit').then(([code]) => (running--, code)));
  while (running > 0) {
    for (let i = 0; i < TIMES; i++)
      if (process.env['TF_NONE'] !== undefined) throw new Error('a variable from nowhere');
    await setImmediate();
  }
  console.log(await Promise.all(ends), process.env[`TF_${TIMES - 1}`]);
} else await TASKS[workerData]();

/** A worker whose trials take as long as it is told and have made-up numbers; what it began is in a file, a line each. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

let opening = {};

async function compute(trial) {
  const { log, delay = 0, failing, dying, diesOnce, workers } = opening;
  appendFileSync(log, `${JSON.stringify(trial)}\n`);
  if (workers) appendFileSync(`${workers}.workers`, `${process.pid} ${trial.seed}\n`);
  if (trial.seed === failing) throw new Error('a trial that fails');
  if (trial.seed === dying && !(diesOnce && existsSync(diesOnce))) {
    if (diesOnce) writeFileSync(diesOnce, '');
    console.error('about to die');
    process.kill(process.pid, 'SIGKILL');
  }
  await sleep(delay);
  const hash = createHash('sha256').update(JSON.stringify(trial)).digest();
  const losses = [...hash.subarray(0, 8)].map((byte) => byte / 100);
  const time = Date.now() / 1e15;
  return { trial, outcome: 'finished', losses, accuracies: losses, epochs: [], seconds: time, trainingSeconds: time };
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', async (request) => {
  if ('open' in request) {
    opening = request.open;
    process.send({ ready: true });
    return;
  }
  try {
    process.send({ record: await compute(request.trial) });
  } catch (error) {
    process.send({ error: { message: error.message, stack: error.stack } });
  }
});

/** Loaded into a process before its program (node --import): a checkpoint takes a minute to be opened for writing. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { open } = fs.promises;
fs.promises.open = async (...args) => {
  if (String(args[0]).includes('.ckpt')) await sleep(60_000);
  return open(...args);
};
syncBuiltinESMExports();
